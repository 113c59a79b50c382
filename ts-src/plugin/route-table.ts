/**
 * The route table: what the module must know of every plugin command without asking the host. Text of lines and words
 * (docs/design/bridge-protocol.md, "Route table"), so that C reads it with a page of code.
 */

import type { ArgDoc, CommandRoute, KeySpec, PluginRoutes, ReadWord } from './command-route.js'
import { defaultBreaker, wholeSample, type HookRoute } from './hook-route.js'
import type { RuleArgument, RuleRoute } from './rule-route.js'
import { checksumOf } from './route-table-reader.js'

export * from './command-route.js'
export type { HookRoute } from './hook-route.js'
export type { RuleRoute } from './rule-route.js'
export { parseRouteTable } from './route-table-reader.js'

type Fields = readonly (readonly [string, string | number])[]

const head = 'ferrite-routes 1'

/** Escapes what separates words, values and list items. */
function escapeValue(value: string): string {
  let out = ''
  for (const byte of Buffer.from(value, 'utf8')) {
    const isPlain = byte > 32 && byte < 127 && byte !== 0x25 && byte !== 0x2c && byte !== 0x3d
    out += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return out
}

function formatLine(kind: string, fields: Fields): string {
  const words = fields.map(([name, value]) => `${name}=${value}`)
  return [kind, ...words].join(' ')
}

function list(items: readonly string[]): string {
  return items.map(escapeValue).join(',')
}

function optionalField(name: string, value: string | undefined): Fields {
  return value === undefined ? [] : [[name, escapeValue(value)]]
}

function formatBegin(begin: KeySpec['begin']): string {
  return begin.kind === 'index'
    ? `index:${begin.position}`
    : `keyword:${escapeValue(begin.word).replaceAll(':', '%3A')}:${begin.from}`
}

function formatFind(find: KeySpec['find']): string {
  return find.kind === 'range'
    ? `range:${find.last}:${find.step}:${find.limit}`
    : `keynum:${find.index}:${find.first}:${find.step}`
}

function formatKey(spec: KeySpec): string {
  return formatLine('key', [
    ['flags', list(spec.flags)],
    ['begin', formatBegin(spec.begin)],
    ['find', formatFind(spec.find)],
  ])
}

function formatArgs(args: readonly ArgDoc[], depth: number): string[] {
  return args.flatMap((arg) => [
    formatLine('arg', [
      ['depth', depth],
      ['name', escapeValue(arg.name)],
      ['type', arg.type],
      ...optionalField('token', arg.token),
      ...(arg.flags.length === 0 ? [] : ([['flags', list(arg.flags)]] as const)),
      ...(arg.least === undefined ? [] : ([['least', arg.least]] as const)),
      ...(arg.key === undefined ? [] : ([['key', arg.key]] as const)),
    ]),
    ...formatArgs(arg.args ?? [], depth + 1),
  ])
}

function readField(word: ReadWord): Fields[number] {
  if ('lit' in word) return ['lit', escapeValue(word.lit)]
  if ('arg' in word) return ['arg', word.arg]
  return 'key' in word ? ['key', word.key] : ['keys', word.keys.join(':')]
}

function formatCommand(route: CommandRoute): string[] {
  return [
    formatLine('command', [
      ['name', escapeValue(route.name)],
      ['arity', route.arity],
      ['flags', list(route.flags)],
      ['categories', list(route.categories)],
      ['transaction', route.transaction],
      ['timeout', route.timeoutMs],
      ['retry', route.retry],
    ]),
    formatLine('doc', [
      ['summary', escapeValue(route.doc.summary)],
      ...optionalField('since', route.doc.since),
      ...optionalField('complexity', route.doc.complexity),
    ]),
    ...route.keySpecs.map(formatKey),
    ...formatArgs(route.args, 0),
    ...route.reads.map((read) => formatLine('read', read.map(readField))),
  ]
}

function formatHook(hook: HookRoute): string {
  return formatLine('hook', [
    ['name', escapeValue(hook.name)],
    ['kind', hook.kind],
    ['commands', list(hook.commands)],
    ['keys', list(hook.keys)],
    ['users', list(hook.users)],
    ['dbs', hook.dbs.join(',')],
    ['timeout', hook.timeoutMs],
    ['failure', hook.failure],
    ['transaction', hook.transaction],
    ['priority', hook.priority],
    ...(hook.breaker === defaultBreaker.breaker ? [] : ([['breaker', hook.breaker]] as const)),
    ...(hook.breakerMs === defaultBreaker.breakerMs ? [] : ([['breaker-ms', hook.breakerMs]] as const)),
    ...(hook.sample === wholeSample ? [] : ([['sample', hook.sample]] as const)),
  ])
}

function formatArgument({ at, glob }: RuleArgument): string {
  return `${at === 'any' ? '*' : at}:${escapeValue(glob)}`
}

function formatRule(rule: RuleRoute): string {
  const { rate, maxBytes, maxArguments } = rule
  return formatLine('rule', [
    ['name', escapeValue(rule.name)],
    ['action', rule.action],
    ['commands', list(rule.commands)],
    ['keys', list(rule.keys)],
    ['users', list(rule.users)],
    ['dbs', rule.dbs.join(',')],
    ['priority', rule.priority],
    ...(rule.arguments.length === 0 ? [] : ([['args', rule.arguments.map(formatArgument).join(',')]] as const)),
    ...optionalField('error', rule.error),
    ...optionalField('to', rule.to),
    ...(rate === undefined
      ? []
      : ([
          ['limit', rate.limit],
          ['interval', rate.intervalMs],
          ['burst', rate.burst],
          ['per', rate.per],
          ['separator', escapeValue(rate.separator)],
        ] as const)),
    ...(maxBytes === undefined ? [] : ([['max-bytes', maxBytes]] as const)),
    ...(maxArguments === undefined ? [] : ([['max-arguments', maxArguments]] as const)),
  ])
}

/** The text of the file `routes`. */
export function formatRouteTable(plugins: readonly PluginRoutes[]): string {
  const lines = [head]
  for (const plugin of plugins) {
    const fields: Fields = [
      ['name', escapeValue(plugin.name)],
      ['version', escapeValue(plugin.version)],
      ...optionalField('acl', plugin.acl),
    ]
    lines.push(
      formatLine('plugin', fields),
      ...plugin.commands.flatMap(formatCommand),
      ...plugin.hooks.map(formatHook),
      ...plugin.rules.map(formatRule),
    )
  }
  const text = `${lines.join('\n')}\n`
  return `${text}end ${lines.length} crc=${checksumOf(text)}\n`
}
