// Real servers for tests: each on a free loopback port with an empty data folder, killed by its pid.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { Redis, type RedisOptions } from 'ioredis'
import { findServerTool } from '#lib/servers/catalogue.js'
import { findFreePort } from '#lib/servers/free-port.js'
import {
  describeExit,
  ServerProcess,
  tellingLines,
  type Directive,
  type ServerExit,
} from '#lib/servers/server-process.js'
import type { ServerProgram } from '#lib/servers/server-version.js'
import { describePlugins, waitForPlugins } from '#lib/cli/started.js'
import { ensureModule } from '#lib/setup/module-build.js'
import { lastLines, run } from '#lib/setup/programs.js'
import { installPlugins } from './built-plugins.js'
import { anyServer } from './matrix.js'
import { until } from './until.js'

export interface StartServerOptions {
  /** Default: the newest Redis of the list. */
  readonly server?: ServerProgram
  /** Files or folders of plugin sources, built before the start. */
  readonly plugins?: readonly string[]
  /** Further lines of redis.conf, after `loadmodule`. */
  readonly config?: Readonly<Record<string, string | number>> | readonly Directive[]
  /**
   * How long the server waits for plugins: as long as a machine with far too much to do may need, or as long as it does
   * by default, for tests of those defaults. Default `patient`; single settings are in `config`.
   */
  readonly deadlines?: 'patient' | 'default'
  /** Append-only file, every write synced to disk. Default false; RDB saving is off unless configured. */
  readonly aof?: boolean
  /** False: do not wait until every plugin is active. Default true. */
  readonly waitForPlugins?: boolean
  readonly replicaOf?: TestServer
  /** Cluster mode, with no slots yet; startCluster makes a whole one. */
  readonly cluster?: boolean
  /** False: no ferrite.so. A path: another module in its place. Default true. */
  readonly module?: boolean | string
  /** Modules loaded besides. */
  readonly modules?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  /** How long until it answers, in milliseconds. Default 30000. */
  readonly readyMs?: number
}

/**
 * Transactions, scripts and clients with tracking wait 5 ms for a plugin by default, others 5 s: on a busy machine that
 * would test the machine. Exported for servers that are given their own lines of the module (`module: false`).
 */
export const patience: readonly Directive[] = [
  ['ferrite.sync-timeout', '1000'],
  ['ferrite.sync-budget', '10000'],
  ['ferrite.request-timeout', '60000'],
]

const live = new Set<TestServer>()
// A worker that is ended in the middle of a test leaves no server behind.
process.once('exit', () => {
  for (const server of live) server.kill()
})

/** One server of a test; `await using` stops it and removes its folder. */
export class TestServer implements AsyncDisposable {
  readonly #clients = new Set<Redis>()

  constructor(
    readonly program: ServerProgram,
    readonly folder: string,
    private process: ServerProcess,
    private readonly plugins: readonly string[] = [],
  ) {
    live.add(this)
  }

  get port(): number {
    return this.process.port
  }

  get pid(): number {
    return this.process.pid
  }

  /** `<data folder>/server.log` */
  get logPath(): string {
    return this.process.logPath
  }

  get pluginsDir(): string {
    return join(this.folder, 'ferrite', 'plugins')
  }

  get stateDir(): string {
    return join(this.folder, 'ferrite', 'state')
  }

  /** How it ended, if it has; `exited` waits for it. */
  get exit(): ServerExit | undefined {
    return this.process.exit
  }

  get exited(): Promise<ServerExit> {
    return this.process.exited
  }

  /** A connected ioredis client, closed with the server. It does not reconnect unless asked to. */
  async client(options: Omit<RedisOptions, 'replyMapping'> = {}): Promise<Redis> {
    const client = new Redis({ port: this.port, host: '127.0.0.1', lazyConnect: true, retryStrategy: null, ...options })
    // Errors reach the test through its commands; without a listener ioredis prints them besides.
    client.on('error', () => undefined)
    this.#clients.add(client)
    await client.connect()
    return client
  }

  /** Runs redis-cli against it and returns what it printed. Throws if it ends with an error status. */
  async cli(...args: readonly string[]): Promise<string> {
    const tool = findServerTool('redis-cli') ?? findServerTool('valkey-cli')
    if (tool === undefined) throw new Error('neither redis-cli nor valkey-cli is there; run npm run servers')
    const result = await run(tool, ['-p', String(this.port), ...args], { timeoutMs: 60_000 })
    if (result.code === 0) return result.stdout.replace(/\n$/, '')
    throw new Error(`redis-cli ${args.join(' ')} ended with ${String(result.code)}: ${result.output}`)
  }

  /** What the present process has logged, from its start. */
  async log(): Promise<string> {
    return await this.process.log()
  }

  /** Waits for a line of the log. */
  async logged(pattern: RegExp | string): Promise<string> {
    const matches = (line: string): boolean =>
      typeof pattern === 'string' ? line.includes(pattern) : pattern.test(line)
    const find = async (): Promise<string | undefined> => (await this.log()).split('\n').find(matches)
    return await until(find, { what: `a log line with ${String(pattern)}` })
  }

  /** Sends a signal by pid and does not wait. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.process.kill(signal)
  }

  /** Disconnects the clients that `client` made. */
  closeClients(): void {
    for (const client of this.#clients) client.disconnect()
    this.#clients.clear()
  }

  /** Waits until the plugins that it was started with serve, such as after a restart. */
  async pluginsActive(): Promise<void> {
    if (this.plugins.length > 0) await untilPluginsActive(this, this.plugins)
  }

  /** Ends the process (SIGTERM), keeps the folder, closes the clients. */
  async stop(): Promise<ServerExit> {
    this.closeClients()
    return await this.process.stop()
  }

  /** Ends it by SIGTERM, or by the signal given, and starts it again on the same port and folder. */
  async restart(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.kill(signal)
    await this.stop()
    this.process = await ServerProcess.start(this.process.options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const earlier = this.exit
    await this.stop()
    live.delete(this)
    const fate = earlier === undefined ? '' : `, which had ended with ${describeExit(earlier)},`
    endedLogs.push(`${this.program.name}${fate} logged last:\n${tellingLines(await this.log())}`)
    await removeFolder(this.folder)
  }
}

/**
 * Starts a server with the module and waits until it answers.
 *
 * @throws SetupError with the last 100 lines of its log if it dies or does not get ready
 * @example await using server = await startServer({ server: program, plugins: [example('rate-limiter')] })
 */
export async function startServer(options: StartServerOptions = {}): Promise<TestServer> {
  const program = options.server ?? anyServer()
  const folder = await mkdtemp(join(tmpdir(), 'ferrite-test-'))
  const pluginsDir = join(folder, 'ferrite', 'plugins')
  const stateDir = join(folder, 'ferrite', 'state')
  await mkdir(pluginsDir, { recursive: true })
  await mkdir(stateDir, { recursive: true })
  const sources = options.plugins ?? []
  const names = sources.length === 0 ? [] : await installPlugins(sources, pluginsDir, stateDir)
  const directives = [...(await moduleDirectives(options, pluginsDir, stateDir)), ...serverDirectives(options)]
  const process = await startOnFreePort({ ...options, program, folder, directives }).catch(async (err: unknown) => {
    // The error carries the end of the log already.
    await removeFolder(folder)
    throw err
  })
  const server = new TestServer(program, folder, process, names)
  try {
    if (options.replicaOf !== undefined) await untilReplicating(server)
    if (options.waitForPlugins !== false) await server.pluginsActive()
    return server
  } catch (err) {
    await server[Symbol.asyncDispose]()
    throw err
  }
}

const endedLogs: string[] = []

/** Runs a test's body; when it fails, adds the end of the logs of the servers that it has used. */
export async function withServerLogs<T>(t: ExecutionContext<T>, body: () => Promise<void>): Promise<void> {
  // Tests of one file run one after the other (ava.config.js), so what ends meanwhile is this test's.
  endedLogs.length = 0
  try {
    await body()
  } catch (err) {
    for (const text of endedLogs) t.log(text)
    throw err
  }
}

/** FERRITE_KEEP=1 keeps the folders of servers for a look at their logs. */
async function removeFolder(folder: string): Promise<void> {
  if (process.env['FERRITE_KEEP'] === undefined) await rm(folder, { recursive: true, force: true })
}

async function moduleDirectives(
  options: StartServerOptions,
  pluginsDir: string,
  stateDir: string,
): Promise<readonly Directive[]> {
  const further = (options.modules ?? []).map((path): Directive => ['loadmodule', path])
  if (options.module === false) return further
  // FERRITE_MODULE: a build of the module for a purpose, such as one with sanitizers.
  const named = typeof options.module === 'string' ? options.module : process.env['FERRITE_MODULE']
  const path = named ?? (await ensureModule(() => undefined)).path
  return [['loadmodule', path], ['ferrite.plugins-dir', pluginsDir], ['ferrite.state-dir', stateDir], ...further]
}

function serverDirectives(options: StartServerOptions): readonly Directive[] {
  const given: readonly Directive[] = Array.isArray(options.config)
    ? (options.config as readonly Directive[])
    : Object.entries(options.config ?? {}).map(([name, value]): Directive => [name, String(value)])
  const has = (name: string): boolean => given.some(([one]) => one === name)
  const isPatient = options.module !== false && options.deadlines !== 'default'
  const defaults: readonly Directive[] = [
    ...(isPatient ? patience : []),
    ['save', ''],
    ['enable-debug-command', 'yes'],
    // A crash is reported with its stack; testing all of the memory afterwards takes long and tells nothing here.
    ['crash-memcheck-enabled', 'no'],
    // Replicas are synced at once, not after waiting 5 s for more of them.
    ['repl-diskless-sync-delay', '0'],
    ['appendonly', options.aof === true ? 'yes' : 'no'],
    ...(options.aof === true ? ([['appendfsync', 'always']] as const) : []),
    ...(options.cluster === true
      ? ([
          ['cluster-enabled', 'yes'],
          // For as long a node that was alone waits before it serves; startCluster makes it longer then.
          ['cluster-node-timeout', '500'],
        ] as const)
      : []),
    ...(options.replicaOf === undefined ? [] : ([['replicaof', '127.0.0.1', String(options.replicaOf.port)]] as const)),
  ]
  return [...defaults.filter(([name]) => !has(name)), ...given]
}

/** FERRITE_SERVER_UNDER: a program, with its options, that runs the server, such as valgrind. */
async function underWrapper(program: string, folder: string): Promise<string> {
  const command = process.env['FERRITE_SERVER_UNDER']
  if (command === undefined) return program
  const script = join(folder, 'server-under')
  await writeFile(script, `#!/bin/sh\nexec ${command} '${program}' "$@"\n`, { mode: 0o755 })
  return script
}

async function startOnFreePort(options: {
  readonly program: ServerProgram
  readonly folder: string
  readonly directives: readonly Directive[]
  readonly env?: NodeJS.ProcessEnv
  readonly readyMs?: number
}): Promise<ServerProcess> {
  const { folder, directives, readyMs } = options
  const program = await underWrapper(options.program.path, folder)
  const preload = process.env['FERRITE_SERVER_PRELOAD']
  const env = preload === undefined ? options.env : { ...(options.env ?? process.env), LD_PRELOAD: preload }
  for (let attempt = 1; ; attempt++) {
    try {
      const port = await findFreePort()
      const further = { ...(env === undefined ? {} : { env }), ...(readyMs === undefined ? {} : { readyMs }) }
      return await ServerProcess.start({ program, folder, port, directives, ...further })
    } catch (err) {
      // Between finding a port free and listening on it, another test may have taken it.
      if (attempt === 5 || !(err instanceof Error) || !err.message.includes('Address already in use')) throw err
    }
  }
}

async function untilPluginsActive(server: TestServer, names: readonly string[]): Promise<void> {
  const plugins = await waitForPlugins(await server.client(), names, 60_000)
  const wrong = plugins.filter((plugin) => plugin.state !== 'active')
  if (plugins.length > 0 && wrong.length === 0) return
  const states = describePlugins(plugins).join('\n')
  throw new Error(
    `not every plugin is active:\n${states}\nthe server's log ends with\n${tellingLines(await server.log())}`,
  )
}

async function untilReplicating(server: TestServer): Promise<void> {
  const client = await server.client()
  const linked = async (): Promise<boolean> => (await client.info('replication')).includes('master_link_status:up')
  try {
    await until(linked, { what: 'the replica to be in step with its primary' })
  } catch (err) {
    throw new Error(`the replica never got in step; its log ends with\n${lastLines(await server.log(), 100)}`, {
      cause: err,
    })
  }
}
