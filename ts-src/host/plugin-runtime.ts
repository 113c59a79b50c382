// One plugin that runs on a lane: its contexts, hooks, timers, and its beginning and end.
import { SubscriptionFlag, type Event, type ServerState, type Subscription } from '../bridge/messages.js'
import type { CompiledKeyHook, CompiledPlugin, CompiledTimer } from '../sdk/compile.js'
import type { KeyEventContext, LifecycleContext, PluginContext, RawCall, TimerContext } from '../sdk/context.js'
import type { PluginRedis } from '../sdk/redis-types.js'
import { CallerAccess, type PluginBase } from './call-context.js'
import { endsWithin } from './deadline.js'
import { HostError, thrownText } from './errors.js'
import { EventQueue } from './event-queue.js'
import { Timers } from './timers.js'

export interface PluginRuntimeOptions extends PluginBase {
  readonly version: string
  readonly plugin: CompiledPlugin
  readonly state: () => ServerState
}

/** Until then `setup()` must have ended. */
export const kSetupMs = 30_000
/** What is left to handlers, timers and `teardown()` together when a plugin ends. */
export const kTeardownMs = 2000

export class PluginRuntime {
  readonly name: string
  readonly version: string
  readonly plugin: CompiledPlugin
  /** What the contexts of the plugin's commands share. */
  readonly base: PluginBase
  private readonly ending = new AbortController()
  private stopped: Promise<void> | undefined
  private readonly access: CallerAccess
  private readonly timers: Timers
  private readonly queues: readonly EventQueue[]

  constructor(options: PluginRuntimeOptions) {
    const { name, log, config, calls, plugin, state } = options
    this.name = name
    this.version = options.version
    this.plugin = plugin
    this.base = { name, log, config, calls }
    this.access = this.accessTo(0)
    this.queues = plugin.keyHooks.map((hook) => this.queueOf(hook))
    this.timers = new Timers({
      timers: plugin.timers,
      state,
      run: (timer) => timer.handler(this.timerContext()),
      onError: (thrown, timer) => this.onTimerError(thrown, timer),
    })
  }

  /**
   * Runs the plugin's `setup()`.
   *
   * @throws HostError FERRITE_PLUGIN_SETUP when it throws or takes more than 30 s
   */
  async setup(): Promise<void> {
    const { setup } = this.plugin
    if (setup === undefined) return
    let inTime: boolean
    try {
      inTime = await endsWithin(Promise.resolve(setup(this.lifecycleContext())), kSetupMs)
    } catch (thrown) {
      throw new HostError('FERRITE_PLUGIN_SETUP', `setup() failed: ${thrownText(thrown)}`, { cause: thrown })
    }
    if (!inTime) throw new HostError('FERRITE_PLUGIN_SETUP', `setup() had not ended after ${kSetupMs / 1000} s`)
  }

  startTimers(): void {
    this.timers.start()
  }

  /** What the module is to send; `firstId` numbers the subscriptions, which are unique in a lane. */
  subscriptions(firstId: number): Subscription[] {
    return this.plugin.keyHooks.map((hook, index) => ({
      id: firstId + index,
      flags:
        (hook.ownWrites ? SubscriptionFlag.ownWrites : 0) |
        (hook.onReplica ? SubscriptionFlag.onReplica : 0) |
        (hook.oldValue ? SubscriptionFlag.oldValue : 0),
      events: hook.events,
      keys: hook.keys,
    }))
  }

  /** The queue of a hook, counted as in `subscriptions`. */
  queue(index: number): EventQueue | undefined {
    return this.queues[index]
  }

  /** Ends the plugin: its signal fires, what runs may finish, `teardown()` runs; all within the deadline. Never rejects. */
  stop(deadlineMs = kTeardownMs): Promise<void> {
    return (this.stopped ??= this.end(deadlineMs))
  }

  private async end(deadlineMs: number): Promise<void> {
    const until = Date.now() + deadlineMs
    this.ending.abort(new HostError('FERRITE_REQUEST_CANCELLED', `plugin ${this.name} is to end`))
    for (const queue of this.queues) queue.clear()
    const running = Promise.all([this.timers.stop(), ...this.queues.map((queue) => queue.idle)])
    if (!(await endsWithin(running, until - Date.now())))
      this.base.log.warn('timers or key events were still running at the end')
    await this.teardown(until)
  }

  private async teardown(until: number): Promise<void> {
    const { teardown } = this.plugin
    if (teardown === undefined) return
    try {
      const inTime = await endsWithin(Promise.resolve(teardown(this.lifecycleContext())), until - Date.now())
      if (!inTime) this.base.log.warn({ code: 'FERRITE_PLUGIN_TEARDOWN' }, 'teardown() had not ended in time')
    } catch (thrown) {
      this.base.log.error({ code: 'FERRITE_PLUGIN_TEARDOWN', err: thrown }, 'teardown() failed')
    }
  }

  private queueOf(hook: CompiledKeyHook): EventQueue {
    return new EventQueue(
      (event, dropped) =>
        hook.handler(new EventContext(this.base, this.accessTo(event.db), event, dropped, this.ending.signal)),
      (thrown, event) =>
        this.base.log.error({ hook: hook.name, event: event.event, err: thrown }, 'a key event hook failed'),
    )
  }

  private onTimerError(thrown: unknown, timer: CompiledTimer): void {
    this.base.log.error({ timer: timer.name, err: thrown }, 'a timer failed')
  }

  private accessTo(db: number): CallerAccess {
    return new CallerAccess(this.base.calls, { plugin: this.name, requestId: 0, db, asPlugin: false })
  }

  private timerContext(): TimerContext {
    return new OwnContext(this.base, this.access, Date.now(), this.ending.signal)
  }

  private lifecycleContext(): LifecycleContext {
    const context = new OwnContext(this.base, this.access, Date.now(), this.ending.signal)
    return Object.assign(context, { plugin: { name: this.name, version: this.version } })
  }
}

/** The context of what the plugin does on its own. */
class OwnContext implements PluginContext {
  readonly log: PluginContext['log']
  readonly config: PluginContext['config']

  constructor(
    base: PluginBase,
    private readonly access: CallerAccess,
    readonly now: number,
    readonly signal: AbortSignal,
  ) {
    this.log = base.log
    this.config = base.config
  }

  get redis(): PluginRedis {
    return this.access.redis
  }

  get call(): RawCall {
    return this.access.call
  }
}

class EventContext extends OwnContext implements KeyEventContext {
  readonly event: string
  readonly keyBuffer: Buffer
  readonly db: number
  readonly origin: KeyEventContext['origin']
  readonly old: KeyEventContext['old']

  constructor(
    base: PluginBase,
    access: CallerAccess,
    event: Event,
    readonly dropped: number,
    signal: AbortSignal,
  ) {
    super(base, access, event.now, signal)
    this.event = event.event
    this.keyBuffer = event.key
    this.db = event.db
    this.origin = event.origin
    this.old = event.oldType === 'unknown' ? null : { type: event.oldType, length: event.oldLength }
  }

  get key(): string {
    return this.keyBuffer.toString()
  }
}
