// One running server, for `ferrite start` and for the tests: its configuration file, its log, its end.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { lastLines } from '../setup/programs.js'
import { SetupError } from '../setup/setup-error.js'

/** A line of redis.conf: the directive and its arguments. */
export type Directive = readonly [string, ...string[]]

export interface ServerProcessOptions {
  /** Absolute path of the server program, or of a wrapper. */
  readonly program: string
  /** Data folder; redis.conf and server.log are written here too. */
  readonly folder: string
  readonly port: number
  readonly directives: readonly Directive[]
  /** Own process group, so that Ctrl-C at the terminal reaches us alone. Default false. */
  readonly detached?: boolean
  readonly env?: NodeJS.ProcessEnv
  /** How long it may take until it answers, loading included, in milliseconds. Default 30000. */
  readonly readyMs?: number
}

export interface ServerExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export class ServerProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  #exit: ServerExit | undefined
  /** Resolves when it has ended, however. */
  readonly exited: Promise<ServerExit>

  private constructor(
    readonly options: ServerProcessOptions,
    child: ChildProcess,
    readonly pid: number,
    private readonly logStart: number,
  ) {
    this.#child = child
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#exit = { code, signal }
        resolve(this.#exit)
      })
    })
  }

  get port(): number {
    return this.options.port
  }

  /** How it ended, if it has. */
  get exit(): ServerExit | undefined {
    return this.#exit
  }

  get logPath(): string {
    return join(this.options.folder, 'server.log')
  }

  /**
   * Starts it and waits until it answers PING.
   *
   * @throws SetupError SETUP_SERVER_FAILED with the end of its log if it dies or is not ready in time
   */
  static async start(options: ServerProcessOptions): Promise<ServerProcess> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 })
    const configPath = join(options.folder, 'redis.conf')
    await writeFile(configPath, configurationText(options))
    const log = await open(join(options.folder, 'server.log'), 'a')
    const logStart = (await log.stat()).size
    const child = spawn(options.program, [configPath], {
      cwd: options.folder,
      env: options.env ?? process.env,
      stdio: ['ignore', log.fd, log.fd],
      detached: options.detached ?? false,
    })
    const started = new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('spawn', () => {
        resolve(child.pid ?? 0)
      })
    })
    try {
      const server = new ServerProcess(options, child, await started, logStart)
      await server.#untilReady()
      return server
    } finally {
      await log.close()
    }
  }

  /** All that this process has logged. */
  async log(): Promise<string> {
    return (await readFile(this.logPath)).subarray(this.logStart).toString('utf8')
  }

  /** Sends a signal to the server process alone. Does nothing once it has ended. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    if (this.#exit === undefined) this.#child.kill(signal)
  }

  /** Ends it by SIGTERM (which saves, if it is configured to), after `deadlineMs` by SIGKILL. */
  async stop(deadlineMs = 10_000): Promise<ServerExit> {
    this.kill('SIGTERM')
    const timer = setTimeout(() => {
      this.kill('SIGKILL')
    }, deadlineMs)
    try {
      return await this.exited
    } finally {
      clearTimeout(timer)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #untilReady(): Promise<void> {
    const limit = this.options.readyMs ?? 30_000
    const deadline = performance.now() + limit
    for (;;) {
      if (this.#exit !== undefined)
        throw await this.#failure(`ended with ${describeExit(this.#exit)} before it was ready`)
      if ((await ping(this.port)) === 'ready') return
      if (performance.now() > deadline) {
        this.kill()
        await this.exited
        throw await this.#failure(`did not answer within ${String(limit)} ms`)
      }
      await Promise.race([this.exited, pause(15)])
    }
  }

  async #failure(what: string): Promise<SetupError> {
    const tail = tellingLines(await this.log())
    const text = `the server ${this.options.program} ${what}; from its log (${this.logPath}):\n${tail}`
    return new SetupError('SETUP_SERVER_FAILED', text)
  }
}

/** The crash report if there is one, from the signal to the end of the stack; else the last 100 lines. */
export function tellingLines(log: string): string {
  const lines = log.split('\n')
  const crash = lines.findIndex((line) =>
    /crashed by signal|=== ASSERTION FAILED|AddressSanitizer|runtime error:/.test(line),
  )
  return crash === -1 ? lastLines(log, 100) : lines.slice(crash, crash + 60).join('\n')
}

/** `status 1` or `signal SIGSEGV`. */
export function describeExit(exit: ServerExit): string {
  return exit.signal === null ? `status ${String(exit.code)}` : `signal ${exit.signal}`
}

function configurationText(options: ServerProcessOptions): string {
  const given = new Set(options.directives.map(([name]) => name))
  const defaults: readonly Directive[] = [
    ['port', String(options.port)],
    ['bind', '127.0.0.1'],
    ['dir', options.folder],
    ['daemonize', 'no'],
    ['logfile', ''],
    ['pidfile', ''],
  ]
  const directives = [...defaults.filter(([name]) => !given.has(name)), ...options.directives]
  return directives.map((words) => `${words.map(configurationWord).join(' ')}\n`).join('')
}

/** A word of redis.conf, quoted when it must be. */
export function configurationWord(word: string): string {
  if (/^[\w./:@*+=,-]+$/.test(word)) return word
  return `"${word.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`
}

/** A whole client library for one PING would double the time until a server is known to be ready. */
function ping(port: number): Promise<'ready' | 'not yet'> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.setTimeout(1000)
    socket.once('connect', () => socket.write('PING\r\n'))
    socket.once('data', (chunk) => {
      socket.destroy()
      // NOAUTH and NOPERM are answers of a server that is ready, LOADING and BUSY are not.
      resolve(/^(\+PONG|-NOAUTH|-NOPERM|-MASTERDOWN|-DENIED)/.test(chunk.toString('latin1')) ? 'ready' : 'not yet')
    })
    const failed = (): void => {
      socket.destroy()
      resolve('not yet')
    }
    socket.once('error', failed).once('timeout', failed).once('end', failed)
  })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
