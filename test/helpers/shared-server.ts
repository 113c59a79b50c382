import type { ExecutionContext, TestFn } from 'ava'
import { describeExit, tellingLines } from '#lib/servers/server-process.js'
import { compareVersions, type ServerProgram } from '#lib/servers/server-version.js'
import type { EachServerOptions } from './each-server.js'
import { servers } from './matrix.js'
import { startServer, type StartServerOptions, type TestServer } from './server.js'

type Body = (t: ExecutionContext, server: TestServer) => Promise<void>

/** Declares one test of the shared server, titled `title [redis-8.0.6]`. */
export type DeclareTest = (title: string, body: Body, timeoutMs?: number) => void

/**
 * Tests that share one server per version: it is started by the first of them and stopped before those of the next
 * version. Each begins with no keys. A server that ended fails the test in which that happened; the next gets a new one.
 *
 * @param declare is called once per version, with the function that declares a test
 */
export function shareServers(
  test: TestFn,
  options: Omit<StartServerOptions, 'server'> & EachServerOptions,
  declare: (it: DeclareTest, program: ServerProgram) => void,
): void {
  let current: TestServer | undefined
  const end = async (): Promise<void> => {
    await current?.[Symbol.asyncDispose]()
    current = undefined
  }
  const serverOf = async (program: ServerProgram): Promise<TestServer> => {
    if (current?.program !== program || current.exit !== undefined) {
      await end()
      current = await startServer({ ...options, server: program })
    }
    await current.cli('flushall')
    return current
  }
  for (const program of servers()) {
    if (options.since !== undefined && compareVersions(program.version, options.since) < 0) continue
    if (options.product !== undefined && program.product !== options.product) continue
    const it: DeclareTest = (title, body, timeoutMs = 120_000) =>
      test(`${title} [${program.name}]`, async (t) => {
        t.timeout(timeoutMs)
        const server = await serverOf(program)
        await run(t, server, body)
      })
    declare(it, program)
  }
  test.after.always('the shared server is stopped', end)
}

/** Runs the body; what the server logged last is shown when it fails, and a server that ended is a failure. */
async function run(t: ExecutionContext, server: TestServer, body: Body): Promise<void> {
  let failed = true
  try {
    await body(t, server)
    failed = server.exit !== undefined || !t.passed
    if (server.exit !== undefined) throw new Error(`the server ended with ${describeExit(server.exit)}`)
  } finally {
    if (failed) t.log(`${server.program.name} logged last:\n${tellingLines(await server.log())}`)
    server.closeClients()
  }
}
