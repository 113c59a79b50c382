/** What may stand in `hooks`; of it, what runs without a client asking: key events and timers. */

import type { AfterHook } from './after.js'
import type { BeforeHook } from './before.js'
import type { KeyEventContext, TimerContext } from './context.js'
import type { Duration } from './duration.js'
import type { EmittedHook } from './on.js'
import type { ClientHook } from './on-client.js'
import type { ServerHook } from './on-server.js'

/** Names of key events. Others, of modules or later servers, are accepted too. */
export type KeyEventName =
  | 'append'
  | 'copy_to'
  | 'decrby'
  | 'del'
  | 'evicted'
  | 'expire'
  | 'expired'
  | 'getdel'
  | 'hdel'
  | 'hexpire'
  | 'hexpired'
  | 'hincrby'
  | 'hset'
  | 'incrby'
  | 'incrbyfloat'
  | 'keyhit'
  | 'keymiss'
  | 'linsert'
  | 'lpop'
  | 'lpush'
  | 'lrem'
  | 'lset'
  | 'ltrim'
  | 'move_from'
  | 'move_to'
  | 'new'
  | 'overwritten'
  | 'persist'
  | 'rename_from'
  | 'rename_to'
  | 'restore'
  | 'rpop'
  | 'rpush'
  | 'sadd'
  | 'set'
  | 'setbit'
  | 'setrange'
  | 'sinterstore'
  | 'spop'
  | 'srem'
  | 'type_changed'
  | 'unlink'
  | 'xadd'
  | 'xdel'
  | 'xtrim'
  | 'zadd'
  | 'zincr'
  | 'zrem'
  | (string & Record<never, never>)

/** Which key events, and what to do with each. */
export interface KeyHookOptions {
  /** Glob of the keys (as in KEYS), or several. @default all keys that the plugin's permissions cover */
  readonly key?: string | readonly string[]
  /**
   * Names of events. `keyhit`, `keymiss`, `new`, `overwritten` and `type_changed` (Redis 8.2) come with reads and with
   * other events: they must be named.
   *
   * @default all but those five
   */
  readonly events?: readonly KeyEventName[]
  /** Events of the plugin's own writes too. @default false */
  readonly ownWrites?: boolean
  /** On replicas too. @default false */
  readonly onReplica?: boolean
  /**
   * Fills `ctx.old` when a value was deleted, overwritten, expired or evicted (Redis 7.2, Valkey 7.2). Costs a little at
   * each such event of any key. @default false
   */
  readonly oldValue?: boolean
  /** Runs once per event, one after another in the order of the events; a promise is awaited before the next. */
  readonly handler: (ctx: KeyEventContext) => unknown
}

/** @internal */
export class KeyHook {
  constructor(readonly options: KeyHookOptions) {}
}

/** What timers take besides the time. */
export interface TimerOptions {
  /** On replicas too. @default false */
  readonly onReplica?: boolean
}

/** What `cron` takes besides the pattern. */
export interface CronOptions extends TimerOptions {
  /** An IANA name such as `Europe/Berlin`. @default the host's time zone */
  readonly timezone?: string
}

/** What a timer runs. It is not started again while its promise is pending. */
export type TimerHandler = (ctx: TimerContext) => unknown

/** @internal */
export class TimerHook {
  constructor(
    readonly kind: 'every' | 'cron',
    readonly when: string | number,
    readonly handler: TimerHandler,
    readonly options: CronOptions,
  ) {}
}

/** What may stand in `hooks`. */
export type Hook = AfterHook | BeforeHook | ClientHook | EmittedHook | KeyHook | ServerHook | TimerHook

/**
 * Runs a handler when keys change, expire or are evicted.
 *
 * @example
 * onKey({ key: 'user:*', events: ['expired'], handler: (ctx) => ctx.redis.incr('gone') })
 */
export function onKey(options: KeyHookOptions): KeyHook {
  return new KeyHook(options)
}

/**
 * Runs a handler again and again, the first time after the interval, on the primary unless `onReplica` is set.
 *
 * @param interval 10 ms to 24 days
 * @example
 * every('1m', async (ctx) => ctx.log.info({ gone: await ctx.redis.get('gone') }))
 */
export function every(interval: Duration, handler: TimerHandler, options: TimerOptions = {}): TimerHook {
  return new TimerHook('every', interval, handler, options)
}

/**
 * Runs a handler at times of the clock.
 *
 * @param pattern five fields (minute, hour, day, month, weekday), or six with seconds in front
 * @example
 * cron('0 3 * * *', (ctx) => ctx.redis.del('yesterday'))
 */
export function cron(pattern: string, handler: TimerHandler, options: CronOptions = {}): TimerHook {
  return new TimerHook('cron', pattern, handler, options)
}
