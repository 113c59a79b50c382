// Guarded requests that came as one batch run over the commits before them (protocol page, Guarded requests). A wrong
// guess costs a run, never correctness: the module compares what was assumed with what is there.
import { ByteWriter } from '../bridge/byte-writer.js'
import type { Argv, Invoke } from '../bridge/messages.js'
import { respBulk, respNull } from '../bridge/resp.js'
import type { CommandRoute, ReadWord } from '../plugin/command-route.js'

/** How a declared read finds its keys among the arguments of a request. */
export interface ReadPlan {
  /** It is `GET key`, whose value can be known from a SET. */
  readonly isGet: boolean
  /** First and last argument, from 0; a negative last counts from the end. */
  readonly keys: readonly (readonly [number, number])[]
}

/** What the values of a request are: as the module sent them, changed by the batch, or not to be known. */
export type Assumption = 'as sent' | 'unknown' | readonly Buffer[]

const kAscii = /^[\0-\x7f]*$/

/** Options of SET that leave what the value will be in no doubt. The second is the number of words that they take. */
const kPlainSetOptions: ReadonlyMap<string, number> = new Map([
  ['EX', 2],
  ['PX', 2],
  ['EXAT', 2],
  ['PXAT', 2],
  ['KEEPTTL', 1],
])

/** Positions in the route count the command's words; in a request they do not. */
export function readPlans(route: CommandRoute): readonly ReadPlan[] {
  const words = route.name.includes('|') ? 2 : 1
  return route.reads.map((read) => ({
    isGet: read.length === 2 && isWord(read[0], 'GET') && read[1] !== undefined && 'key' in read[1],
    keys: read.flatMap((word) => {
      if ('key' in word) return [[word.key - words, word.key - words] as const]
      return 'keys' in word
        ? [[word.keys[0] - words, word.keys[1] < 0 ? word.keys[1] : word.keys[1] - words] as const]
        : []
    }),
  }))
}

export class BatchOverlay {
  /** Values of keys as the commits of this batch leave them, as RESP. */
  private readonly values = new Map<string, Buffer>()
  /** Keys of which the batch knows only that they may have changed. */
  private readonly touched = new Set<string>()
  private readonly writer = new ByteWriter()
  private isEmpty = true

  /** Forgets everything: the next batch begins. */
  reset(): void {
    if (this.isEmpty) return
    this.values.clear()
    this.touched.clear()
    this.isEmpty = true
  }

  /** What a request of the batch reads, over the commits before it. */
  assume(plans: readonly ReadPlan[], invoke: Invoke): Assumption {
    if (this.isEmpty) return 'as sent'
    let changed: Buffer[] | undefined
    for (let index = 0; index < plans.length; index++) {
      const plan = plans[index] as ReadPlan // index is below the length
      const value = this.valueOf(plan, invoke.args)
      if (value === 'unknown') return value
      if (value === undefined) continue
      changed ??= [...invoke.reads]
      changed[index] = value
    }
    return changed ?? 'as sent'
  }

  /** What the batch knows of a read; nothing when it has not touched its keys. */
  private valueOf(plan: ReadPlan, args: readonly Buffer[]): Buffer | 'unknown' | undefined {
    for (const [first, last] of plan.keys) {
      const end = last < 0 ? args.length + last : last
      for (let at = first; at <= end; at++) {
        const id = keyId(args[at] ?? '')
        const value = this.values.get(id)
        if (this.touched.has(id) || (value !== undefined && !plan.isGet)) return 'unknown'
        if (value !== undefined) return value // a GET has one key
      }
    }
    return undefined
  }

  /** Takes in what a request of the batch commits. */
  record(commit: readonly Argv[]): void {
    for (const argv of commit) {
      this.isEmpty = false
      const name = wordOf(argv[0])
      if (name === 'SET' && isPlainSet(argv)) this.know(argv[1] ?? '', this.bulk(argv[2] ?? ''))
      else if (name === 'DEL' || name === 'UNLINK') argv.slice(1).forEach((key) => this.know(key, this.missing()))
      else for (let at = 1; at < argv.length; at++) this.touch(argv[at] ?? '') // any argument may be a key
    }
  }

  private know(key: Buffer | string, value: Buffer): void {
    const id = keyId(key)
    this.values.set(id, value)
    this.touched.delete(id)
  }

  private touch(key: Buffer | string): void {
    this.touched.add(keyId(key))
  }

  private bulk(value: Buffer | string): Buffer {
    respBulk(this.writer, value)
    return this.writer.take()
  }

  private missing(): Buffer {
    respNull(this.writer)
    return this.writer.take()
  }
}

function isPlainSet(argv: Argv): boolean {
  if (argv.length < 3) return false
  for (let at = 3; at < argv.length;) {
    const words = kPlainSetOptions.get(wordOf(argv[at]))
    if (words === undefined) return false
    at += words
  }
  return true
}

/** The bytes of a key as text, one character a byte. */
function keyId(key: Buffer | string): string {
  if (typeof key !== 'string') return key.toString('latin1')
  return kAscii.test(key) ? key : Buffer.from(key).toString('latin1')
}

function wordOf(word: Buffer | string | undefined): string {
  return String(word).toUpperCase()
}

function isWord(word: ReadWord | undefined, text: string): boolean {
  return word !== undefined && 'lit' in word && word.lit.toUpperCase() === text
}
