/** From an `onClient()` or `onServer()` of the definition to what the host runs. */

import type { NoticeHookKind } from '../plugin/notice-hook.js'
import { checkFunction, checkKeys, checkWord, fail } from './check.js'
import type { NoticeContext } from './context.js'
import { clientEvents, ClientHook } from './on-client.js'
import { serverEvents, type ServerHook } from './on-server.js'

/** A hook on events that are not of keys, ready to run. */
export interface CompiledNoticeHook {
  readonly name: string
  readonly kind: NoticeHookKind
  readonly events: readonly string[]
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
  return { name, kind, events: eventsOf(`${path}.events`, options.events, known), handler: options.handler }
}
