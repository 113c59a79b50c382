/** Hooks on events that plugins and clients emit. */

import type { NoticeContext } from './context.js'
import type { EventPayload } from './event-payload.js'

/** Who has emitted an event. */
export interface EmittedEvent {
  readonly name: string
  /** The plugin; null when a client did, by FERRITE.EMIT. */
  readonly plugin: string | null
  /** The client, as in CLIENT ID, or null; of a script it is no client's. */
  readonly clientId: number | null
  /** The client's ACL user, or null. */
  readonly user: string | null
  /** Events of plugins that have led to it, itself among them; 0 of a client's. */
  readonly hops: number
}

/** Which events, and what to do with each. */
export interface EmittedHookOptions {
  /** A name, or several. */
  readonly event: string | readonly string[]
  /** Also those that this plugin emits. @default false */
  readonly ownEvents?: boolean
  /**
   * Runs once per event, one after another in the order of the events; a promise is awaited before the next. The payload
   * is what `ctx.emit` was given; of a client it is a string. Nobody has checked it.
   */
  readonly handler: (ctx: NoticeContext, payload: EventPayload, event: EmittedEvent) => unknown
}

/** @internal */
export class EmittedHook {
  constructor(readonly options: EmittedHookOptions) {}
}

/**
 * Runs a handler when another plugin of this server, or a client, emits an event.
 *
 * @example
 * on({ event: 'order.paid', handler: (ctx, payload) => ctx.log.info({ payload }, 'paid') })
 */
export function on(options: EmittedHookOptions): EmittedHook {
  return new EmittedHook(options)
}
