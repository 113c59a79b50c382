/** From an `onClient()` of the definition to what the host runs. */

import type { NoticeHookKind } from '../plugin/notice-hook.js'
import { checkFunction, checkKeys, checkWord, fail } from './check.js'
import type { NoticeContext } from './context.js'
import { clientEvents, type ClientHook } from './on-client.js'

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
export function compileClientHook(name: string, path: string, { options }: ClientHook): CompiledNoticeHook {
  checkKeys(path, options, ['events', 'handler'])
  checkFunction(`${path}.handler`, options.handler)
  const events = eventsOf(`${path}.events`, options.events, clientEvents)
  return { name, kind: 'clients', events, handler: options.handler }
}
