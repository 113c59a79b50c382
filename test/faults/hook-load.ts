// Clients that set keys which hooks watch while something goes wrong, and the account of what slipped through.
//
// The model: a key of a hook that denies on failure never holds a value that the hook has not seen, and no value that it
// denies; a write to a key of a hook that allows on failure is never refused. A broken connection says nothing.
import type { ExecutionContext } from 'ava'
import type { Redis } from 'ioredis'
import { until, type TestServer } from '../helpers/index.js'

const ways = ['alone', 'in MULTI', 'in a script'] as const

type Outcome = 'done' | 'refused' | 'unknown'

export class HookLoad implements AsyncDisposable {
  readonly #counts = new Map<string, number>()
  readonly #wrong: string[] = []
  readonly #runs: Promise<void>[]
  #stopped = false
  #failure: Error | undefined

  private constructor(
    private readonly server: TestServer,
    clients: number,
  ) {
    this.#runs = Array.from({ length: clients }, (_, i) =>
      this.#client(i).catch((err: unknown) => {
        this.#failure ??= err instanceof Error ? err : new Error(String(err))
      }),
    )
  }

  static start(server: TestServer, clients: number): HookLoad {
    return new HookLoad(server, clients)
  }

  /** How many writes to the keys of one hook ended so. */
  number(hook: 'closed' | 'open', outcome: Outcome): number {
    return this.#counts.get(`${hook} ${outcome}`) ?? 0
  }

  /** Waits until some more writes to the keys of a hook have ended so. */
  async more(hook: 'closed' | 'open', outcome: Outcome, times = 10): Promise<void> {
    const before = this.number(hook, outcome)
    await until(() => this.#failure !== undefined || this.number(hook, outcome) >= before + times, {
      what: `${times} further writes of ${hook} that are ${outcome}`,
    })
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Ends it, and fails if anything slipped through or was refused in vain. */
  async stop(t: ExecutionContext): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#runs)
    t.log([...this.#counts].map(([what, times]) => `${what} ${times}`).join(', '))
    if (this.#failure !== undefined) throw this.#failure
    t.deepEqual(this.#wrong.slice(0, 10), [])
    const client = await this.server.client()
    for (const key of await client.keys('closed:*')) t.regex((await client.get(key)) ?? '', /^seen:good/, key)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#runs)
  }

  async #client(index: number): Promise<void> {
    const hook = index % 2 === 0 ? 'closed' : 'open'
    const way = ways[Math.floor(index / 2) % ways.length] ?? 'alone'
    let client: Redis | undefined
    for (let n = 0; !this.#stopped; n++) {
      client ??= await this.#connect()
      if (client === undefined) return
      const key = `${hook}:${index}`
      const value = hook === 'closed' && n % 2 === 1 ? 'bad' : `good ${n}`
      const { outcome, text } = await set(client, way, key, value)
      this.#counts.set(`${hook} ${outcome}`, this.number(hook, outcome) + 1)
      if (hook === 'open' && outcome === 'refused') this.#wrong.push(`${way}: ${key} was refused: ${text}`)
      if (value === 'bad' && outcome === 'done') this.#wrong.push(`${way}: ${key} got a bad value`)
      if (hook === 'closed' && outcome === 'done' && value !== 'bad') await this.#look(client, way, key)
      if (outcome === 'unknown') {
        client.disconnect()
        client = undefined
      }
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    client?.disconnect()
  }

  async #look(client: Redis, way: string, key: string): Promise<void> {
    const there = await client.get(key).catch(() => null)
    if (there?.startsWith('seen:') === false) this.#wrong.push(`${way}: ${key} holds ${there}, which no hook has seen`)
  }

  /** Undefined when the load has ended meanwhile. As soon as the server can be reached: its first commands count. */
  async #connect(): Promise<Redis | undefined> {
    const connect = async (): Promise<Redis | 'stopped'> =>
      this.#stopped ? 'stopped' : await this.server.client({ enableReadyCheck: false })
    const client = await until(connect, { what: 'a connection to the server', intervalMs: 2 })
    return client === 'stopped' ? undefined : client
  }
}

async function set(
  client: Redis,
  way: string,
  key: string,
  value: string,
): Promise<{ outcome: Outcome; text: string }> {
  try {
    if (way === 'alone') await client.set(key, value)
    else if (way === 'in a script') await client.eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, key, value)
    else await client.multi().set(key, value).exec()
    return { outcome: 'done', text: '' }
  } catch (err) {
    if (!(err instanceof Error)) throw err
    const { previousErrors = [] } = err as Error & { previousErrors?: Error[] }
    const texts = [err, ...previousErrors].map(({ message }) => message)
    // A server that loads its data refuses all, and one that ends breaks off what waits.
    const isHooks = err.name === 'ReplyError' && !texts.some((text) => /^(LOADING|UNBLOCKED)/.test(text))
    return { outcome: isHooks ? 'refused' : 'unknown', text: texts.join('; ') }
  }
}
