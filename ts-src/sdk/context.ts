/** What handlers get as `ctx`. The host makes these objects; this file says what they promise. */

import type { RespValue } from '../bridge/resp-value.js'
import type { EventPayload } from './event-payload.js'
import type { PluginCommit, PluginRedis } from './redis-types.js'
import type { SettingValues } from './setting.js'

/** Writes one line to the server's log, with the plugin's name. */
export interface LogMethod {
  (text: string): void
  /** Fields, and what happened. An `err` field gets its stack written. */
  (fields: object, text?: string): void
}

/** The plugin's log. Entries below the server's `ferrite.log-level` cost next to nothing. */
export interface Logger {
  readonly debug: LogMethod
  readonly info: LogMethod
  readonly warn: LogMethod
  readonly error: LogMethod
}

/** One server command, any bytes, with its RESP3 reply: Buffers for strings. Rejects with a PluginError on an error reply. */
export type RawCall = (command: string, ...args: readonly (string | number | Buffer)[]) => Promise<RespValue>

/** The server, as somebody. */
export interface ServerAccess {
  /** Server commands with the names and types of ioredis. */
  readonly redis: PluginRedis
  /** Server commands, raw. */
  readonly call: RawCall
}

/** What every handler has. `redis` and `call` act as the plugin itself, unless the context says otherwise. */
export interface PluginContext extends ServerAccess {
  readonly log: Logger
  /**
   * Tells the other plugins of this server that listen (`on`) of an event, at once: also when the handler fails
   * afterwards, and again when it runs again (`retryOnChange`).
   *
   * @param event a letter, then at most 63 letters, digits, `.`, `_`, `:` and `-`
   * @param payload a JSON value, a Buffer, or nothing; at most 1 MiB
   * @throws TypeError, RangeError when it cannot be sent; PluginError `LOOP` when 8 events have led to it
   */
  emit(event: string, payload?: EventPayload): void
  /** The plugin's settings; `settings(…).of(ctx)` gives them their types. */
  readonly config: SettingValues
}

/** The context of `setup` and `teardown`. */
export interface LifecycleContext extends PluginContext {
  readonly plugin: { readonly name: string; readonly version: string }
  /** Fires when the plugin is to end. */
  readonly signal: AbortSignal
}

/**
 * The context of a hook that a client waits for, and what a command has of it. `redis` and `call` act as the client's user, in its
 * database.
 */
export interface HookContext extends PluginContext {
  /** The server's time in milliseconds since 1970. The same all through a call. */
  readonly now: number
  /** Fires when the client has gone or the deadline has passed. */
  readonly signal: AbortSignal
  /** The client's ACL user. */
  readonly user: string
  /** As in CLIENT ID; of scripts and of calls of other modules it is no client's. */
  readonly clientId: number
  /** The client's database. */
  readonly db: number
  /** The protocol that the client speaks. */
  readonly resp: 2 | 3
  /** The server with the plugin's own rights instead of the client's. */
  readonly asPlugin: ServerAccess
}

/** The context of an after hook that nobody waits for. `redis` and `call` act as the plugin itself. */
export interface ToldContext extends PluginContext {
  /** The server's time in milliseconds since 1970, just after the command. */
  readonly now: number
  /** The client's ACL user. */
  readonly user: string
  /** As in CLIENT ID; of scripts it is no client's. */
  readonly clientId: number
  /** The client's database. */
  readonly db: number
  /** The protocol that the client speaks. */
  readonly resp: 2 | 3
  /** Commands that the hook was not told of just before this one: the plugin was too slow, or not there. */
  readonly dropped: number
  /** Fires when the plugin is to end. */
  readonly signal: AbortSignal
}

/** The context of a command. */
export interface CommandContext<Reads = unknown> extends HookContext {
  /** The declared reads, as they were just before the handler ran. */
  readonly reads: Reads
  /** Writes that are done together with the reply, atomically. They act as the caller, as `redis` and `call` do. */
  readonly commit: PluginCommit
}

/** Who caused a key event: a client, a plugin, expiry, eviction. */
export type EventOrigin = 'client' | 'plugin' | 'expire' | 'evict' | 'unknown'

/** Types of value that a server tells of the old value of a key. */
export type ValueType = 'string' | 'list' | 'set' | 'zset' | 'hash' | 'stream' | 'module'

/** The context of a key event. */
export interface KeyEventContext extends PluginContext {
  /** `set`, `del`, `expired`, … */
  readonly event: string
  /** The key as text; bytes that are not UTF-8 become U+FFFD. */
  readonly key: string
  readonly keyBuffer: Buffer
  readonly db: number
  /** The server's time of the event in milliseconds since 1970. */
  readonly now: number
  readonly origin: EventOrigin
  /** The value that was overwritten, deleted, expired or evicted, where the server tells: Redis and Valkey ≥ 7.2. */
  readonly old: { readonly type: ValueType; readonly length: number } | null
  /** Events that were dropped just before this one, because the plugin was too slow. */
  readonly dropped: number
  /** Fires when the plugin is to end. */
  readonly signal: AbortSignal
}

/** The context of a hook on events of clients, of the server and of plugins. */
export interface NoticeContext extends PluginContext {
  /** The server's time of the event in milliseconds since 1970. */
  readonly now: number
  /** Events that were dropped just before this one, because the plugin was too slow. */
  readonly dropped: number
  /** Fires when the plugin is to end. */
  readonly signal: AbortSignal
}

/** The context of a timer. */
export interface TimerContext extends PluginContext {
  /** The time in milliseconds since 1970. */
  readonly now: number
  /** Fires when the plugin is to end. */
  readonly signal: AbortSignal
}
