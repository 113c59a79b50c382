// The `ctx` of commands and of before hooks. One is made per call, so whatever most handlers do not use is made on first
// use.
import type { Argv, CancelReason, Invoke } from '../bridge/messages.js'
import type { CommandContext, HookContext, Logger, RawCall, ServerAccess } from '../sdk/context.js'
import type { EventPayload } from '../sdk/event-payload.js'
import type { PluginCommit, PluginRedis } from '../sdk/redis-types.js'
import type { SettingValues } from '../sdk/setting.js'
import type { Caller, Calls } from './calls.js'
import { CommitQueue, kEnded, kQueued } from './commit-queue.js'
import type { Emitter } from './emitter.js'
import { HostError } from './errors.js'
import { rawCall } from './raw-call.js'
import { RedisClient } from './redis-client.js'

/** What all contexts of a plugin share. */
export interface PluginBase {
  readonly name: string
  readonly log: Logger
  readonly config: SettingValues
  readonly calls: Calls
  readonly emitter: Emitter
}

/** Server access on somebody's behalf; both halves are made on first use. */
export class CallerAccess implements ServerAccess {
  #redis: PluginRedis | undefined
  #call: RawCall | undefined

  constructor(
    private readonly calls: Calls,
    private readonly caller: Caller,
  ) {}

  get redis(): PluginRedis {
    // RedisClient has a method for every command; its type cannot say so.
    return (this.#redis ??= new RedisClient(this.calls, this.caller) as unknown as PluginRedis)
  }

  get call(): RawCall {
    return (this.#call ??= (name, ...args) => rawCall(this.calls, this.caller, name, args))
  }
}

const kNoReads: Record<string, unknown> = Object.freeze({})

/** For the code that runs commands, not for plugins. */
export let commitOf: (ctx: CallContext) => readonly Argv[] | undefined
let queueOf: (ctx: CallContext) => CommitQueue
/** The handler has ended: nothing can be committed any more. */
export let endContext: (ctx: RequestContext) => void
/** The deadline has passed, or nobody waits any more. */
export let isCancelled: (ctx: RequestContext) => boolean
/** Nobody waits for the reply any more: fires the signal, rejects open calls. */
export let cancelContext: (ctx: RequestContext, reason: CancelReason) => void

/** The `ctx` of a before hook. */
export class RequestContext implements HookContext {
  readonly now: number
  readonly db: number
  readonly resp: 2 | 3
  readonly user: string
  readonly #base: PluginBase
  readonly #invoke: Invoke
  #commit: CommitQueue | undefined
  #access: CallerAccess | undefined
  #asPlugin: CallerAccess | undefined
  #open: Set<number> | undefined
  #abort: AbortController | undefined
  #deadline: NodeJS.Timeout | undefined
  #cancelled: HostError | undefined

  constructor(base: PluginBase, invoke: Invoke) {
    this.#base = base
    this.#invoke = invoke
    this.now = invoke.now
    this.db = invoke.db
    this.resp = invoke.resp
    this.user = invoke.user
  }

  static {
    commitOf = (ctx) => ctx.#commit?.[kQueued]
    queueOf = (ctx) => (ctx.#commit ??= new CommitQueue())
    endContext = (ctx) => ctx.#end()
    isCancelled = (ctx) => ctx.#cancelled !== undefined
    cancelContext = (ctx, reason) => ctx.#cancel(reason)
  }

  get log(): Logger {
    return this.#base.log
  }

  get config(): SettingValues {
    return this.#base.config
  }

  emit(event: string, payload?: EventPayload): void {
    this.#base.emitter.emit(this.#base.name, event, payload, 0)
  }

  get clientId(): number {
    return Number(this.#invoke.clientId)
  }

  get redis(): PluginRedis {
    return (this.#access ??= this.#accessAs(false)).redis
  }

  get call(): RawCall {
    return (this.#access ??= this.#accessAs(false)).call
  }

  get asPlugin(): ServerAccess {
    return (this.#asPlugin ??= this.#accessAs(true))
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#cancelled !== undefined) this.#abort.abort(this.#cancelled)
      else this.#startDeadline()
    }
    return this.#abort.signal
  }

  #accessAs(asPlugin: boolean): CallerAccess {
    const { id, db } = this.#invoke
    const open = (this.#open ??= new Set())
    return new CallerAccess(this.#base.calls, { plugin: this.#base.name, requestId: id, db, asPlugin, open })
  }

  #startDeadline(): void {
    const { now, timeoutMs } = this.#invoke
    if (timeoutMs === 0) return
    const left = Math.min(timeoutMs, Math.max(0, now + timeoutMs - Date.now()))
    this.#deadline = setTimeout(() => this.#cancel('timeout'), left)
    this.#deadline.unref()
  }

  #cancel(reason: CancelReason): void {
    clearTimeout(this.#deadline)
    if (this.#cancelled !== undefined) return
    this.#cancelled = new HostError('FERRITE_REQUEST_CANCELLED', `nobody waits for this reply any more: ${reason}`)
    this.#abort?.abort(this.#cancelled)
    if (this.#open === undefined || this.#open.size === 0) return
    const error = new HostError('FERRITE_CALL_CANCELLED', `the request that made this call has ended: ${reason}`)
    this.#base.calls.cancel(this.#open, error)
  }

  #end(): void {
    if (this.#commit !== undefined) this.#commit[kEnded] = true
    if (this.#deadline !== undefined) clearTimeout(this.#deadline)
  }
}

/** The `ctx` of a command. */
export class CallContext extends RequestContext implements CommandContext {
  reads: unknown = kNoReads

  get commit(): PluginCommit {
    // CommitQueue has a method for every command; its type cannot say so.
    return queueOf(this) as unknown as PluginCommit
  }
}
