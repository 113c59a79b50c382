// Entry of a worker thread: runs a list of plugins on a lane of its own.
import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import { pathToFileURL } from 'node:url'
import { connectLane, type Lane } from '../bridge/lane.js'
import { shareSdk } from '../plugin/share-sdk.js'
import { compilePlugin } from '../sdk/compile.js'
import type { PluginDefinition } from '../sdk/define-plugin.js'
import { endsWithin } from './deadline.js'
import { HostError, thrownText } from './errors.js'
import { LaneRuntime } from './lane-runtime.js'
import { consoleLine, limitRate } from './log-lines.js'
import { kTeardownMs, PluginRuntime } from './plugin-runtime.js'
import { createWorkerLogger } from './worker-log.js'
import {
  kLaneEndedExit,
  type FromWorker,
  type ToWorker,
  type WorkerPlugin,
  type WorkerStart,
} from './worker-messages.js'

/** Lines a second that one worker may log. */
const kLogLines = 1000
const kConsoleMethods = ['log', 'info', 'warn', 'error', 'debug'] as const

class PluginThread {
  private readonly plugins: PluginRuntime[] = []
  private readonly postLog: (message: FromWorker) => void
  private lane: Lane | undefined
  private runtime: LaneRuntime | undefined
  private stopping = false

  constructor(
    private readonly start: WorkerStart,
    private readonly port: MessagePort,
  ) {
    this.postLog = limitRate(
      (message) => this.post(message),
      kLogLines,
      (line) => ({ type: 'log', line }),
    )
    port.on('message', (message: ToWorker) => this.onMessage(message))
  }

  async run(): Promise<void> {
    const { socketPath, label, plugins } = this.start
    for (const method of kConsoleMethods) {
      console[method] = (...args: unknown[]) => this.postLog({ type: 'log', line: consoleLine(label, method, args) })
    }
    shareSdk()
    const lane = await connectLane({ socketPath, kind: 'plugins', label })
    this.lane = lane
    const runtime = new LaneRuntime(lane)
    this.runtime = runtime
    lane.start(runtime)
    void lane.closed.then(() => this.onLaneEnd())
    for (const plugin of plugins) await this.startPlugin(plugin, lane, runtime)
  }

  private async startPlugin(plugin: WorkerPlugin, lane: Lane, runtime: LaneRuntime): Promise<void> {
    const log = createWorkerLogger(plugin.name, () => lane.values['log-level'], this.postLog)
    try {
      const compiled = compilePlugin(await importPlugin(plugin))
      const runtimeOfPlugin = new PluginRuntime({
        name: plugin.name,
        version: plugin.version,
        plugin: compiled,
        log,
        config: compiled.resolveConfig(plugin.config),
        calls: runtime.calls,
        emitter: runtime.emitter,
        state: () => lane.state,
      })
      await runtimeOfPlugin.setup()
      const problems = await runtime.attach(runtimeOfPlugin)
      runtimeOfPlugin.startTimers()
      this.plugins.push(runtimeOfPlugin)
      this.post({ type: 'active', plugin: plugin.name, problems })
    } catch (thrown) {
      if (this.stopping) return
      const reason = thrownText(thrown)
      // Of our own errors the cause has the stack that leads to the plugin's code.
      const err = thrown instanceof HostError ? (thrown.cause ?? thrown) : thrown
      log.error({ err }, `the plugin could not be started: ${reason}`)
      this.post({ type: 'failed', plugin: plugin.name, reason })
    }
  }

  private onMessage(message: ToWorker): void {
    if (message.type === 'stop') void this.onStop(message)
    else {
      const { heapUsed, external } = process.memoryUsage()
      const inFlight = this.runtime?.inFlight ?? 0
      const events = Object.fromEntries(this.plugins.map((plugin) => [plugin.name, plugin.eventFigures]))
      this.post({ type: 'beat', heapBytes: heapUsed, externalBytes: external, inFlight, events })
    }
  }

  private async onStop({ reason, deadlineMs, serverStops }: Extract<ToWorker, { type: 'stop' }>): Promise<void> {
    const { lane } = this
    if (serverStops && lane !== undefined) await endsWithin(lane.closed, deadlineMs / 2)
    await this.stop(reason, deadlineMs / (serverStops ? 2 : 1))
  }

  /** New requests are refused first, then what runs may end, then the plugins end. */
  private async stop(reason: string, deadlineMs: number): Promise<void> {
    if (this.stopping) return
    this.stopping = true
    const { runtime } = this
    if (runtime !== undefined) for (const plugin of this.plugins) runtime.detach(plugin, reason)
    await endsWithin(this.drained(), deadlineMs / 2)
    await this.end(Math.min(kTeardownMs, deadlineMs / 2), 0)
  }

  private async end(deadlineMs: number, exitCode: number): Promise<never> {
    await Promise.all(this.plugins.map((plugin) => plugin.stop(deadlineMs)))
    process.exit(exitCode)
  }

  private async drained(): Promise<void> {
    while ((this.runtime?.inFlight ?? 0) > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  /** A server that stops closes the lane at once. Nobody waits for what runs, but teardown() is still owed. */
  private onLaneEnd(): void {
    if (this.stopping) return
    this.stopping = true
    void this.end(kTeardownMs / 2, kLaneEndedExit)
  }

  private post(message: FromWorker): void {
    this.port.postMessage(message)
  }
}

async function importPlugin(plugin: WorkerPlugin): Promise<PluginDefinition> {
  let module: { default?: PluginDefinition }
  try {
    module = (await import(pathToFileURL(plugin.entry).href)) as typeof module
  } catch (thrown) {
    throw new HostError('FERRITE_PLUGIN_LOAD', `${plugin.entry} cannot be loaded: ${thrownText(thrown)}`, {
      cause: thrown,
    })
  }
  if (module.default !== undefined) return module.default
  throw new HostError(
    'FERRITE_PLUGIN_LOAD',
    `${plugin.entry} has no default export; export default definePlugin({ … })`,
  )
}

if (parentPort === null) {
  throw new HostError(
    'FERRITE_HOST_ENVIRONMENT',
    'this file is the entry of a worker thread; run ts-src/host/main.ts instead',
  )
}
await new PluginThread(workerData as WorkerStart, parentPort).run()
