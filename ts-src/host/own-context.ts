// The `ctx` of what a plugin does on its own: timers, events, setup and teardown.
import type { Event, Invoke } from '../bridge/messages.js'
import type { KeyEventContext, NoticeContext, PluginContext, RawCall, ToldContext } from '../sdk/context.js'
import type { EventPayload } from '../sdk/event-payload.js'
import type { PluginRedis } from '../sdk/redis-types.js'
import type { CallerAccess, PluginBase } from './call-context.js'

export class OwnContext implements PluginContext {
  readonly log: PluginContext['log']
  readonly config: PluginContext['config']

  constructor(
    private readonly base: PluginBase,
    private readonly access: CallerAccess,
    readonly now: number,
    readonly signal: AbortSignal,
    /** Events of plugins that have led to this. */
    private readonly hops = 0,
  ) {
    this.log = base.log
    this.config = base.config
  }

  emit(event: string, payload?: EventPayload): void {
    this.base.emitter.emit(this.base.name, event, payload, this.hops)
  }

  get redis(): PluginRedis {
    return this.access.redis
  }

  get call(): RawCall {
    return this.access.call
  }
}

export class OwnNoticeContext extends OwnContext implements NoticeContext {
  constructor(
    base: PluginBase,
    access: CallerAccess,
    now: number,
    readonly dropped: number,
    signal: AbortSignal,
    hops: number,
  ) {
    super(base, access, now, signal, hops)
  }
}

export class OwnToldContext extends OwnContext implements ToldContext {
  readonly user: string
  readonly clientId: number
  readonly db: number
  readonly resp: 2 | 3

  constructor(
    base: PluginBase,
    access: CallerAccess,
    invoke: Invoke,
    readonly dropped: number,
    signal: AbortSignal,
  ) {
    super(base, access, invoke.now, signal)
    this.user = invoke.user
    this.clientId = Number(invoke.clientId)
    this.db = invoke.db
    this.resp = invoke.resp
  }
}

export class EventContext extends OwnContext implements KeyEventContext {
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
