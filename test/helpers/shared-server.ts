import type { ExecutionContext, TestFn } from 'ava'
import { tellingLines } from '#lib/servers/server-process.js'
import { compareVersions, type ServerProgram } from '#lib/servers/server-version.js'
import { startCluster, type TestCluster } from './cluster.js'
import { kTestMs, type EachServerOptions } from './each-server.js'
import { servers } from './matrix.js'
import { startServer, type StartServerOptions, type TestServer } from './server.js'
import { startTwins, type Twins } from './twins.js'

/** Declares one test of what is shared, titled `title [redis-8.0.6]`. */
export type DeclareTest<Shared> = (title: string, body: (t: ExecutionContext, shared: Shared) => Promise<void>) => void

type ShareOptions = Omit<StartServerOptions, 'server'> & EachServerOptions

/**
 * Tests that share one server per version: it is started by the first of them and stopped before those of the next
 * version. Each begins with no keys. A server that ended fails the test in which that happened; the next gets a new one.
 *
 * @param declare is called once per version, with the function that declares a test
 */
export function shareServers(
  test: TestFn,
  options: ShareOptions,
  declare: (it: DeclareTest<TestServer>, program: ServerProgram) => void,
): void {
  const share: Share<TestServer> = {
    start: async (program) => await startServer({ ...options, server: program }),
    prepare: (server) => server.cli('flushall'),
    servers: (server) => [server],
  }
  declareShared(test, options, share, declare)
}

/** The same with a cluster of three primaries. Keys stay: each test has keys and slots of its own. */
export function shareClusters(
  test: TestFn,
  options: ShareOptions,
  declare: (it: DeclareTest<TestCluster>, program: ServerProgram) => void,
): void {
  const share: Share<TestCluster> = {
    start: async (program) => await startCluster({ ...options, server: program }),
    prepare: () => Promise.resolve(),
    servers: (cluster) => cluster.nodes,
  }
  declareShared(test, options, share, declare)
}

/** The same with two servers per version, one without the module. Each test begins with no keys. */
export function shareTwins(
  test: TestFn,
  options: ShareOptions,
  declare: (it: DeclareTest<Twins>, program: ServerProgram) => void,
): void {
  const share: Share<Twins> = {
    start: async (program) => await startTwins(program, options),
    prepare: async (twins) => await Promise.all(twins.servers.map((server) => server.cli('flushall'))),
    servers: (twins) => twins.servers,
  }
  declareShared(test, options, share, declare)
}

interface Share<Shared> {
  start(program: ServerProgram): Promise<Shared>
  /** Before each test. */
  prepare(shared: Shared): Promise<unknown>
  servers(shared: Shared): readonly TestServer[]
}

function declareShared<Shared extends AsyncDisposable>(
  test: TestFn,
  { since, product }: EachServerOptions,
  share: Share<Shared>,
  declare: (it: DeclareTest<Shared>, program: ServerProgram) => void,
): void {
  let current: { readonly program: ServerProgram; readonly shared: Shared } | undefined
  const end = async (): Promise<void> => {
    const ended = current
    current = undefined
    await ended?.shared[Symbol.asyncDispose]()
  }
  const provide = async (program: ServerProgram): Promise<Shared> => {
    const hasEnded = current !== undefined && share.servers(current.shared).some((server) => server.exit !== undefined)
    if (current?.program !== program || hasEnded) {
      await end()
      current = { program, shared: await share.start(program) }
    }
    await share.prepare(current.shared)
    return current.shared
  }
  for (const program of servers()) {
    if (since !== undefined && compareVersions(program.version, since) < 0) continue
    if (product !== undefined && program.product !== product) continue
    const it: DeclareTest<Shared> = (title, body) =>
      test(`${title} [${program.name}]`, async (t) => {
        t.timeout(kTestMs)
        const shared = await provide(program)
        await run(t, share.servers(shared), () => body(t, shared))
      })
    declare(it, program)
  }
  test.after.always('what was shared is stopped', end)
}

/** Runs the body; what the servers logged last is shown when it fails, and a server that ended is a failure. */
async function run(t: ExecutionContext, used: readonly TestServer[], body: () => Promise<void>): Promise<void> {
  let failed = true
  try {
    await body()
    const ended = used.find((server) => server.exit !== undefined)
    if (ended?.exit !== undefined) throw new Error(`a server ended with ${JSON.stringify(ended.exit)}`)
    failed = !t.passed
  } finally {
    for (const server of used) {
      if (failed) t.log(`${server.program.name} logged last:\n${tellingLines(await server.log())}`)
      server.closeClients()
    }
  }
}
