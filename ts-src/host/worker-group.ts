// The plugins of one worker thread over all its lives: started, restarted after crashes, given up.
import type { PluginState, PluginStatus } from '../bridge/messages.js'
import type { EventFigures } from './event-queue.js'
import type { Heartbeat } from './heartbeat.js'
import type { HostedPlugin, WorkerPlan } from './hosted-plugin.js'
import type { LogSink } from './log-lines.js'
import { createLogger, type Logger } from './log.js'
import { PluginWorker, type WorkerMemory } from './plugin-worker.js'
import { kCrashWindowMs, kMostCrashes, RestartPolicy } from './restart-policy.js'
import type { FromWorker } from './worker-messages.js'

export interface WorkerGroupOptions {
  readonly plan: WorkerPlan
  readonly socketPath: string
  readonly heartbeat: Heartbeat
  readonly sink: LogSink
  readonly log: Logger
  /** The state of a plugin has changed. */
  readonly onChange: () => void
  /** The plugin does not serve any more, and why. */
  readonly onDown: (plugin: string, reason: string) => void
}

interface Member {
  readonly plugin: HostedPlugin
  state: PluginState
  reason: string
}

export class WorkerGroup {
  private readonly members: readonly Member[]
  private readonly logs = new Map<string, Logger>()
  private readonly policy = new RestartPolicy()
  private worker: PluginWorker | undefined
  private timer: NodeJS.Timeout | undefined
  private restarts = 0

  constructor(private readonly options: WorkerGroupOptions) {
    this.members = options.plan.plugins.map((plugin) => ({ plugin, state: 'loading', reason: '' }))
  }

  get plan(): WorkerPlan {
    return this.options.plan
  }

  /** What the thread uses; missing while there is none. */
  get memory(): WorkerMemory | undefined {
    return this.worker?.memory
  }

  /** What became of a plugin's events, by hook, as of the last beat. */
  eventFigures(plugin: string): Readonly<Record<string, EventFigures>> {
    return this.worker?.events[plugin] ?? {}
  }

  get threadId(): number | undefined {
    return this.worker?.threadId
  }

  get statuses(): PluginStatus[] {
    return this.members.map(({ plugin, state, reason }) => ({
      plugin: plugin.name,
      version: plugin.version,
      state,
      restarts: this.restarts,
      reason,
    }))
  }

  start(): void {
    const { plan, socketPath, heartbeat, sink } = this.options
    this.set('loading', '')
    this.worker = new PluginWorker({
      start: {
        socketPath,
        label: plan.label,
        plugins: plan.plugins.map(({ name, version, entry, config }) => ({
          name,
          version,
          entry,
          config: config ?? {},
        })),
      },
      limits: plan.limits,
      heartbeat,
      sink,
      logOf: (name) => this.logOf(name),
      onMessage: (message) => this.onMessage(message),
      onEnd: (crash) => this.onEnd(crash),
    })
  }

  /** Ends the thread by force; it is started again as after any crash. */
  kill(reason: string): void {
    this.worker?.kill(reason)
  }

  /** Ends the plugins and the thread. */
  async stop(reason: string, deadlineMs: number, serverStops: boolean): Promise<void> {
    clearTimeout(this.timer)
    this.set('unloading', reason)
    await this.worker?.stop(reason, deadlineMs, serverStops)
  }

  /** Writes whatever comes: the thread sends no entry below the server's level. */
  private logOf(name: string): Logger {
    const known = this.logs.get(name)
    if (known !== undefined) return known
    const log = createLogger({ name, level: 'debug', sink: this.options.sink })
    this.logs.set(name, log)
    return log
  }

  private onMessage(message: Extract<FromWorker, { type: 'active' | 'failed' }>): void {
    const member = this.members.find(({ plugin }) => plugin.name === message.plugin)
    if (member === undefined) return
    if (message.type === 'active') this.onActive(member, message.problems)
    else this.onFailed(member, message.reason)
  }

  private onActive(member: Member, problems: readonly { command: string; problem: string }[]): void {
    const texts = problems.map(({ command, problem }) => `${command} ${problem}`)
    for (const problem of texts) this.options.log.error({ plugin: member.plugin.name }, `not served: ${problem}`)
    member.state = 'active'
    member.reason = texts.join('; ')
    this.options.onChange()
  }

  /** A plugin alone in its thread gets another try with another thread; one of several is given up, the others go on. */
  private onFailed(member: Member, reason: string): void {
    if (this.members.length === 1) return this.kill(reason)
    const { name } = member.plugin
    member.state = 'failed'
    member.reason = `plugin ${name} could not be started: ${reason}`
    this.options.onDown(name, member.reason)
    this.options.onChange()
  }

  private onEnd(crash: string | undefined): void {
    this.worker = undefined
    if (crash === undefined) return
    const next = this.policy.crashed(performance.now())
    if (next === 'give up') return this.giveUp(crash)
    this.restarts++
    const delay = `${next.delayMs / 1000} s`
    this.set('loading', '', (name) => `${this.subject(name)} crashed (${crash}), restarting in ${delay}`)
    this.options.log.error({ plugins: this.names() }, `crashed (${crash}), restarting in ${delay}`)
    this.timer = setTimeout(() => this.start(), next.delayMs)
  }

  private giveUp(crash: string): void {
    const why = `failed: ${kMostCrashes} crashes within ${kCrashWindowMs / 1000} s, the last one: ${crash}`
    this.set('failed', '', (name) => `${this.subject(name)} ${why}`)
    this.options.log.error({ plugins: this.names() }, why)
  }

  /** In a shared thread nobody can know whose fault it was. */
  private subject(name: string): string {
    return this.members.length === 1 ? `plugin ${name}` : `the worker of plugin ${name}`
  }

  private names(): string {
    return this.members.map(({ plugin }) => plugin.name).join(',')
  }

  private set(state: PluginState, reason: string, down?: (name: string) => string): void {
    for (const member of this.members) {
      const { name } = member.plugin
      member.state = state
      member.reason = down?.(name) ?? reason
      if (down !== undefined) this.options.onDown(name, member.reason)
    }
    this.options.onChange()
  }
}
