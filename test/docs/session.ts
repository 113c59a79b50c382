// Runs the console blocks of a page in a folder of its own, with the programs that a reader would have on PATH.
import { spawn, type ChildProcess } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { findServerTool } from '#lib/servers/catalogue.js'
import { anyServer, packageRoot, startServer, until, type TestServer } from '../helpers/index.js'
import type { Page } from './page.js'

const isStart = (command: string): boolean => /^(npm start|(npx )?ferrite start)\b/.test(command)

export class Session implements AsyncDisposable {
  private server: TestServer | undefined
  private started: { readonly child: ChildProcess; readonly ended: Promise<unknown>; output: string } | undefined
  private port: number | undefined

  private constructor(
    private readonly page: Page,
    readonly folder: string,
  ) {}

  /** Writes the page's files. */
  static async open(page: Page): Promise<Session> {
    const folder = await mkdtemp(join(tmpdir(), 'ferrite-test-'))
    await mkdir(join(folder, 'node_modules'))
    const link = async (name: string, target: string): Promise<void> =>
      symlink(target, join(folder, 'node_modules', name))
    await link('ferrite-plugins', packageRoot)
    for (const name of ['ioredis', 'redis', 'stemmer', '@types'])
      await link(name, join(packageRoot, 'node_modules', name))
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    for (const { name, text } of page.files) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), text)
    }
    return new Session(page, folder)
  }

  /** What the command prints, errors included. */
  async run(command: string): Promise<string> {
    if (isStart(command)) return await this.start(command)
    if (/^(npx )?redis-cli\b/.test(command)) await this.serve()
    const child = spawn('sh', ['-c', command], { cwd: this.folder, env: await this.environment() })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
    return output
  }

  /** A server with the page's plugins, unless the page has started one itself. */
  private async serve(): Promise<void> {
    if (this.port !== undefined) return
    const plugins = this.page.files.filter(({ isPlugin }) => isPlugin).map(({ name }) => join(this.folder, name))
    this.server = await startServer({ plugins })
    this.port = this.server.port
  }

  /** `npm start` and `ferrite start` go on running: what they print until they are ready. */
  private async start(command: string): Promise<string> {
    await this.end()
    const [program, ...args] = command.startsWith('npm start')
      ? ['npm', '--silent', 'start', '--', '--server', anyServer().path, ...command.split(' ').slice(3)]
      : [
          process.execPath,
          join(packageRoot, 'lib/cli/main.js'),
          ...command.replace(/^npx /, '').split(' ').slice(1),
          '--server',
          anyServer().path,
        ]
    const isClone = command.startsWith('npm')
    const child = spawn(program, args, {
      cwd: isClone ? packageRoot : this.folder,
      env: { ...(await this.environment()), FERRITE_CACHE: join(this.folder, 'cache') },
      detached: true,
    })
    const started = { child, ended: new Promise((resolve) => child.once('close', resolve)), output: '' }
    this.started = started
    child.stdout.on('data', (chunk: Buffer) => (started.output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (started.output += chunk.toString()))
    const ready = (): RegExpExecArray | null => /on port (\d+)[^]*Ctrl-C stops it\.\n/.exec(started.output)
    this.port = Number((await until(ready, { what: `${command} to be ready` }))[1])
    return started.output
  }

  private async environment(): Promise<NodeJS.ProcessEnv> {
    const bin = join(this.folder, '.bin')
    await mkdir(bin, { recursive: true })
    const redisCli = findServerTool('redis-cli') ?? findServerTool('valkey-cli') ?? 'redis-cli'
    const ferrite = `exec ${process.execPath} ${join(packageRoot, 'lib/cli/main.js')} "$@"`
    const programs = {
      // As at a terminal; a page shows a port of its own, or none.
      'redis-cli': `[ "$1" = -p ] && shift 2\nexec ${redisCli} -p ${String(this.port)} --no-raw "$@"`,
      ferrite,
      npx: `case "$1" in ferrite|ferrite-plugins) shift; ${ferrite};; esac\nexec "${join(packageRoot, 'node_modules/.bin')}/$@"`,
    }
    for (const [name, text] of Object.entries(programs)) {
      await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`)
      await chmod(join(bin, name), 0o755)
    }
    const own = Object.entries(process.env).filter(([name]) => !/^(npm_|FERRITE_)/i.test(name))
    return {
      ...Object.fromEntries(own),
      PATH: `${bin}:${process.env['PATH'] ?? ''}`,
      REDIS_URL: `redis://127.0.0.1:${String(this.port)}`,
    }
  }

  private async end(): Promise<void> {
    // npm passes a signal on late or not at all: the whole group gets it.
    if (this.started?.child.pid !== undefined && this.started.child.exitCode === null) {
      process.kill(-this.started.child.pid, 'SIGINT')
      await this.started.ended
    }
    this.started = undefined
    this.port = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end()
    await this.server?.[Symbol.asyncDispose]()
    await rm(this.folder, { recursive: true, force: true })
  }
}
