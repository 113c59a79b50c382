// The host's main thread: the control lane, and the workers that run the plugins.
import { connectLane, type Lane, type LaneEnd } from '../bridge/lane.js'
import type { PluginProblem } from '../plugin/catalogue.js'
import { thrownText } from './errors.js'
import { Heartbeat, kBeatMs } from './heartbeat.js'
import { planWorkers, type HostedPlugin, type WorkerPlan } from './hosted-plugin.js'
import { LaneRuntime } from './lane-runtime.js'
import type { LogSink } from './log-lines.js'
import { createLogger, setLevel, type Logger } from './log.js'
import { MemoryWatch } from './memory-watch.js'
import { builtInPlugin } from './plugin-command.js'
import { PluginRuntime } from './plugin-runtime.js'
import { WorkerGroup } from './worker-group.js'

/** All plugins must have ended this long after the host was asked to end; the module allows 2 s. */
const kStopMs = 1500
const kDefaultMaxLanes = 16

/** What the host gets to run, and how the module learns of it. */
export interface Catalogue {
  readonly plugins: readonly HostedPlugin[]
  /** Plugins that are there and cannot be used. */
  readonly problems: readonly PluginProblem[]
  /** There when the module has not read the route table on disk yet, as far as is known. */
  readonly newRoutes?: {
    /** Makes the backup of the table; to be called when the module has read it. */
    keep(): Promise<void>
  }
  /** Something that an operator should know of. */
  readonly warning?: Error
}

export interface SupervisorOptions {
  readonly socketPath: string
  readonly sink: LogSink
  /** Reads what is to be run; called once, when the server's loading has ended. */
  readonly readCatalogue: (folders: { pluginsDir: string; stateDir: string }) => Promise<Catalogue>
}

export class Supervisor {
  /** Fulfilled when the host is to end: why. */
  readonly ended: Promise<string>
  private readonly groups: WorkerGroup[] = []
  private readonly heartbeat = new Heartbeat()
  private readonly memory = new MemoryWatch(() => this.groups)
  private readonly log: Logger
  private readonly runtime: LaneRuntime
  private readonly tick: NodeJS.Timeout
  private unusable: readonly PluginProblem[] = []
  private pluginsStarted = false
  private stopping = false
  private end: (reason: string) => void = () => undefined

  /** Connects the control lane. @throws when that is not possible */
  static async start(options: SupervisorOptions): Promise<Supervisor> {
    const lane = await connectLane({ socketPath: options.socketPath, kind: 'control', label: 'control' })
    const supervisor = new Supervisor(options, lane)
    await supervisor.serve()
    return supervisor
  }

  private constructor(
    private readonly options: SupervisorOptions,
    private readonly lane: Lane,
  ) {
    this.log = createLogger({ name: '', level: this.logLevel, sink: options.sink })
    this.ended = new Promise((resolve) => (this.end = resolve))
    this.runtime = new LaneRuntime(lane, () => this.onServer())
    void lane.closed.then((end) => this.onLaneEnd(end))
    this.tick = setInterval(() => this.onTick(), kBeatMs)
  }

  /** Ends all plugins, within 1.5 s. */
  async stop(reason: string): Promise<void> {
    if (this.stopping) return
    this.stopping = true
    clearInterval(this.tick)
    this.log.info(`ending: ${reason}`)
    const serverStops = this.lane.state.shuttingDown || this.lane.isClosed
    await Promise.all(this.groups.map((group) => group.stop(reason, kStopMs, serverStops)))
    this.lane.close()
  }

  private get logLevel(): string | undefined {
    return this.lane.values['log-level']
  }

  private async serve(): Promise<void> {
    this.lane.start(this.runtime)
    const plugin = builtInPlugin(() => this.groups)
    const builtIn = new PluginRuntime({
      name: plugin.name,
      version: this.lane.values['module-version'] ?? plugin.version,
      plugin,
      log: this.log,
      config: {},
      calls: this.runtime.calls,
      emitter: this.runtime.emitter,
      state: () => this.lane.state,
    })
    const problems = await this.runtime.attach(builtIn)
    for (const { command, problem } of problems) this.log.error(`${command} is not served: ${problem}`)
    this.onServer()
  }

  private onServer(): void {
    setLevel(this.log, this.logLevel)
    const { loading, shuttingDown } = this.lane.state
    if (shuttingDown) this.end('the server shuts down')
    else if (!loading) this.startPlugins()
  }

  private startPlugins(): void {
    if (this.pluginsStarted || this.stopping) return
    this.pluginsStarted = true
    this.loadPlugins().catch((thrown: unknown) => {
      this.log.error({ err: thrown }, 'the plugins cannot be read, none is started')
    })
  }

  private async loadPlugins(): Promise<void> {
    const { values } = this.lane
    const catalogue = await this.options.readCatalogue({
      pluginsDir: values['plugins-dir'] ?? '',
      stateDir: values['state-dir'] ?? '',
    })
    if (catalogue.warning !== undefined) this.log.warn(catalogue.warning.message)
    if (catalogue.newRoutes !== undefined) await this.tellRoutes(catalogue.newRoutes)
    if (this.stopping) return
    this.unusable = catalogue.problems
    for (const { name, error } of catalogue.problems) this.onUnusable(name, error)
    const plans = planWorkers(catalogue.plugins, Math.max(1, this.maxLanes() - 1))
    this.groups.push(...plans.map((plan) => this.groupOf(plan)))
    this.sendStatus()
    for (const group of this.groups) group.start()
  }

  private groupOf(plan: WorkerPlan): WorkerGroup {
    const { socketPath, sink } = this.options
    return new WorkerGroup({
      plan,
      socketPath,
      heartbeat: this.heartbeat,
      sink,
      log: this.log,
      onChange: () => this.sendStatus(),
      onDown: (name, reason) => this.sendDetach(name, reason),
    })
  }

  private onUnusable(name: string, problem: string): void {
    this.log.error({ plugin: name }, `cannot be used: ${problem}`)
    this.sendDetach(name, `plugin ${name} cannot be used: ${problem}`)
  }

  private sendDetach(plugin: string, reason: string): void {
    if (!this.lane.isClosed) this.lane.send({ type: 'DETACH', plugin, reason })
  }

  private async tellRoutes(routes: NonNullable<Catalogue['newRoutes']>): Promise<void> {
    const problems = await this.runtime.readRoutes()
    for (const { command, problem } of problems) {
      this.log.warn(command === '' ? problem : `${command} could not be registered: ${problem}`)
    }
    if (problems.some(({ command }) => command === '')) return // the table itself was refused
    await routes.keep().catch((thrown: unknown) => {
      this.log.info(`the route table has no backup, its folder cannot be written: ${thrownText(thrown)}`)
    })
  }

  /** The module says it as a value, or as `max-lanes=N` among its capabilities. */
  private maxLanes(): number {
    const { values } = this.lane
    const capability = /(?:^|,)max-lanes=(\d+)/.exec(values['capabilities'] ?? '')?.[1]
    const lanes = Number(values['max-lanes'] ?? capability ?? kDefaultMaxLanes)
    return Number.isSafeInteger(lanes) && lanes > 1 ? lanes : kDefaultMaxLanes
  }

  private sendStatus(): void {
    if (this.lane.isClosed) return
    const unusable = this.unusable.map(({ name, error }) => {
      return { plugin: name, version: '', state: 'failed', restarts: 0, reason: error } as const
    })
    const plugins = [...this.groups.flatMap((group) => group.statuses), ...unusable]
    this.lane.send({ type: 'STATUS', plugins })
  }

  private onTick(): void {
    this.heartbeat.tick()
    const problem = this.memory.tick()
    if (problem !== undefined) this.log.warn(problem)
  }

  private onLaneEnd(end: LaneEnd): void {
    if (end.error !== undefined && !this.stopping) this.log.error(`the control lane ended: ${thrownText(end.error)}`)
    this.end('the connection to the server ended')
  }
}
