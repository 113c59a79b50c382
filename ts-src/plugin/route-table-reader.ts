/** Reads a route table, as strictly as the module does: one bad line and the whole table is refused. */

import { crc32 } from 'node:zlib'
import {
  argTypes,
  RouteTableError,
  type ArgDoc,
  type CommandDoc,
  type CommandRoute,
  type KeySpec,
  type PluginRoutes,
  type ReadWord,
} from './command-route.js'
import { defaultBreaker, hookFailures, hookKinds, hookTransactions, wholeSample, type HookRoute } from './hook-route.js'

import { ruleActions, rulePers, type RuleArgument, type RuleRoute } from './rule-route.js'

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer Item)[] ? Item[] : T[K] }
type OpenArg = Omit<ArgDoc, 'args'> & { args?: OpenArg[] }
type OpenCommand = Omit<Mutable<CommandRoute>, 'args' | 'reads'> & { args: OpenArg[]; reads: ReadWord[][] }

interface OpenPlugin {
  readonly name: string
  readonly version: string
  readonly acl?: string
  readonly commands: OpenCommand[]
  readonly hooks: HookRoute[]
  readonly rules: RuleRoute[]
}

const argFlags = ['optional', 'multiple', 'multiple_token'] as const
const escapePattern = /%([0-9A-F]{2})/g

function unescapeValue(value: string, line: number): string {
  if (/%(?![0-9A-F]{2})/.test(value))
    throw new RouteTableError(line, `'%' without two capital hex digits in '${value}'`)
  const bytes = Buffer.from(
    value.replace(escapePattern, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  )
  const text = bytes.toString('utf8')
  if (!Buffer.from(text, 'utf8').equals(bytes)) throw new RouteTableError(line, `'${value}' is not UTF-8`)
  return text
}

/** The words of one line. Each must be used: what is left over is an error. */
class LineWords {
  readonly kind: string
  readonly words: (readonly [string, string])[]

  constructor(
    text: string,
    readonly line: number,
  ) {
    if (!/^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/.test(text)) this.fail('words must be printable and one space apart')
    const [kind = '', ...words] = text.split(' ')
    this.kind = kind
    this.words = words.map((word) => {
      const at = word.indexOf('=')
      return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)]
    })
  }

  fail(problem: string): never {
    throw new RouteTableError(this.line, problem)
  }

  raw(name: string): string | undefined {
    const at = this.words.findIndex(([word]) => word === name)
    return at < 0 ? undefined : this.words.splice(at, 1)[0]?.[1]
  }

  text(name: string): string | undefined {
    const value = this.raw(name)
    return value === undefined ? undefined : unescapeValue(value, this.line)
  }

  needText(name: string): string {
    return this.text(name) ?? this.fail(`${this.kind} without ${name}=`)
  }

  needList(name: string): string[] {
    if (!this.words.some(([word]) => word === name)) this.fail(`${this.kind} without ${name}=`)
    return this.list(name)
  }

  list(name: string): string[] {
    const value = this.raw(name) ?? ''
    return value === '' ? [] : value.split(',').map((item) => unescapeValue(item, this.line))
  }

  int(name: string): number {
    return this.toInt(this.raw(name) ?? this.fail(`${this.kind} without ${name}=`))
  }

  toInt(text: string | undefined): number {
    if (text === undefined || !/^-?\d{1,9}$/.test(text)) this.fail(`'${String(text)}' is not a whole number`)
    return Number(text)
  }

  /** Undefined when it is not there. */
  wide(name: string): number | undefined {
    const value = this.raw(name)
    if (value === undefined) return undefined
    if (!/^\d{1,15}$/.test(value)) this.fail(`'${value}' is not a whole number`)
    return Number(value)
  }

  oneOf<const Word extends string>(value: string, words: readonly Word[]): Word {
    return words.find((word) => word === value) ?? this.fail(`'${value}' is none of ${words.join(' ')}`)
  }

  done(): void {
    if (this.words[0] !== undefined) this.fail(`'${this.words[0][0]}' is not expected in a ${this.kind} line`)
  }
}

function parseCommand(words: LineWords): OpenCommand {
  return {
    name: words.needText('name'),
    arity: words.int('arity'),
    flags: words.list('flags'),
    categories: words.list('categories'),
    transaction: words.oneOf(words.needText('transaction'), ['sync', 'refuse']),
    timeoutMs: words.int('timeout'),
    retry: words.int('retry'),
    doc: { summary: '' },
    keySpecs: [],
    args: [],
    reads: [],
  }
}

function parseDoc(words: LineWords): CommandDoc {
  const since = words.text('since')
  const complexity = words.text('complexity')
  return {
    summary: words.needText('summary'),
    ...(since === undefined ? {} : { since }),
    ...(complexity === undefined ? {} : { complexity }),
  }
}

function parseBegin(words: LineWords): KeySpec['begin'] {
  const [kind, first, second, ...more] = (words.raw('begin') ?? '').split(':')
  if (kind === 'index' && second === undefined) return { kind, position: words.toInt(first) }
  if (kind === 'keyword' && first !== undefined && more.length === 0) {
    return { kind, word: unescapeValue(first, words.line), from: words.toInt(second) }
  }
  return words.fail('key needs begin=index:POS or begin=keyword:WORD:FROM')
}

function parseFind(words: LineWords): KeySpec['find'] {
  const [kind, ...numbers] = (words.raw('find') ?? '').split(':')
  const [a, b, c] = numbers.map((number) => words.toInt(number))
  if (a === undefined || b === undefined || c === undefined || numbers.length !== 3) {
    return words.fail('key needs find=range:LAST:STEP:LIMIT or find=keynum:KEYNUMIDX:FIRSTKEY:STEP')
  }
  if (kind === 'range') return { kind, last: a, step: b, limit: c }
  return kind === 'keynum' ? { kind, index: a, first: b, step: c } : words.fail(`find=${String(kind)} is not known`)
}

function parseArg(words: LineWords): OpenArg {
  const token = words.text('token')
  const least = words.raw('least')
  const key = words.raw('key')
  return {
    name: words.needText('name'),
    type: words.oneOf(words.needText('type'), argTypes),
    ...(token === undefined ? {} : { token }),
    flags: words.list('flags').map((flag) => words.oneOf(flag, argFlags)),
    ...(least === undefined ? {} : { least: words.toInt(least) }),
    ...(key === undefined ? {} : { key: words.toInt(key) }),
  }
}

/** Puts an argument under the last one of a smaller depth. */
function placeArg(command: OpenCommand, arg: OpenArg, depth: number, words: LineWords): void {
  let siblings = command.args
  for (let level = 0; level < depth; level++) {
    const parent = siblings.at(-1) ?? words.fail(`depth ${depth} has no argument above it`)
    siblings = parent.args ??= []
  }
  siblings.push(arg)
}

function parseReadWord(words: LineWords, name: string, value: string): ReadWord {
  if (name === 'lit') return { lit: unescapeValue(value, words.line) }
  if (name === 'arg') return { arg: words.toInt(value) }
  if (name === 'key') return { key: words.toInt(value) }
  const [first, last, ...more] = value.split(':')
  if (name !== 'keys' || more.length > 0) words.fail(`'${name}' is not expected in a read line`)
  return { keys: [words.toInt(first), words.toInt(last)] }
}

function addToCommand(command: OpenCommand, words: LineWords): void {
  if (words.kind === 'doc') command.doc = parseDoc(words)
  else if (words.kind === 'key') {
    command.keySpecs.push({ flags: words.list('flags'), begin: parseBegin(words), find: parseFind(words) })
  } else if (words.kind === 'arg') placeArg(command, parseArg(words), words.int('depth'), words)
  else if (words.kind === 'read') {
    command.reads.push(words.words.splice(0).map(([name, value]) => parseReadWord(words, name, value)))
  } else words.fail(`'${words.kind}' is no kind of line`)
}

/** What hooks and rules have in common. */
function parseMatched(words: LineWords): Pick<RuleRoute, 'name' | 'commands' | 'keys' | 'users' | 'dbs' | 'priority'> {
  return {
    name: words.needText('name'),
    commands: words.needList('commands'),
    keys: words.needList('keys'),
    users: words.needList('users'),
    dbs: words.needList('dbs').map((db) => words.toInt(db)),
    priority: words.int('priority'),
  }
}

function parseHook(words: LineWords): HookRoute {
  return {
    ...parseMatched(words),
    kind: words.oneOf(words.needText('kind'), hookKinds),
    timeoutMs: words.int('timeout'),
    failure: words.oneOf(words.needText('failure'), hookFailures),
    transaction: words.oneOf(words.needText('transaction'), hookTransactions),
    breaker: words.toInt(words.raw('breaker') ?? String(defaultBreaker.breaker)),
    breakerMs: words.toInt(words.raw('breaker-ms') ?? String(defaultBreaker.breakerMs)),
    sample: words.toInt(words.raw('sample') ?? String(wholeSample)),
  }
}

function parseRuleArgument(words: LineWords, text: string): RuleArgument {
  const colon = text.indexOf(':')
  if (colon < 0) words.fail(`the argument '${text}' has no place`)
  const place = text.slice(0, colon)
  return { at: place === '*' ? 'any' : words.toInt(place), glob: text.slice(colon + 1) }
}

function parseRule(words: LineWords): RuleRoute {
  const limit = words.raw('limit')
  const error = words.text('error')
  const to = words.text('to')
  const maxBytes = words.wide('max-bytes')
  const maxArguments = words.wide('max-arguments')
  return {
    ...parseMatched(words),
    action: words.oneOf(words.needText('action'), ruleActions),
    arguments: words.list('args').map((each) => parseRuleArgument(words, each)),
    ...(error === undefined ? {} : { error }),
    ...(to === undefined ? {} : { to }),
    ...(limit === undefined
      ? {}
      : {
          rate: {
            limit: words.toInt(limit),
            intervalMs: words.int('interval'),
            burst: words.int('burst'),
            per: words.oneOf(words.needText('per'), rulePers),
            separator: words.needText('separator'),
          },
        }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(maxArguments === undefined ? {} : { maxArguments }),
  }
}

function addLine(plugins: OpenPlugin[], words: LineWords): void {
  if (words.kind === 'plugin') {
    const acl = words.text('acl')
    const named = { name: words.needText('name'), version: words.needText('version') }
    plugins.push({ ...named, ...(acl === undefined ? {} : { acl }), commands: [], hooks: [], rules: [] })
  } else if (words.kind === 'command') {
    const plugin = plugins.at(-1) ?? words.fail('a command before any plugin')
    if (plugin.hooks.length + plugin.rules.length > 0) words.fail('a command behind a hook or rule of its plugin')
    plugin.commands.push(parseCommand(words))
  } else if (words.kind === 'hook') {
    const plugin = plugins.at(-1) ?? words.fail('a hook before any plugin')
    if (plugin.rules.length > 0) words.fail('a hook behind a rule of its plugin')
    plugin.hooks.push(parseHook(words))
  } else if (words.kind === 'rule') {
    const plugin = plugins.at(-1) ?? words.fail('a rule before any plugin')
    plugin.rules.push(parseRule(words))
  } else {
    const { hooks = [], rules = [] } = plugins.at(-1) ?? {}
    if (hooks.length + rules.length > 0) words.fail(`a ${words.kind} behind a hook or rule`)
    addToCommand(plugins.at(-1)?.commands.at(-1) ?? words.fail(`a ${words.kind} before any command`), words)
  }
  words.done()
}

/** What the end line says of the text before it. */
export function checksumOf(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}

/** `end N`, or `end N crc=XXXXXXXX`; tables written by hand do without the checksum. */
function checkEnd(lines: readonly string[], count: number): void {
  const [, number, , checksum] = /^end (\d+)( crc=(.*))?$/.exec(lines[count] ?? '') ?? []
  if (number !== String(count)) throw new RouteTableError(count + 1, `expected 'end ${count}'`)
  if (checksum === undefined) return
  const real = checksumOf(`${lines.slice(0, count).join('\n')}\n`)
  if (checksum === real) return
  throw new RouteTableError(count + 1, `the text is not what was written: its checksum is ${real}, not ${checksum}`)
}

/**
 * Reads the text of a route table.
 *
 * @throws RouteTableError with the line's number
 */
export function parseRouteTable(text: string): readonly PluginRoutes[] {
  const lines = text.split('\n')
  if (lines[0] !== 'ferrite-routes 1')
    throw new RouteTableError(1, `expected 'ferrite-routes 1', got '${lines[0] ?? ''}'`)
  if (lines.at(-1) !== '') throw new RouteTableError(lines.length, 'the last line does not end')
  const count = lines.length - 2
  checkEnd(lines, count)
  const plugins: OpenPlugin[] = []
  lines.slice(1, count).forEach((line, index) => {
    addLine(plugins, new LineWords(line, index + 2))
  })
  return plugins
}
