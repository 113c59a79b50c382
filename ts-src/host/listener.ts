// A hook on events, as its plugin runs: what it subscribes to, and the queue of what comes.
import { SubscriptionFlag, type Event, type Notice, type Subscription } from '../bridge/messages.js'
import type { CompiledKeyHook } from '../sdk/compile.js'
import type { CompiledNoticeHook } from '../sdk/compile-notice-hook.js'
import type { CallerAccess, PluginBase } from './call-context.js'
import { EventQueue, kMostWaitingEvents } from './event-queue.js'
import { hopsOf, noticeEvent } from './notice-event.js'
import { EventContext, OwnNoticeContext } from './own-context.js'

export interface Listener {
  /** The hook's. */
  readonly name: string
  readonly subscription: Omit<Subscription, 'id'>
  /** The module sends what was subscribed: events of keys to hooks on keys, notices to the others. */
  readonly queue: EventQueue<Event | Notice>
}

/** What the plugin gives its listeners. */
export interface ListenerBase {
  readonly base: PluginBase
  readonly accessTo: (db: number) => CallerAccess
  readonly signal: AbortSignal
  /** The signal of the plugin's last words: fires when their time is over. */
  readonly lastSignal: AbortSignal
}

export function keyListener(hook: CompiledKeyHook, own: ListenerBase): Listener {
  return {
    name: hook.name,
    subscription: {
      kind: 'keys',
      flags:
        (hook.ownWrites ? SubscriptionFlag.ownWrites : 0) |
        (hook.onReplica ? SubscriptionFlag.onReplica : 0) |
        (hook.oldValue ? SubscriptionFlag.oldValue : 0),
      events: hook.events,
      keys: hook.keys,
    },
    queue: new EventQueue(
      (event, dropped) =>
        event.type === 'EVENT' &&
        hook.handler(new EventContext(own.base, own.accessTo(event.db), event, dropped, own.signal)),
      (thrown, { event }) => own.base.log.error({ hook: hook.name, event, err: thrown }, 'a key event hook failed'),
    ),
  }
}

export function noticeListener(hook: CompiledNoticeHook, own: ListenerBase): Listener {
  return {
    name: hook.name,
    subscription: {
      kind: hook.kind,
      flags: hook.ownEvents ? SubscriptionFlag.ownWrites : 0,
      events: hook.events,
      keys: [],
    },
    queue: new EventQueue(
      (notice, dropped) => notice.type === 'NOTICE' && runNoticeHook(hook, own, notice, dropped),
      (thrown, { event }) => own.base.log.error({ hook: hook.name, event, err: thrown }, 'an event hook failed'),
      kMostWaitingEvents,
      isShutdown,
    ),
  }
}

function runNoticeHook(hook: CompiledNoticeHook, own: ListenerBase, notice: Notice, dropped: number): unknown {
  const signal = isShutdown(notice) ? own.lastSignal : own.signal
  const ctx = new OwnNoticeContext(own.base, own.accessTo(0), notice.now, dropped, signal, hopsOf(notice))
  return hook.handler(ctx, noticeEvent(notice) as never) // of the hook's kind
}

/** There is no later for it. */
function isShutdown(event: Event | Notice): boolean {
  return event.type === 'NOTICE' && event.kind === 'server' && event.event === 'shutdown'
}
