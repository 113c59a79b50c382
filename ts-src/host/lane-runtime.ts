// What a thread of the host does with a lane: its plugins' commands, hooks, events and calls.
import type { Lane, LaneHandler } from '../bridge/lane.js'
import type { CommandProblem, Event, Invoke, Notice } from '../bridge/messages.js'
import type { CompiledCommandHook } from '../sdk/compile-command-hook.js'
import { servedName } from '../plugin/hook-route.js'
import { Calls } from './calls.js'
import { CommandRunner } from './command-runner.js'
import { Emitter } from './emitter.js'
import { HostError } from './errors.js'
import type { EventQueue } from './event-queue.js'
import type { Listener } from './listener.js'
import type { PluginRuntime } from './plugin-runtime.js'

type Problems = readonly CommandProblem[]
type Message = Parameters<LaneHandler['onMessage']>[0]

interface Waiting {
  readonly resolve: (problems: Problems) => void
  readonly reject: (error: Error) => void
}

export class LaneRuntime implements LaneHandler {
  readonly calls: Calls
  readonly emitter: Emitter
  private readonly runner: CommandRunner
  /** By the ids of their subscriptions. */
  private readonly listeners = new Map<number, { plugin: PluginRuntime; queue: Listener['queue'] }>()
  private readonly waiting = new Map<number, Waiting>()
  private lastId = 0
  private lastSubscription = 0

  constructor(
    private readonly lane: Lane,
    /** Told when the server's state or settings have changed. */
    private readonly onServer: () => void = () => undefined,
  ) {
    this.calls = new Calls(lane)
    this.emitter = new Emitter(lane)
    this.runner = new CommandRunner(lane)
    void lane.closed.then(() => this.end())
  }

  /** Requests whose handlers have not answered yet. */
  get inFlight(): number {
    return this.runner.inFlight
  }

  /** Serves a plugin's commands and hooks from now on; gives what the module did not take. */
  attach(plugin: PluginRuntime): Promise<Problems> {
    const commands = [
      ...plugin.plugin.commands.map((command) => ({
        name: command.name,
        code: this.runner.add(plugin.base, command),
      })),
      ...plugin.plugin.commandHooks.map((hook) => ({
        name: servedName(plugin.name, hook.name),
        code: this.addHook(plugin, hook),
      })),
    ]
    const subscriptions = plugin.listeners.map(({ subscription, queue }) => {
      const id = ++this.lastSubscription
      this.listeners.set(id, { plugin, queue })
      return { id, ...subscription }
    })
    const { name, version } = plugin
    return this.ask((id) => this.lane.send({ type: 'ATTACH', id, plugin: name, version, commands, subscriptions }))
  }

  /** Ends the service of a plugin: its commands answer `-UNAVAILABLE <reason>`. Requests that run may still answer. */
  detach(plugin: PluginRuntime, reason: string): void {
    this.lane.send({ type: 'DETACH', plugin: plugin.name, reason })
    this.runner.remove(plugin.base)
    for (const [id, one] of this.listeners) if (one.plugin === plugin) this.listeners.delete(id)
  }

  /** Has the module read the route table again; gives what it could not register. */
  readRoutes(): Promise<Problems> {
    return this.ask((id) => this.lane.send({ type: 'ROUTES', id }))
  }

  onInvoke(invoke: Invoke): void {
    this.runner.onInvoke(invoke)
  }

  onMessage(message: Message): void {
    switch (message.type) {
      case 'CALL_RESULT':
        return this.calls.onResult(message)
      case 'EVENT':
      case 'NOTICE':
        return this.onEvent(message)
      case 'CANCEL':
        return this.runner.onCancel(message.id, message.reason)
      case 'GAP':
        return this.onGap(Number(message.dropped))
      case 'STATE':
      case 'SETTINGS':
        return this.onServer()
      case 'ATTACHED':
      case 'ROUTES_READ':
        return this.onAnswer(Number(message.id), message.problems)
    }
  }

  private onEvent(event: Event | Notice): void {
    for (const id of event.subscriptions) this.listeners.get(id)?.queue.push(event)
  }

  private addHook(plugin: PluginRuntime, hook: CompiledCommandHook): number {
    if (hook.kind !== 'after') return this.runner.addHook(plugin.base, hook)
    return this.runner.addTold(plugin.base, plugin.toldQueues.get(hook) as EventQueue<Invoke>) // has all of its own
  }

  /** Nobody knows whose events were lost: every hook of the lane is told. */
  private onGap(dropped: number): void {
    const told = new Set<PluginRuntime>()
    for (const { plugin, queue } of this.listeners.values()) {
      queue.addDropped(dropped)
      if (!told.has(plugin)) plugin.base.log.warn({ dropped }, 'events were dropped: the plugin was too slow')
      told.add(plugin)
    }
  }

  private ask(send: (id: number) => void): Promise<Problems> {
    return new Promise((resolve, reject) => {
      const id = ++this.lastId
      this.waiting.set(id, { resolve, reject })
      send(id)
    })
  }

  private onAnswer(id: number, problems: Problems): void {
    this.waiting.get(id)?.resolve(problems)
    this.waiting.delete(id)
  }

  private end(): void {
    this.calls.end()
    const error = new HostError('FERRITE_LANE_CLOSED', 'the connection to the server has ended')
    for (const { reject } of this.waiting.values()) reject(error)
    this.waiting.clear()
  }
}
