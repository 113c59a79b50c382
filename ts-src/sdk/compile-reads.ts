/** Evaluates `reads` once, and makes the route table's lines and the decoder of the values from it. */

import type { RespValue } from '../bridge/resp-value.js'
import type { ReadWord } from '../plugin/command-route.js'
import type { ArgLayout } from './arg-layout.js'
import type { Sequence, Slot } from './arg-tree.js'
import { PluginDefinitionError } from './plugin-error.js'
import { DeclaredRead, Reference, type ReadRecord } from './read.js'

/** `reads` as the author wrote it, without its types. @internal */
export type ReadsFunction = (args: Readonly<Record<string, Reference>>) => ReadRecord

function referenceWord(slot: Slot, layout: ArgLayout): ReadWord | undefined {
  const position = layout.positions.get(slot.name)
  if (position === undefined) return undefined
  const last = layout.lastPositions.get(slot.name)
  const isKey = slot.spec.kind === 'key' || slot.spec.kind === 'keyBuffer'
  if (last !== undefined) return isKey ? { keys: [position, last] } : undefined
  return isKey ? { key: position } : { arg: position }
}

function references(path: string, sequence: Sequence, layout: ArgLayout): Readonly<Record<string, Reference>> {
  const known = new Map(
    sequence.slots.map((slot) => [slot.name, new Reference(slot.name, referenceWord(slot, layout))]),
  )
  return new Proxy<Readonly<Record<string, Reference>>>(Object.fromEntries(known), {
    get(target, name) {
      if (typeof name === 'symbol') return undefined
      const reference = known.get(name)
      if (reference !== undefined) return reference
      throw new PluginDefinitionError(
        path,
        `there is no argument '${name}'; there are: ${Object.keys(target).join(', ')}`,
      )
    },
  })
}

function toWord(path: string, word: unknown): ReadWord {
  if (typeof word === 'string') return { lit: word }
  if (typeof word === 'number' && Number.isFinite(word)) return { lit: String(word) }
  if (!(word instanceof Reference)) {
    throw new PluginDefinitionError(path, `expected an argument, a string or a number, got ${String(word)}`)
  }
  if (word.word !== undefined) return word.word
  throw new PluginDefinitionError(
    path,
    `the argument '${word.name}' cannot be used in reads: it has a token, may be left out or follows one that may, so its ` +
      `place varies. Read in the handler with ctx.redis, or make it a required argument in front`,
  )
}

function isKeyWord(word: ReadWord | undefined): boolean {
  return word !== undefined && ('key' in word || 'keys' in word)
}

function compileRead(path: string, declared: unknown): readonly ReadWord[] {
  if (!(declared instanceof DeclaredRead)) {
    throw new PluginDefinitionError(path, 'must be a read, such as read.get(args.key)')
  }
  const words = declared.words.map((word: unknown) => toWord(path, word))
  if (!isKeyWord(words[1])) throw new PluginDefinitionError(path, 'the key must be an argument made by arg.key()')
  return words
}

function evaluate(path: string, reads: ReadsFunction, args: Readonly<Record<string, Reference>>): ReadRecord {
  try {
    const record: unknown = reads(args)
    if (typeof record === 'object' && record !== null && !('then' in record)) return record as ReadRecord
  } catch (error) {
    if (error instanceof PluginDefinitionError) throw error
    throw new PluginDefinitionError(path, error instanceof Error ? error.message : String(error))
  }
  throw new PluginDefinitionError(path, 'must return an object of reads at once, such as { value: read.get(args.key) }')
}

/** The compiled reads of one command. */
export class CompiledReads {
  readonly words: readonly (readonly ReadWord[])[]
  private readonly names: readonly string[]
  private readonly reads: readonly DeclaredRead<unknown>[]

  constructor(path: string, reads: ReadsFunction | undefined, sequence: Sequence, layout: ArgLayout) {
    const record = reads === undefined ? {} : evaluate(path, reads, references(path, sequence, layout))
    this.names = Object.keys(record)
    this.reads = Object.values(record)
    this.words = this.names.map((name) => compileRead(`${path}.${name}`, record[name]))
  }

  /** The values of one request, in the order of the route table's `read` lines. */
  decode(values: readonly RespValue[]): Record<string, unknown> {
    if (values.length !== this.names.length) {
      throw new RangeError(`expected the values of ${this.names.length} declared reads, got ${values.length}`)
    }
    const decoded: Record<string, unknown> = {}
    for (let index = 0; index < this.reads.length; index++) {
      const name = this.names[index] as string // the three lists have the same length
      decoded[name] = (this.reads[index] as DeclaredRead<unknown>).decode(values[index] as RespValue, name)
    }
    return decoded
  }
}
