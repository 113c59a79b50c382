// `ferrite start`: a server with the module and plugins, from nothing, in the foreground.
import { basename } from 'node:path'
import { Redis } from 'ioredis'
import { findServerTool } from '../servers/catalogue.js'
import { findServer, oldestFullServer } from '../servers/find-server.js'
import { findFreePort, isPortFree } from '../servers/free-port.js'
import { describeExit, ServerProcess } from '../servers/server-process.js'
import { compareVersions, type ServerProgram } from '../servers/server-version.js'
import { ensureModule } from '../setup/module-build.js'
import { findProgram } from '../setup/programs.js'
import { SetupError } from '../setup/setup-error.js'
import { buildGeneration, type InstalledPlugin } from '../plugin/store.js'
import { commandsToTry } from './sample-command.js'
import { reportProblems } from './build.js'
import { say } from './say.js'
import { openStartFolder, type StartFolder } from './start-folder.js'
import { describePlugins, waitForPlugins } from './started.js'

export interface StartOptions {
  readonly port?: number
  /** A path, a program on PATH, or a name of the matrix. */
  readonly server?: string
  readonly plugins?: string
  readonly dir?: string
}

/** Runs until Ctrl-C, SIGTERM, SIGHUP or the server's own end. Resolves to the exit status. */
export async function start(options: StartOptions): Promise<number> {
  const begun = performance.now()
  const port = options.port ?? (await findFreePort())
  if (!(await isPortFree(port))) {
    const text = `port ${String(port)} is in use or not allowed; choose another with --port, or leave it out`
    throw new SetupError('SETUP_PORT_IN_USE', text)
  }
  const module = await ensureModule(say)
  const program = await findServer(options.server, say)
  await using folder = await openStartFolder(options.dir, options.plugins)
  const generation = await buildGeneration(folder.pluginsDir, folder.stateDir, {
    sources: folder.sources,
    onBuild: (source) => say(`building ${source}`),
  })
  reportProblems(generation.problems)
  const stopping = stopSignals()
  await using server = await launch(program, port, folder, module.path)
  const stopped = stopping.then((signal) => endServer(server, signal))
  await report(server, program, generation.plugins, begun)
  const first = await Promise.race([server.exited, stopping])
  if (typeof first === 'string') return await stopped
  if (first.code === 0) say('the server was shut down')
  else say(`the server ended with ${describeExit(first)}; its log is ${server.logPath}`)
  return first.code ?? 1
}

async function launch(program: ServerProgram, port: number, folder: StartFolder, module: string) {
  return await ServerProcess.start({
    program: program.path,
    folder: folder.data,
    port,
    // Ctrl-C reaches the whole foreground group; the server is to hear of it from us, once.
    detached: true,
    directives: [
      ['loadmodule', module],
      ['ferrite.plugins-dir', folder.pluginsDir],
      ['ferrite.state-dir', folder.stateDir],
    ],
  })
}

async function report(
  server: ServerProcess,
  program: ServerProgram,
  installed: readonly InstalledPlugin[],
  begun: number,
): Promise<void> {
  const client = new Redis({ port: server.port, host: '127.0.0.1', lazyConnect: true, retryStrategy: null })
  // A connection that fails is reported by the command that needed it, not by an event besides.
  client.on('error', () => undefined)
  try {
    await client.connect()
    const plugins = await waitForPlugins(
      client,
      installed.map(({ name }) => name),
    )
    const seconds = ((performance.now() - begun) / 1000).toFixed(1)
    const name = program.product === 'redis' ? 'Redis' : 'Valkey'
    const print = (line: string): void => void process.stdout.write(`${line}\n`)
    print(`\n${name} ${program.version} is ready on port ${String(server.port)} (${seconds} s)`)
    print(`data and server.log: ${server.options.folder}`)
    for (const line of describePlugins(plugins)) print(line)
    const onPath = findProgram(`${program.product}-cli`, 'redis-cli', 'valkey-cli')
    const tool = onPath === undefined ? (findServerTool('redis-cli') ?? 'redis-cli') : basename(onPath)
    print('\nTry:')
    for (const command of commandsToTry(installed)) print(`  ${tool} -p ${String(server.port)} ${command}`)
    print('\nCtrl-C stops it.')
  } finally {
    client.disconnect()
  }
  if (compareVersions(program.version, oldestFullServer) < 0) say(`${program.version} has no command hooks; 7.2 has`)
}

/** Resolves at the first signal that asks to stop; keeps listening, so that later ones do not kill this process. */
function stopSignals(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, resolve)
  })
}

async function endServer(server: ServerProcess, signal: NodeJS.Signals): Promise<number> {
  // npm passes on a Ctrl-C that the terminal has sent to everybody already: only a later one means impatience.
  const begun = performance.now()
  process.on(signal, () => {
    if (performance.now() - begun > 1000) server.kill('SIGKILL')
  })
  process.stderr.write('\n')
  say('stopping the server (Ctrl-C again ends it at once, unsaved)')
  const exit = await server.stop(60_000)
  if (exit.code === 0) say('stopped')
  else say(`the server ended with ${describeExit(exit)}; its log is ${server.logPath}`)
  return exit.code ?? 1
}
