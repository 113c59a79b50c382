/** Hooks on connections of clients. */

import type { NoticeContext } from './context.js'

/** What may happen to a client's connection. */
export const clientEvents = ['connect', 'disconnect'] as const

export type ClientEventName = (typeof clientEvents)[number]

/** A client that has connected, or whose connection has ended. */
export interface ClientEvent<Name extends ClientEventName = ClientEventName> {
  readonly type: Name
  /** As in CLIENT ID. */
  readonly id: number
  /** As in CLIENT LIST, such as `127.0.0.1:50000` and `[::1]:50000`; `unix` for a unix socket. Null: not known. */
  readonly address: string | null
  readonly tls: boolean
  /** Its database: 0 when it connects. */
  readonly db: number
  /** The ACL user that it was at the end; null when it connects, which is before it logs in. */
  readonly user: string | null
  /** What CLIENT SETNAME gave it, or null. */
  readonly name: string | null
}

/** Which events of clients, and what to do with each. */
export interface ClientHookOptions<Name extends ClientEventName = ClientEventName> {
  /** One or both. */
  readonly events: readonly Name[]
  /** Runs once per event, one after another in the order of the events; a promise is awaited before the next. */
  readonly handler: (ctx: NoticeContext, event: ClientEvent<Name>) => unknown
}

/** @internal */
export class ClientHook {
  constructor(readonly options: ClientHookOptions) {}
}

/**
 * Runs a handler when clients connect and disconnect.
 *
 * @example
 * onClient({ events: ['disconnect'], handler: (ctx, client) => ctx.redis.del(`session:${client.id}`) })
 */
export function onClient<const Name extends ClientEventName>(options: ClientHookOptions<Name>): ClientHook {
  // The events that come are those that are named.
  return new ClientHook(options as unknown as ClientHookOptions)
}
