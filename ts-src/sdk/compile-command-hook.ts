/** From a `before()` or an `after()` of the definition to what the host runs and the route table says. */

import {
  defaultBreaker,
  hookFailures,
  hookTransactions,
  leastBreakerMs,
  matchedCommandPattern,
  mostBreaker,
  mostBreakerMs,
  mostHookDb,
  mostHookMatchers,
  mostHookPriority,
  mostHookTimeoutMs,
  mostServedName,
  servedName,
  userPattern,
  wholeSample,
  type HookRoute,
} from '../plugin/hook-route.js'
import type { AfterHook, AfterOptions } from './after.js'
import type { BeforeHook, BeforeOptions } from './before.js'
import { checkFunction, checkGlobs, checkInteger, checkKeys, checkWord, fail } from './check.js'
import type { CommandMatcher } from './command-matcher.js'

/** A command hook, ready to run. */
export type CompiledCommandHook = { readonly name: string; readonly route: HookRoute } & (
  | { readonly kind: 'before'; readonly handler: BeforeOptions['handler'] }
  | { readonly kind: 'after'; readonly handler: AfterOptions<false>['handler'] }
  | { readonly kind: 'after-wait'; readonly handler: AfterOptions<true>['handler'] }
)

/** One whose verdict a client waits for. */
export type CompiledVerdictHook = Exclude<CompiledCommandHook, { kind: 'after' }>
/** One that is told. */
export type CompiledToldHook = Extract<CompiledCommandHook, { kind: 'after' }>

/** What of a matcher hooks and rules take. */
export const matcherKeys = [
  'command',
  'key',
  'user',
  'db',
  'priority',
] as const satisfies readonly (keyof CommandMatcher)[]
const waitedKeys = ['timeoutMs', 'onFailure', 'inTransaction', 'breaker', 'handler'] as const
const beforeKeys: readonly (keyof BeforeOptions)[] = [...matcherKeys, ...waitedKeys]
const waitingKeys: readonly (keyof AfterOptions)[] = [...matcherKeys, 'wait', ...waitedKeys]
const toldKeys: readonly (keyof AfterOptions)[] = [...matcherKeys, 'wait', 'sample', 'handler']

/** One or several, each once. Nothing in the list would silently match all. */
export function listOf(path: string, given: unknown): readonly unknown[] {
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

type Matched = Pick<HookRoute, 'commands' | 'keys' | 'users' | 'dbs' | 'priority'>
type Waited = Pick<HookRoute, 'timeoutMs' | 'failure' | 'transaction' | 'breaker' | 'breakerMs'>

/** The matcher of a hook or a rule, checked. */
export function compileMatcher(path: string, options: CommandMatcher): Matched {
  const { priority = 100 } = options
  return {
    commands: listOf(`${path}.command`, options.command).map((each) => checkCommand(`${path}.command`, each)),
    keys: checkKeyGlobs(`${path}.key`, listOf(`${path}.key`, options.key)),
    users: listOf(`${path}.user`, options.user).map((each) => checkUser(`${path}.user`, each)),
    dbs: listOf(`${path}.db`, options.db).map((each) => checkInteger(`${path}.db`, each as number, 0, mostHookDb)),
    priority: checkInteger(`${path}.priority`, priority, -mostHookPriority, mostHookPriority),
  }
}

function compileBreaker(path: string, given: BeforeOptions['breaker'] = {}): Pick<HookRoute, 'breaker' | 'breakerMs'> {
  if (given === false) return { ...defaultBreaker, breaker: 0 }
  checkKeys(path, given, ['failures', 'resetMs'])
  const { failures = defaultBreaker.breaker, resetMs = defaultBreaker.breakerMs } = given
  return {
    breaker: checkInteger(`${path}.failures`, failures, 1, mostBreaker),
    breakerMs: checkInteger(`${path}.resetMs`, resetMs, leastBreakerMs, mostBreakerMs),
  }
}

function compileWaited(
  path: string,
  options: Pick<BeforeOptions, 'timeoutMs' | 'onFailure' | 'inTransaction' | 'breaker'>,
  transactions: readonly HookRoute['transaction'][],
): Waited {
  const { timeoutMs = 50, onFailure = 'deny', inTransaction = 'sync' } = options
  return {
    timeoutMs: checkInteger(`${path}.timeoutMs`, timeoutMs, 1, mostHookTimeoutMs),
    failure: checkWord(`${path}.onFailure`, onFailure, hookFailures),
    transaction: checkWord(`${path}.inTransaction`, inTransaction, transactions),
    ...compileBreaker(`${path}.breaker`, options.breaker),
  }
}

/** Nobody waits for it: its failures concern no client. */
const notWaited: Waited = { timeoutMs: 50, failure: 'allow', transaction: 'allow', ...defaultBreaker }

function isWaitedFor(options: AfterOptions<true> | AfterOptions<false>): options is AfterOptions<true> {
  return options.wait === true
}

function compileSample(path: string, sample = 1): number {
  if (typeof sample === 'number' && sample > 0 && sample <= 1) return Math.max(1, Math.round(sample * wholeSample))
  return fail(path, `must be a number above 0, at most 1, got ${String(sample)}`)
}

/** @throws PluginDefinitionError that names the place */
export function compileBefore(plugin: string, name: string, path: string, hook: BeforeHook): CompiledCommandHook {
  const { options } = hook
  checkKeys(path, options, beforeKeys)
  checkName(path, plugin, name)
  checkFunction(`${path}.handler`, options.handler)
  const kind = 'before'
  const waited = compileWaited(path, options, hookTransactions)
  const route = { name, kind, ...compileMatcher(path, options), ...waited, sample: wholeSample } as const
  return { name, kind, route, handler: options.handler }
}

/** @throws PluginDefinitionError that names the place */
export function compileAfter(plugin: string, name: string, path: string, hook: AfterHook): CompiledCommandHook {
  const { options } = hook
  const { wait = false } = options as { wait?: unknown }
  if (typeof wait !== 'boolean') fail(`${path}.wait`, `must be true or false, got ${String(wait)}`)
  checkKeys(path, options, wait ? waitingKeys : toldKeys)
  checkName(path, plugin, name)
  checkFunction(`${path}.handler`, options.handler)
  const matched = compileMatcher(path, options)
  if (isWaitedFor(options)) {
    const kind = 'after-wait'
    const waited = compileWaited(path, options, ['sync', 'allow'])
    const route = { name, kind, ...matched, ...waited, sample: wholeSample } as const
    return { name, kind, route, handler: options.handler }
  }
  const kind = 'after'
  const route = {
    name,
    kind,
    ...matched,
    ...notWaited,
    sample: compileSample(`${path}.sample`, options.sample),
  } as const
  return { name, kind, route, handler: options.handler }
}
