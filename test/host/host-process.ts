// The real host process with built plugins, and a peer in place of the module.
import type { ExecutionContext } from 'ava'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { buildPlugin } from '#lib/plugin/build.js'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import type { PluginState } from '#lib/bridge/messages.js'
import { packageRoot, testFile } from '../helpers/paths.js'
import { until } from '../helpers/until.js'
import { ModulePeer, type PeerLane, type PeerOptions } from './module-peer.js'

export interface HostOptions extends PeerOptions {
  /** Overrides in ferrite.json, by plugin. */
  manifest?: Record<string, object>
}

export class HostProcess {
  readonly lines: string[] = []

  private constructor(
    readonly peer: ModulePeer,
    readonly child: ChildProcess,
    readonly folder: string,
  ) {
    if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => this.lines.push(line))
    if (child.stderr !== null) createInterface({ input: child.stderr }).on('line', (line) => this.lines.push(line))
  }

  /** Starts a host with plugins of test/host/plugins; it ends with the test. */
  static async start(t: ExecutionContext, plugins: readonly string[], options: HostOptions = {}): Promise<HostProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'ferrite-host-'))
    await install(folder, plugins, options.manifest ?? {})
    const values = { 'plugins-dir': join(folder, 'plugins'), 'state-dir': folder, ...options.values }
    const peer = await ModulePeer.listen({ ...options, values })
    const child = spawn(process.execPath, [join(packageRoot, 'lib/host/main.js')], {
      env: { ...process.env, FERRITE_SOCKET: peer.socketPath },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const host = new HostProcess(peer, child, folder)
    t.teardown(() => host.end())
    return host
  }

  get control(): Promise<PeerLane> {
    return this.peer.lane('control')
  }

  /** Waits until the last STATUS has the plugin in a state. */
  async status(plugin: string, state: PluginState) {
    const control = await this.control
    return until(
      () =>
        control
          .all('STATUS')
          .at(-1)
          ?.plugins.find((each) => each.plugin === plugin && each.state === state),
      { what: `${plugin} ${state}` },
    )
  }

  /** Waits for a DETACH of the control lane, after so many others. */
  async detached(plugin: string, reason: RegExp): Promise<string> {
    const control = await this.control
    const message = await control.next('DETACH', (each) => each.plugin === plugin && reason.test(each.reason))
    return message.reason
  }

  logged(text: string | RegExp): Promise<string> {
    return until(() => this.lines.find((line) => (typeof text === 'string' ? line.includes(text) : text.test(line))), {
      what: `the line ${String(text)}`,
    })
  }

  /** Waits for the end of the process; gives its exit code. */
  async exited(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit')
    return this.child.exitCode
  }

  private async end(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.exited()
    await this.peer.close()
    await rm(this.folder, { recursive: true })
  }
}

/** A generation with these plugins, as the store makes it. */
async function install(folder: string, plugins: readonly string[], overrides: Record<string, object>): Promise<void> {
  const generation = join(folder, 'plugins/generations/1')
  await mkdir(generation, { recursive: true })
  for (const name of plugins) {
    const outDir = join(generation, name)
    await buildPlugin({ source: testFile(`host/plugins/${name}.ts`), outDir })
    const file = join(outDir, 'ferrite.json')
    const manifest = JSON.parse(await readFile(file, 'utf8')) as object
    await writeFile(file, JSON.stringify({ ...manifest, ...overrides[name] }))
  }
  await symlink('generations/1', join(folder, 'plugins/current'))
}
