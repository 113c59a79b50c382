// One plugin that runs on a lane: its contexts, hooks, timers, and its beginning and end.
import type { Invoke, ServerState } from '../bridge/messages.js'
import type { CompiledPlugin, CompiledTimer } from '../sdk/compile.js'
import type { CompiledCommandHook } from '../sdk/compile-command-hook.js'
import type { LifecycleContext, TimerContext } from '../sdk/context.js'
import { CallerAccess, type PluginBase } from './call-context.js'
import { endsWithin } from './deadline.js'
import { HostError, thrownText } from './errors.js'
import type { EventFigures, EventQueue } from './event-queue.js'
import { keyListener, noticeListener, type Listener, type ListenerBase } from './listener.js'
import { OwnContext } from './own-context.js'
import { Timers } from './timers.js'
import { toldQueue } from './told-queue.js'

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
  /** Its hooks on events. */
  readonly listeners: readonly Listener[]
  /** Its after hooks that nobody waits for. */
  readonly toldQueues: ReadonlyMap<CompiledCommandHook, EventQueue<Invoke>>
  private readonly ending = new AbortController()
  private readonly lastWords = new AbortController()
  private stopped: Promise<void> | undefined
  private readonly access: CallerAccess
  private readonly timers: Timers

  constructor(options: PluginRuntimeOptions) {
    const { name, log, config, calls, emitter, plugin, state } = options
    this.name = name
    this.version = options.version
    this.plugin = plugin
    this.base = { name, log, config, calls, emitter }
    this.access = this.accessTo(0)
    const own: ListenerBase = {
      base: this.base,
      accessTo: (db) => this.accessTo(db),
      signal: this.ending.signal,
      lastSignal: this.lastWords.signal,
    }
    this.toldQueues = new Map(
      plugin.commandHooks.flatMap((hook) => (hook.kind === 'after' ? [[hook, toldQueue(hook, own)] as const] : [])),
    )
    this.listeners = [
      ...plugin.keyHooks.map((hook) => keyListener(hook, own)),
      ...plugin.noticeHooks.map((hook) => noticeListener(hook, own)),
    ]
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

  /** By hook. */
  get eventFigures(): Record<string, EventFigures> {
    return Object.fromEntries(this.listeners.map(({ name, queue }) => [name, queue.figures]))
  }

  startTimers(): void {
    this.timers.start()
  }

  /** Ends the plugin: its signal fires, what runs may finish, `teardown()` runs; all within the deadline. Never rejects. */
  stop(deadlineMs = kTeardownMs): Promise<void> {
    return (this.stopped ??= this.end(deadlineMs))
  }

  private async end(deadlineMs: number): Promise<void> {
    const until = Date.now() + deadlineMs
    this.ending.abort(new HostError('FERRITE_REQUEST_CANCELLED', `plugin ${this.name} is to end`))
    const queues = [...this.listeners.map(({ queue }) => queue), ...this.toldQueues.values()]
    for (const queue of queues) queue.clear()
    const running = Promise.all([this.timers.stop(), ...queues.map((queue) => queue.idle)])
    if (!(await endsWithin(running, until - Date.now())))
      this.base.log.warn('timers, events or after hooks were still running at the end')
    this.lastWords.abort(this.ending.signal.reason)
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
