import type { ExecutionContext } from 'ava'
import type { ServerProgram } from '#lib/servers/server-version.js'
import { startServer, type StartServerOptions, type TestServer } from './server.js'

/** Two servers of one version: one without the module, one with it and plugins. What both can do is the same. */
export class Twins implements AsyncDisposable {
  constructor(
    readonly plain: TestServer,
    readonly hooked: TestServer,
  ) {}

  get servers(): readonly [TestServer, TestServer] {
    return [this.plain, this.hooked]
  }

  /** Does the same on both, one after the other, and asserts that it comes to the same. Returns what it came to. */
  async same<T>(t: ExecutionContext, body: (server: TestServer) => Promise<T>, message?: string): Promise<T> {
    const expected = await body(this.plain)
    t.deepEqual(await body(this.hooked), expected, message)
    return expected
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map((server) => server[Symbol.asyncDispose]()))
  }
}

/** Starts both; the options are those of the one with the module, the other gets all but the module and its plugins. */
export async function startTwins(server: ServerProgram, options: StartServerOptions): Promise<Twins> {
  const { plugins: _, modules: _modules, ...rest } = options
  const plain = await startServer({ ...rest, server, module: false })
  try {
    return new Twins(plain, await startServer({ ...options, server }))
  } catch (err) {
    await plain[Symbol.asyncDispose]()
    throw err
  }
}
