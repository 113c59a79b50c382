/** Hooks on what happens to the server. */

import type { NoticeContext } from './context.js'

/** A server and where its data come from. */
export interface ServerRole {
  readonly role: 'primary' | 'replica'
  /** Of a replica: the primary. */
  readonly primary: { readonly host: string; readonly port: number } | null
}

/** The plugin serves, on a server that has its data: told first of all, once `setup` is done. */
export interface StartupEvent extends ServerRole {
  readonly type: 'startup'
  /**
   * The server runs on and has told the plugin before: its worker or the host was started again, or it was loaded anew.
   */
  readonly restarted: boolean
}

/** The server stops, and answers no calls any more. Told before `teardown` runs, which shares its second with it. */
export interface ShutdownEvent {
  readonly type: 'shutdown'
}

/** The server has become a primary or a replica, or a replica of another primary. */
export interface RoleChangeEvent extends ServerRole {
  readonly type: 'role-change'
}

/** A replica's link to its primary is up or down; to a primary: a replica is in sync, or has gone. */
export interface ReplicationSyncEvent {
  readonly type: 'replication-sync'
  readonly change: 'link-up' | 'link-down' | 'replica-online' | 'replica-offline'
  /** Of `link-up`: whether all of the data were loaded, or what had been missed alone. */
  readonly sync: 'full' | 'partial' | null
}

/** The server loads data: a primary's, or its own file once more. */
export interface LoadingEvent {
  readonly type: 'loading'
  readonly phase: 'start' | 'end' | 'failed'
  readonly source: 'rdb' | 'aof' | 'replication'
}

/** A database, or all of them, has been emptied. */
export interface FlushEvent {
  readonly type: 'flush'
  /** Null: all of them. */
  readonly db: number | null
}

/** Two databases have changed places. */
export interface SwapDbEvent {
  readonly type: 'swapdb'
  readonly dbs: readonly [number, number]
}

/** CONFIG SET has changed something. */
export interface ConfigChangeEvent {
  readonly type: 'config-change'
  /** The names of the settings; `ctx.redis.config('GET', …)` needs the right to it. */
  readonly names: readonly string[]
}

/** What may happen to the server. */
export type ServerEvent =
  | StartupEvent
  | ShutdownEvent
  | RoleChangeEvent
  | ReplicationSyncEvent
  | LoadingEvent
  | FlushEvent
  | SwapDbEvent
  | ConfigChangeEvent

export type ServerEventName = ServerEvent['type']

/** The names of all, each once. */
export const serverEvents = [
  'startup',
  'shutdown',
  'role-change',
  'replication-sync',
  'loading',
  'flush',
  'swapdb',
  'config-change',
] as const satisfies readonly ServerEventName[]

/** Which events of the server, and what to do with each. */
export interface ServerHookOptions<Name extends ServerEventName = ServerEventName> {
  /** One or several. */
  readonly events: readonly Name[]
  /** Runs once per event, one after another in the order of the events; a promise is awaited before the next. */
  readonly handler: (ctx: NoticeContext, event: Extract<ServerEvent, { readonly type: Name }>) => unknown
}

/** @internal */
export class ServerHook {
  constructor(readonly options: ServerHookOptions) {}
}

/**
 * Runs a handler when something happens to the server.
 *
 * @example
 * onServer({ events: ['role-change'], handler: (ctx, { role }) => ctx.log.warn(`this is a ${role} now`) })
 */
export function onServer<const Name extends ServerEventName>(options: ServerHookOptions<Name>): ServerHook {
  // The events that come are those that are named.
  return new ServerHook(options as unknown as ServerHookOptions)
}
