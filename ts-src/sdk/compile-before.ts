/** From a `before()` of the definition to what the host runs and the route table says. */

import {
  hookFailures,
  hookTransactions,
  matchedCommandPattern,
  mostHookDb,
  mostHookMatchers,
  mostHookPriority,
  mostHookTimeoutMs,
  mostServedName,
  servedName,
  userPattern,
  type HookRoute,
} from '../plugin/hook-route.js'
import type { BeforeHook, BeforeOptions } from './before.js'
import { checkFunction, checkGlobs, checkInteger, checkKeys, checkWord, fail } from './check.js'

/** A before hook, ready to run. */
export interface CompiledCommandHook {
  readonly name: string
  readonly route: HookRoute
  readonly handler: BeforeOptions['handler']
}

const keys = [
  'command',
  'key',
  'user',
  'db',
  'timeoutMs',
  'onFailure',
  'inTransaction',
  'priority',
  'handler',
] satisfies readonly (keyof BeforeOptions)[]

/** One or several, each once. Nothing in the list would silently match all. */
function listOf(path: string, given: unknown): readonly unknown[] {
  if (given === undefined) return []
  const list: readonly unknown[] = Array.isArray(given) ? given : [given]
  if (list.length === 0) fail(path, 'is an empty list; leave it out to match all')
  const unique = [...new Set(list)]
  if (unique.length <= mostHookMatchers) return unique
  return fail(
    path,
    `has ${unique.length} entries, at most ${mostHookMatchers}: use a glob, a category or a second hook`,
  )
}

/** The module asks no hook about these: a hook that names one would be passed by without a word. */
function checkIsAsked(path: string, name: string): void {
  if (name === 'AUTH' || name === 'HELLO') fail(path, `no hook is asked about ${name}: it carries passwords`)
  if (name.startsWith('FERRITE.')) fail(path, `no hook is asked about ${name}: it must work when plugins do not`)
}

function checkCommand(path: string, name: unknown): string {
  if (typeof name !== 'string') fail(path, `must be names of commands such as 'SET', got ${String(name)}`)
  if (name === '@all') fail(path, "'@all' is every command; leave it out to match all")
  checkIsAsked(path, name)
  if (matchedCommandPattern.test(name)) return name
  return fail(path, `'${name}' is no command: capitals as in 'SET' or 'CONFIG|SET', or a category such as '@write'`)
}

/** The route table holds no NUL. */
function checkKeyGlobs(path: string, globs: readonly unknown[]): readonly string[] {
  const checked = checkGlobs(path, globs)
  if (checked.some((glob) => glob.includes('\0'))) fail(path, 'cannot hold a NUL; ? stands for any byte')
  return checked
}

function checkUser(path: string, name: unknown): string {
  if (typeof name === 'string' && userPattern.test(name)) return name
  return fail(path, `must be names of ACL users, without spaces, got ${JSON.stringify(name)}`)
}

function checkName(path: string, plugin: string, name: string): void {
  const served = servedName(plugin, name)
  if (served.length > mostServedName) {
    fail(path, `'${served}' has ${served.length} bytes, at most ${mostServedName}: shorten the name of plugin or hook`)
  }
}

/** @throws PluginDefinitionError that names the place */
export function compileBefore(plugin: string, name: string, path: string, hook: BeforeHook): CompiledCommandHook {
  const { options } = hook
  checkKeys(path, options, keys)
  checkName(path, plugin, name)
  checkFunction(`${path}.handler`, options.handler)
  const { timeoutMs = 50, onFailure = 'deny', inTransaction = 'sync', priority = 100 } = options
  return {
    name,
    route: {
      name,
      kind: 'before',
      commands: listOf(`${path}.command`, options.command).map((each) => checkCommand(`${path}.command`, each)),
      keys: checkKeyGlobs(`${path}.key`, listOf(`${path}.key`, options.key)),
      users: listOf(`${path}.user`, options.user).map((each) => checkUser(`${path}.user`, each)),
      dbs: listOf(`${path}.db`, options.db).map((each) => checkInteger(`${path}.db`, each as number, 0, mostHookDb)),
      timeoutMs: checkInteger(`${path}.timeoutMs`, timeoutMs, 1, mostHookTimeoutMs),
      failure: checkWord(`${path}.onFailure`, onFailure, hookFailures),
      transaction: checkWord(`${path}.inTransaction`, inTransaction, hookTransactions),
      priority: checkInteger(`${path}.priority`, priority, -mostHookPriority, mostHookPriority),
    },
    handler: options.handler,
  }
}
