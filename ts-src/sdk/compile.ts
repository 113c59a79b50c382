/** From a plugin's definition to what the host runs and the route table says. Checks everything that types cannot. */

import { createRequire } from 'node:module'
import type { RespValue } from '../bridge/resp-value.js'
import type { CommandRoute } from '../plugin/command-route.js'
import type { RuleRoute } from '../plugin/rule-route.js'
import { layOut, type ArgLayout } from './arg-layout.js'
import { ArgParser } from './arg-parser.js'
import { buildSequence } from './arg-tree.js'
import { AfterHook } from './after.js'
import { BeforeHook } from './before.js'
import { checkFunction, checkGlobs, checkInteger, checkKeys, checkText, checkWord, fail } from './check.js'
import { Command, extraFlags, type CommandOptions } from './command.js'
import { compileAfter, compileBefore, type CompiledCommandHook } from './compile-command-hook.js'
import { compileEmittedHook, compileNoticeHook, type CompiledNoticeHook } from './compile-notice-hook.js'
import { CompiledReads } from './compile-reads.js'
import { compileRule } from './compile-rule.js'
import type { CommandContext, KeyEventContext, LifecycleContext, TimerContext } from './context.js'
import { isDefinedPlugin, type PluginDefinition } from './define-plugin.js'
import { toMilliseconds } from './duration.js'
import { KeyHook, TimerHook, type CronOptions } from './hooks.js'
import type { ArgRecord } from './arg.js'
import { EmittedHook } from './on.js'
import { ClientHook } from './on-client.js'
import { ServerHook } from './on-server.js'
import type { ReadRecord } from './read.js'
import { Settings, type SettingValues } from './setting.js'
import { ReplyShape, type ShapeSpec } from './shape.js'

/** A command, ready to run. */
export interface CompiledCommand {
  /** Capitals; `SESSION|GET` for a subcommand. */
  readonly name: string
  readonly route: CommandRoute
  readonly returns: ShapeSpec | undefined
  readonly group: string | undefined
  /** Reads the words after the command's name. @throws ArgumentError, which is the client's reply */
  readonly parse: (args: readonly Buffer[]) => unknown
  /** Decodes the declared reads. @throws PluginError for an error of the server (WRONGTYPE), the client's reply */
  readonly decodeReads: (values: readonly RespValue[]) => Record<string, unknown>
  readonly handler: (ctx: CommandContext, args: unknown) => unknown
}

/** A subscription to key events. */
export interface CompiledKeyHook {
  readonly name: string
  /** Empty: all. */
  readonly events: readonly string[]
  /** Globs; empty: all. */
  readonly keys: readonly string[]
  readonly ownWrites: boolean
  readonly oldValue: boolean
  readonly onReplica: boolean
  readonly handler: (ctx: KeyEventContext) => unknown
}

/** A timer. */
export interface CompiledTimer {
  readonly name: string
  readonly kind: 'every' | 'cron'
  readonly everyMs?: number
  readonly cron?: string
  readonly timezone?: string
  readonly onReplica: boolean
  readonly handler: (ctx: TimerContext) => unknown
}

/** A plugin, ready to run. */
export interface CompiledPlugin {
  readonly name: string
  /** What the definition says, else 0.0.0; the manifest of a built plugin has the package's version then. */
  readonly version: string
  readonly definition: PluginDefinition
  readonly commands: readonly CompiledCommand[]
  readonly commandHooks: readonly CompiledCommandHook[]
  readonly keyHooks: readonly CompiledKeyHook[]
  readonly noticeHooks: readonly CompiledNoticeHook[]
  readonly timers: readonly CompiledTimer[]
  readonly rules: readonly RuleRoute[]
  /** Checks an operator's settings and adds the defaults. @throws PluginDefinitionError */
  readonly resolveConfig: (given: Readonly<Record<string, unknown>>) => SettingValues
  readonly setup?: (ctx: LifecycleContext) => unknown
  readonly teardown?: (ctx: LifecycleContext) => unknown
}

type Options = CommandOptions<ArgRecord, ReadRecord, unknown>

/** What a plugin may be called: also the name of its folder. */
export const pluginNamePattern = /^[a-z][a-z0-9._-]{0,63}$/
const commandPattern = /^[A-Z][A-Z0-9_.:-]{0,63}(?:\|[A-Z][A-Z0-9_.:-]{0,63})?$/
const versionPattern = /^\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$/
const categoryPattern = /^[a-z][a-z0-9_-]{0,63}$/
const mostTimerMs = 24 * 86_400_000
const leastTimerMs = 10
const mostRetries = 100
const mostTimeoutMs = 3_600_000

const definitionKeys = ['name', 'version', 'permissions', 'config', 'commands', 'hooks', 'rules', 'setup', 'teardown']
const commandKeys = [
  'summary',
  'since',
  'complexity',
  'group',
  'args',
  'reads',
  'retryOnChange',
  'readonly',
  'denyOom',
  'flags',
  'categories',
  'inTransaction',
  'timeoutMs',
  'returns',
  'handler',
]
const keyHookKeys = ['key', 'events', 'ownWrites', 'onReplica', 'oldValue', 'handler']

function isWriting(options: Options, layout: ArgLayout): boolean {
  return options.readonly !== true && layout.modes.some((mode) => mode !== 'r')
}

function commandFlags(path: string, options: Options, layout: ArgLayout): readonly string[] {
  const writes = isWriting(options, layout)
  const readsOnly = options.readonly ?? (layout.modes.length > 0 && !writes)
  if (options.readonly === true && layout.modes.some((mode) => mode !== 'r')) {
    fail(`${path}.readonly`, "a command with a key of mode 'rw', 'w' or 'rm' is not read-only; use arg.key('r')")
  }
  const deniesOom = options.denyOom ?? (writes && layout.modes.some((mode) => mode === 'w' || mode === 'rw'))
  const flags = [
    ...(writes ? ['write'] : []),
    ...(readsOnly ? ['readonly'] : []),
    ...(deniesOom ? ['deny-oom'] : []),
    ...(layout.keysAreOptional ? ['no-mandatory-keys'] : []),
    ...(options.flags ?? []),
  ]
  for (const flag of options.flags ?? []) {
    if (!extraFlags.includes(flag)) fail(`${path}.flags`, `'${flag}' is not one of ${extraFlags.join(', ')}`)
  }
  return [...new Set(flags)]
}

function commandCategories(path: string, options: Options, flags: readonly string[]): readonly string[] {
  const derived = [
    ...(flags.includes('write') ? ['write'] : []),
    ...(flags.includes('readonly') ? ['read'] : []),
    ...(flags.includes('admin') ? ['admin', 'dangerous'] : []),
    ...(flags.includes('pubsub') ? ['pubsub'] : []),
    flags.includes('fast') ? 'fast' : 'slow',
  ]
  for (const category of options.categories ?? []) {
    if (!categoryPattern.test(category)) fail(`${path}.categories`, `'${category}' is no category: no @, small letters`)
  }
  return [...new Set([...derived, ...(options.categories ?? [])])]
}

function commandDoc(path: string, options: Options): CommandRoute['doc'] {
  return {
    summary: checkText(`${path}.summary`, options.summary),
    ...(options.since === undefined ? {} : { since: checkText(`${path}.since`, options.since) }),
    ...(options.complexity === undefined ? {} : { complexity: checkText(`${path}.complexity`, options.complexity) }),
  }
}

function checkCommand(path: string, name: string, options: Options): void {
  checkKeys(path, options, commandKeys)
  if (!commandPattern.test(name)) {
    fail(path, 'a command is named in capitals, such as RATELIMIT.CHECK, and a subcommand SESSION|GET')
  }
  checkFunction(`${path}.handler`, options.handler)
  if (options.reads !== undefined) checkFunction(`${path}.reads`, options.reads)
  checkWord(`${path}.inTransaction`, options.inTransaction ?? 'sync', ['sync', 'refuse'])
  if (options.returns !== undefined && !(options.returns instanceof ReplyShape)) {
    fail(`${path}.returns`, 'must be made by shape.*, such as shape.integer()')
  }
}

function compileCommand(path: string, name: string, options: Options): CompiledCommand {
  checkCommand(path, name, options)
  const sequence = buildSequence(`${path}.args`, options.args ?? {})
  const layout = layOut(sequence, name.includes('|') ? 2 : 1)
  // References stand in for arguments here; the types of `reads` say the same.
  const reads = new CompiledReads(`${path}.reads`, options.reads, sequence, layout)
  const parser = new ArgParser(name.toLowerCase(), sequence)
  const retry = checkInteger(`${path}.retryOnChange`, options.retryOnChange ?? 0, 0, mostRetries)
  if (retry > 0 && reads.words.length === 0)
    fail(`${path}.retryOnChange`, 'needs reads, whose change is what it looks at')
  const timeoutMs =
    options.timeoutMs === undefined ? 0 : checkInteger(`${path}.timeoutMs`, options.timeoutMs, 1, mostTimeoutMs)
  const flags = commandFlags(path, options, layout)
  return {
    name,
    route: {
      name,
      arity: layout.arity,
      flags,
      categories: commandCategories(path, options, flags),
      transaction: options.inTransaction ?? 'sync',
      timeoutMs,
      retry,
      doc: commandDoc(path, options),
      keySpecs: layout.keySpecs,
      args: layout.docs,
      reads: reads.words,
    },
    returns: options.returns?.spec,
    group: options.group === undefined ? undefined : checkText(`${path}.group`, options.group),
    parse: (args) => parser.parse(args),
    decodeReads: (values) => reads.decode(values),
    // The parser and the reads made exactly what the handler's types say.
    handler: options.handler as unknown as CompiledCommand['handler'],
  }
}

function checkContainers(commands: readonly CompiledCommand[]): void {
  const names = new Set(commands.map(({ name }) => name))
  for (const { name } of commands) {
    const [container = ''] = name.split('|')
    if (name.includes('|') && names.has(container)) {
      fail(`commands.${name}`, `${container} cannot be a command of its own and have subcommands`)
    }
  }
}

function compileKeyHook(name: string, path: string, { options }: KeyHook): CompiledKeyHook {
  checkKeys(path, options, keyHookKeys)
  checkFunction(`${path}.handler`, options.handler)
  const { key = [], events = [] } = options
  for (const event of events) {
    if (!/^[a-z][a-z0-9_.:-]*$/.test(event))
      fail(`${path}.events`, `'${String(event)}' is no event: small letters, as in 'expired'`)
  }
  return {
    name,
    events: [...new Set(events)],
    keys: checkGlobs(`${path}.key`, typeof key === 'string' ? [key] : key),
    ownWrites: options.ownWrites ?? false,
    oldValue: options.oldValue ?? false,
    onReplica: options.onReplica ?? false,
    handler: (ctx) => options.handler(ctx),
  }
}

function checkCron(path: string, pattern: string, options: CronOptions): void {
  // Loaded here, since most plugins have no cron and each worker would carry it.
  const { Cron } = createRequire(import.meta.url)('croner') as typeof import('croner')
  try {
    new Cron(pattern, {
      paused: true,
      ...(options.timezone === undefined ? {} : { timezone: options.timezone }),
    }).nextRun()
  } catch (error) {
    fail(path, `${error instanceof Error ? error.message : String(error)} (pattern ${JSON.stringify(pattern)})`)
  }
}

function compileTimer(name: string, path: string, timer: TimerHook): CompiledTimer {
  const { kind, when, handler, options } = timer
  checkKeys(path, options, kind === 'cron' ? ['onReplica', 'timezone'] : ['onReplica'])
  checkFunction(path, handler)
  const common = { name, kind, onReplica: options.onReplica ?? false, handler }
  if (kind === 'every') {
    const everyMs = toMilliseconds(when)
    if (everyMs >= leastTimerMs && everyMs <= mostTimerMs) return { ...common, everyMs }
    return fail(path, `every() takes 10 ms to 24 days, such as '5s' or '1m', got ${JSON.stringify(when)}`)
  }
  if (typeof when !== 'string') fail(path, `cron() takes a pattern such as '0 3 * * *', got ${String(when)}`)
  checkCron(path, when, options)
  return { ...common, cron: when, ...(options.timezone === undefined ? {} : { timezone: options.timezone }) }
}

/** Names stand in commands of operators and in ATTACH, where capitals make no difference. */
function checkNames(place: 'hooks' | 'rules', names: readonly string[]): void {
  const seen = new Map<string, string>()
  for (const name of names) {
    const path = `${place}.${name}`
    if (!/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/.test(name))
      fail(path, 'the name must be a letter, then letters, digits, _ . -')
    const other = seen.get(name.toLowerCase())
    if (other !== undefined)
      fail(path, `differs from the ${place.slice(0, -1)} '${other}' in capitals only; give it another name`)
    seen.set(name.toLowerCase(), name)
  }
}

type CompiledHooks = Pick<CompiledPlugin, 'commandHooks' | 'keyHooks' | 'noticeHooks' | 'timers'>

function compileHooks(definition: PluginDefinition): CompiledHooks {
  const commandHooks: CompiledCommandHook[] = []
  const keyHooks: CompiledKeyHook[] = []
  const noticeHooks: CompiledNoticeHook[] = []
  const timers: CompiledTimer[] = []
  const hooks = Object.entries(definition.hooks ?? {})
  checkNames(
    'hooks',
    hooks.map(([name]) => name),
  )
  for (const [name, hook] of hooks) {
    const path = `hooks.${name}`
    if (hook instanceof BeforeHook) commandHooks.push(compileBefore(definition.name, name, path, hook))
    else if (hook instanceof AfterHook) commandHooks.push(compileAfter(definition.name, name, path, hook))
    else if (hook instanceof KeyHook) keyHooks.push(compileKeyHook(name, path, hook))
    else if (hook instanceof EmittedHook) noticeHooks.push(compileEmittedHook(name, path, hook))
    else if (hook instanceof ClientHook || hook instanceof ServerHook)
      noticeHooks.push(compileNoticeHook(name, path, hook))
    else if (hook instanceof TimerHook) timers.push(compileTimer(name, path, hook))
    else fail(path, 'must be made by before(), after(), onKey(), onClient(), onServer(), on(), every() or cron()')
  }
  return { commandHooks, keyHooks, noticeHooks, timers }
}

function compileRules(definition: PluginDefinition): readonly RuleRoute[] {
  const rules = Object.entries(definition.rules ?? {})
  checkNames(
    'rules',
    rules.map(([name]) => name),
  )
  return rules.map(([name, rule]) => compileRule(name, `rules.${name}`, rule))
}

function compileCommands(definition: PluginDefinition): readonly CompiledCommand[] {
  const commands = Object.entries(definition.commands ?? {}).map(([name, declared]) => {
    const path = `commands.${name}`
    if (!(declared instanceof Command)) fail(path, 'must be made by command()')
    return compileCommand(path, name, declared.options)
  })
  checkContainers(commands)
  return commands
}

/**
 * Checks and compiles what `definePlugin` returned.
 *
 * @throws PluginDefinitionError that says where the definition is wrong, what was expected, and what was there
 */
export function compilePlugin(definition: PluginDefinition): CompiledPlugin {
  if (!isDefinedPlugin(definition)) {
    fail('', 'the default export is not the result of definePlugin(): write `export default definePlugin({ … })`')
  }
  checkKeys('', definition, definitionKeys)
  const { name, version, config, setup, teardown } = definition
  if (typeof name !== 'string' || !pluginNamePattern.test(name)) {
    fail('name', `must be a small letter, then at most 63 of a-z 0-9 . _ -, got ${JSON.stringify(name)}`)
  }
  if (version !== undefined && !versionPattern.test(version))
    fail('version', `must be as in 1.2.3, got ${JSON.stringify(version)}`)
  if (config !== undefined && !(config instanceof Settings)) fail('config', 'must be made by settings()')
  if (setup !== undefined) checkFunction('setup', setup)
  if (teardown !== undefined) checkFunction('teardown', teardown)
  const resolved = config ?? new Settings({})
  resolved.resolve({}) // the defaults must hold too
  return {
    name,
    version: version ?? '0.0.0',
    definition,
    commands: compileCommands(definition),
    ...compileHooks(definition),
    rules: compileRules(definition),
    resolveConfig: (given) => resolved.resolve(given),
    ...(setup === undefined ? {} : { setup }),
    ...(teardown === undefined ? {} : { teardown }),
  }
}
