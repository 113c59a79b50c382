// Clients that write through plugins and natively while something goes wrong, and the account of it afterwards.
//
// The model, per key: an entry whose write was acknowledged is there exactly once; one whose write was refused by an
// error is not there, since commits are applied together with the reply; one whose connection broke, or that a handler
// wrote by a call of its own before something failed, is there at most once. Replies of a counter are all different.
import type { ExecutionContext } from 'ava'
import type { Redis } from 'ioredis'
import { until, type TestServer } from '../helpers/index.js'

/** How a write can be done. */
export type WriteKind = 'native' | 'log' | 'direct' | 'count'

export interface LoadOptions {
  readonly clients: number
  /** Default: all kinds. */
  readonly kinds?: readonly WriteKind[]
  /** A reply may take so long, in milliseconds: the request's deadline and what a busy machine adds. Default 20000. */
  readonly deadlineMs?: number
  /** Keys begin with it. Default `load`. */
  readonly prefix?: string
}

type Fate = 'acknowledged' | 'refused' | 'unknown'

interface Entry {
  readonly kind: WriteKind
  readonly key: string
  readonly id: string
  fate: Fate
}

const kAll: readonly WriteKind[] = ['native', 'log', 'count', 'direct']
const kCounters = 3

/** `await using`: a test that fails leaves no clients behind. */
export class Load implements AsyncDisposable {
  readonly #entries: Entry[] = []
  readonly #countReplies = new Map<string, Set<number>>()
  readonly #doubles: string[] = []
  readonly #numbers = new Map<string, number>()
  readonly #errors = new Map<string, number>()
  readonly #runs: Promise<void>[]
  readonly #deadlineMs: number
  readonly #prefix: string
  readonly #kinds: readonly WriteKind[]
  #slowestMs = 0
  #stopped = false
  #failure: Error | undefined

  private constructor(
    private readonly server: TestServer,
    options: LoadOptions,
  ) {
    this.#deadlineMs = options.deadlineMs ?? 20_000
    this.#prefix = options.prefix ?? 'load'
    const kinds = options.kinds ?? kAll
    this.#kinds = kinds
    this.#runs = Array.from({ length: options.clients }, (_, i) =>
      this.#client(i, kinds[i % kinds.length] as WriteKind).catch((err: unknown) => {
        this.#failure ??= err instanceof Error ? err : new Error(String(err))
      }),
    )
  }

  static start(server: TestServer, options: LoadOptions): Load {
    return new Load(server, options)
  }

  /** Writes of one fate so far. */
  number(fate: Fate, kind?: WriteKind): number {
    const kinds = kind === undefined ? this.#kinds : [kind]
    return kinds.reduce((sum, one) => sum + (this.#numbers.get(`${one} ${fate}`) ?? 0), 0)
  }

  /** Waits until every kind of write has been acknowledged some more times. */
  async flows(times = 5): Promise<void> {
    const before = new Map(this.#kinds.map((kind) => [kind, this.number('acknowledged', kind)]))
    const more = (): boolean =>
      this.#failure !== undefined ||
      this.#kinds.every((kind) => this.number('acknowledged', kind) >= (before.get(kind) ?? 0) + times)
    await until(more, { what: `${times} further writes of each kind` }).catch((err: unknown) => {
      throw new Error(this.summary, { cause: err })
    })
    if (this.#failure !== undefined) throw this.#failure
  }

  get summary(): string {
    const errors = [...this.#errors].map(([code, times]) => `${code} ${times}`).join(', ')
    const fates = (['acknowledged', 'refused', 'unknown'] as const).map((fate) => `${fate} ${this.number(fate)}`)
    return `${fates.join(', ')}; slowest reply ${this.#slowestMs.toFixed(0)} ms; errors: ${errors || 'none'}`
  }

  /** Ends all clients after their present command, and fails when one of them waited beyond its deadline. */
  async stop(t: ExecutionContext): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#runs)
    t.log(this.summary)
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Compares with what the server holds now. `lossy`: acknowledged writes may be missing (an unsynced failover). */
  async verify(t: ExecutionContext, client: Redis, options: { lossy?: boolean } = {}): Promise<void> {
    const lists = new Map<string, Entry[]>()
    const counters = new Map<string, Entry[]>()
    for (const entry of this.#entries) {
      const map = entry.kind === 'count' ? counters : lists
      map.set(entry.key, [...(map.get(entry.key) ?? []), entry])
    }
    const problems = [...this.#doubles]
    for (const [key, entries] of lists) problems.push(...listProblems(key, entries, await client.lrange(key, 0, -1)))
    for (const [key, entries] of counters) problems.push(...counterProblems(key, entries, await client.get(key)))
    const counted = options.lossy === true ? problems.filter((problem) => !problem.includes('missing')) : problems
    t.deepEqual(counted.slice(0, 20), [])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#runs)
  }

  async #client(index: number, kind: WriteKind): Promise<void> {
    let client: Redis | undefined
    for (let n = 0; !this.#stopped; n++) {
      client ??= await this.#connect()
      if (client === undefined) return
      const key = kind === 'count' ? `${this.#prefix}:count:${index % kCounters}` : `${this.#prefix}:${kind}:${index}`
      const entry: Entry = { kind, key, id: `${index}-${n}`, fate: 'unknown' }
      this.#entries.push(entry)
      const isConnected = await this.#write(client, entry)
      const counter = `${kind} ${entry.fate}`
      this.#numbers.set(counter, (this.#numbers.get(counter) ?? 0) + 1)
      if (!isConnected) {
        client.disconnect()
        client = undefined
      }
      // The machine is to be busy with the fault, not with these clients.
      await new Promise((resolve) => setTimeout(resolve, entry.fate === 'acknowledged' ? 2 : 20))
    }
    client?.disconnect()
  }

  /** Undefined when the load has ended meanwhile. */
  async #connect(): Promise<Redis | undefined> {
    const connect = async (): Promise<Redis | 'stopped'> => (this.#stopped ? 'stopped' : await this.server.client())
    const client = await until(connect, { what: 'a connection to the server', intervalMs: 50 })
    return client === 'stopped' ? undefined : client
  }

  /** False when the connection is gone. */
  async #write(client: Redis, entry: Entry): Promise<boolean> {
    const begun = performance.now()
    const timer = setTimeout(() => {
      this.#failure ??= new Error(`${entry.kind} ${entry.key} has had no reply for ${this.#deadlineMs} ms`)
      this.#stopped = true
      client.disconnect()
    }, this.#deadlineMs)
    try {
      const reply = await commandOf(client, entry)
      entry.fate = 'acknowledged'
      if (entry.kind === 'count') this.#counted(entry.key, Number(reply))
      return true
    } catch (err) {
      return this.#failed(entry, err)
    } finally {
      clearTimeout(timer)
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - begun)
    }
  }

  #counted(key: string, value: number): void {
    const replies = this.#countReplies.get(key) ?? new Set<number>()
    if (replies.has(value)) this.#doubles.push(`${key}: the reply ${value} came twice: an update was lost`)
    this.#countReplies.set(key, replies.add(value))
  }

  #failed(entry: Entry, err: unknown): boolean {
    if (!(err instanceof Error)) throw err
    const isReply = err.name === 'ReplyError'
    const code = isReply ? (err.message.split(' ')[0] ?? '') : 'connection'
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1)
    // What a handler wrote by a call of its own stays, whatever became of the handler.
    entry.fate = isReply && entry.kind !== 'direct' ? 'refused' : 'unknown'
    return isReply
  }
}

function commandOf(client: Redis, { kind, key, id }: Entry): Promise<unknown> {
  switch (kind) {
    case 'native':
      return client.rpush(key, id)
    case 'log':
      return client.call('LEDGER.LOG', key, id)
    case 'direct':
      return client.call('LEDGER.DIRECT', key, id)
    case 'count':
      return client.call('LEDGER.COUNT', key)
  }
}

function listProblems(key: string, entries: readonly Entry[], there: readonly string[]): string[] {
  const times = new Map<string, number>()
  for (const id of there) times.set(id, (times.get(id) ?? 0) + 1)
  const problems = entries.flatMap(({ id, fate }) => {
    const seen = times.get(id) ?? 0
    times.delete(id)
    const most = fate === 'refused' ? 0 : 1
    if (seen > most) return [`${key}: the ${fate} entry ${id} is there ${seen} times`]
    return fate === 'acknowledged' && seen === 0 ? [`${key}: the acknowledged entry ${id} is missing`] : []
  })
  return [...problems, ...[...times.keys()].map((id) => `${key}: nobody has written the entry ${id}`)]
}

function counterProblems(key: string, entries: readonly Entry[], value: string | null): string[] {
  const least = entries.filter(({ fate }) => fate === 'acknowledged').length
  const most = least + entries.filter(({ fate }) => fate === 'unknown').length
  const counted = Number(value ?? 0)
  if (counted < least) return [`${key}: ${least} acknowledged, ${counted} there: ${least - counted} are missing`]
  return counted > most ? [`${key}: ${counted} there, at most ${most} were written`] : []
}
