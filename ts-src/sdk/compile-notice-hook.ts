/** From an `on()`, `onClient()` or `onServer()` of the definition to what the host runs. */

import type { NoticeHookKind } from '../plugin/notice-hook.js'
import { checkFunction, checkKeys, checkWord, fail } from './check.js'
import type { NoticeContext } from './context.js'
import { eventNamePattern, type EventPayload } from './event-payload.js'
import type { EmittedEvent, EmittedHook } from './on.js'
import { clientEvents, ClientHook } from './on-client.js'
import { serverEvents, type ServerHook } from './on-server.js'

/** An event of plugins, as it comes. */
export interface Emitted {
  readonly payload: EventPayload
  readonly event: EmittedEvent
}

/** A hook on events that are not of keys, ready to run. */
export interface CompiledNoticeHook {
  readonly name: string
  readonly kind: NoticeHookKind
  readonly events: readonly string[]
  /** Events of plugins: also the plugin's own. */
  readonly ownEvents: boolean
  /** The event is what `noticeEvent` makes of it. */
  readonly handler: (ctx: NoticeContext, event: never) => unknown
}

function eventsOf<const Name extends string>(path: string, given: unknown, known: readonly Name[]): readonly Name[] {
  if (!Array.isArray(given) || given.length === 0) {
    return fail(path, `must be a list of ${known.map((name) => `'${name}'`).join(', ')}, got ${JSON.stringify(given)}`)
  }
  return [...new Set(given.map((event) => checkWord(path, event, known)))]
}

/** @throws PluginDefinitionError that names the place */
export function compileNoticeHook(name: string, path: string, hook: ClientHook | ServerHook): CompiledNoticeHook {
  const { options } = hook
  checkKeys(path, options, ['events', 'handler'])
  checkFunction(`${path}.handler`, options.handler)
  const [kind, known] =
    hook instanceof ClientHook ? (['clients', clientEvents] as const) : (['server', serverEvents] as const)
  return {
    name,
    kind,
    events: eventsOf(`${path}.events`, options.events, known),
    ownEvents: false,
    handler: options.handler,
  }
}

/** @throws PluginDefinitionError that names the place */
export function compileEmittedHook(name: string, path: string, { options }: EmittedHook): CompiledNoticeHook {
  checkKeys(path, options, ['event', 'ownEvents', 'handler'])
  checkFunction(`${path}.handler`, options.handler)
  const { event, ownEvents = false, handler } = options
  const events: readonly unknown[] = Array.isArray(event) ? event : [event]
  if (events.length === 0) fail(`${path}.event`, 'must be the name of an event, or several')
  return {
    name,
    kind: 'plugins',
    events: [...new Set(events.map((each) => checkEventName(`${path}.event`, each)))],
    ownEvents,
    handler: (ctx, { payload, event: emitted }: Emitted) => handler(ctx, payload, emitted),
  }
}

function checkEventName(path: string, name: unknown): string {
  if (typeof name === 'string' && eventNamePattern.test(name)) return name
  return fail(path, `must be names of events such as 'order.paid', got ${JSON.stringify(name)}`)
}
