// Random commands of a server, made from its own COMMAND DOCS: arguments of the documented types, on a few keys.
import { RespMap, RespSet, type RespValue } from '#lib/bridge/resp.js'

/** A generator of numbers in [0, 1) that gives the same ones for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

interface DocArgument {
  readonly name: string
  readonly type: string
  readonly token?: string
  readonly flags: readonly string[]
  readonly members: readonly DocArgument[]
}

export interface DocCommand {
  /** `SET`, `OBJECT ENCODING`. */
  readonly words: readonly string[]
  readonly group: string
  readonly arguments: readonly DocArgument[]
}

/** Commands that are left out, with the reason; a name stands for its subcommands, too. */
const leftOut: Readonly<Record<string, readonly string[]>> = {
  'act on the connection or wait': [
    'ASKING',
    'AUTH',
    'CLIENT',
    'DISCARD',
    'EXEC',
    'HELLO',
    'MONITOR',
    'MULTI',
    'PSUBSCRIBE',
    'PUNSUBSCRIBE',
    'QUIT',
    'READONLY',
    'READWRITE',
    'RESET',
    'SELECT',
    'SSUBSCRIBE',
    'SUBSCRIBE',
    'SUNSUBSCRIBE',
    'UNSUBSCRIBE',
    'UNWATCH',
    'WAIT',
    'WAITAOF',
    'WATCH',
  ],
  'act on the server': [
    'ACL',
    'BGREWRITEAOF',
    'BGSAVE',
    'CLUSTER',
    'CLUSTERSCAN',
    'COMMANDLOG',
    'CONFIG',
    'DEBUG',
    'FAILOVER',
    'HOTKEYS',
    'INFO',
    'LASTSAVE',
    'LATENCY',
    'LOLWUT',
    'MEMORY',
    'MIGRATE',
    'MODULE',
    'PFDEBUG',
    'PFSELFTEST',
    'PSYNC',
    'REPLCONF',
    'REPLICAOF',
    'RESTORE-ASKING',
    'ROLE',
    'SAVE',
    'SHUTDOWN',
    'SLAVEOF',
    'SLOWLOG',
    'SYNC',
    'TRIMSLOTS',
  ],
  'run scripts, which have tests of their own': [
    'EVAL',
    'EVAL_RO',
    'EVALSHA',
    'EVALSHA_RO',
    'FCALL',
    'FCALL_RO',
    'FUNCTION',
    'SCRIPT',
  ],
  'ends Redis 8.6 itself by an assertion now and then': ['HSETEX'],
  'tell how a number is kept, which is as text when a module has set it': ['OBJECT ENCODING'],
  'choose by chance': ['HRANDFIELD', 'RANDOMKEY', 'SPOP', 'SRANDMEMBER', 'ZRANDMEMBER'],
  'tell of the clock': ['OBJECT FREQ', 'OBJECT IDLETIME', 'TIME', 'XINFO', 'XPENDING', 'DIGEST'],
  'tell of commands, among which are the module’s': ['COMMAND'],
  'build graphs by chance': [
    'VADD',
    'VCARD',
    'VDIM',
    'VEMB',
    'VGETATTR',
    'VINFO',
    'VISMEMBER',
    'VLINKS',
    'VRANDMEMBER',
    'VRANGE',
    'VREM',
    'VSETATTR',
    'VSIM',
  ],
  'walk in an order that each process chooses': ['HSCAN', 'SCAN', 'SSCAN', 'ZSCAN'],
}

const isLeftOut = new Set(Object.values(leftOut).flat())

/** What is not tested, for the log. */
export function leftOutText(): string {
  return Object.entries(leftOut)
    .map(([reason, names]) => `${reason}: ${names.join(', ')}`)
    .join('; ')
}

/** Replies whose order or whose last digits are each process's own. */
export function isUnordered(words: readonly string[]): boolean {
  return /^(KEYS|S(INTER|UNION|DIFF|MEMBERS)|HKEYS|HVALS|HGETALL|SORT|SORT_RO|PUBSUB)$/.test(words[0] ?? '')
}
export function isClockBound(words: readonly string[]): boolean {
  return /^(P?TTL|P?EXPIRETIME|HP?TTL|HP?EXPIRETIME|DUMP)$/.test(words[0] ?? '')
}

/** The commands that COMMAND DOCS (RESP3) describes, without those of modules and those left out. */
export function readDocs(docs: RespValue): DocCommand[] {
  const found: DocCommand[] = []
  for (const [name, doc] of entries(docs)) collect(name, doc, found)
  return found.filter(({ words }) => !isLeftOut.has(words[0] ?? '') && !isLeftOut.has(words.join(' ')))
}

function collect(name: string, doc: RespValue, found: DocCommand[]): void {
  const fields = new Map(entries(doc))
  if (fields.has('module') || name.startsWith('_ferrite') || name.startsWith('ferrite.')) return
  const subcommands = fields.get('subcommands')
  if (subcommands !== undefined) {
    for (const [sub, one] of entries(subcommands)) collect(sub, one, found)
    return
  }
  const words = name.toUpperCase().split('|')
  found.push({ words, group: text(fields.get('group')), arguments: list(fields.get('arguments')).map(argument) })
}

function argument(value: RespValue): DocArgument {
  const fields = new Map(entries(value))
  const token = fields.get('token')
  return {
    name: text(fields.get('name')),
    type: text(fields.get('type')),
    flags: list(fields.get('flags')).map(text),
    members: list(fields.get('arguments')).map(argument),
    ...(token === undefined ? {} : { token: text(token) }),
  }
}

function entries(value: RespValue): [string, RespValue][] {
  if (!(value instanceof RespMap)) throw new Error(`expected a map in COMMAND DOCS, got ${JSON.stringify(value)}`)
  return [...value.entries].map(([key, one]) => [text(key), one])
}

function list(value: RespValue | undefined): readonly RespValue[] {
  if (value === undefined) return []
  if (value instanceof RespSet) return value.items
  return value as readonly RespValue[]
}

function text(value: RespValue | undefined): string {
  return Buffer.isBuffer(value) ? value.toString('latin1') : `${value as string | number}`
}

/** Keys by the group of the commands that are for them, so that most commands find a value of their type. */
const prefixes: Readonly<Record<string, string>> = {
  ...{ string: 'str', list: 'list', set: 'set', 'sorted-set': 'zset', hash: 'hash', stream: 'stream', bitmap: 'str' },
  ...{ hyperloglog: 'hll', geo: 'geo', array: 'array' },
}
const all = [...new Set(Object.values(prefixes))]
const strings = [
  'a',
  'b',
  'c',
  'member',
  'x\r\ny',
  '\u00e9',
  '',
  '10',
  '3.5',
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
]

export class RandomCommands {
  constructor(
    private readonly commands: readonly DocCommand[],
    private readonly random: () => number,
  ) {}

  /** The words of a command; now and then one that cannot be right. */
  next(): string[] {
    const command = this.pick(this.commands)
    const words = [...command.words, ...this.arguments(command.arguments, command.group)]
    if (this.chance(0.02)) words.splice(1 + Math.floor(this.random() * words.length), 1)
    if (this.chance(0.02)) words.push(this.pick(strings))
    // A database is emptied rarely, else there would be nothing to work on.
    return /^FLUSH|^SWAPDB/.test(words[0] ?? '') && !this.chance(0.1) ? this.next() : words
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random() * from.length)] as T
  }

  chance(probability: number): boolean {
    return this.random() < probability
  }

  private arguments(args: readonly DocArgument[], group: string): string[] {
    const made = args.map((arg) => this.argument(arg, group))
    // A count stands before what it counts.
    for (const [at, arg] of args.entries()) {
      const next = args[at + 1]
      if (!/^num|^count$/.test(arg.name) || arg.type !== 'integer' || next?.flags.includes('multiple') !== true)
        continue
      const isBlock = next.members.length > 0 && next.type === 'block'
      const count = (made[at + 1] ?? []).length / (isBlock ? next.members.length : 1)
      if (!this.chance(0.05)) made[at]?.splice(-1, 1, String(count))
    }
    return made.flat()
  }

  private argument(arg: DocArgument, group: string): string[] {
    if (arg.flags.includes('optional') && !this.chance(0.3)) return []
    const times = arg.flags.includes('multiple') ? 1 + Math.floor(this.random() * 3) : 1
    const words: string[] = []
    for (let n = 0; n < times; n++) {
      if (arg.token !== undefined && arg.type !== 'pure-token' && (n === 0 || arg.flags.includes('multiple_token')))
        words.push(arg.token)
      words.push(...this.value(arg, group))
    }
    return words
  }

  private value(arg: DocArgument, group: string): string[] {
    switch (arg.type) {
      case 'key':
        return [this.key(group)]
      case 'integer':
        return [arg.token === 'BLOCK' ? '1' : this.integer(arg.name)]
      case 'double':
        return [arg.name === 'timeout' ? '0.001' : this.pick(['1', '2.5', '-3', '0', '13.361389', 'inf', '1e3', '40'])]
      case 'unix-time':
        // Far ahead: what expires sooner, or has, is deleted at one time on one server and at another on the other.
        return ['4102444800000']
      case 'pattern':
        return [this.pick(['*', 'str*', '*:1', 'nothing', 'by:*', '#'])]
      case 'pure-token':
        return [arg.token ?? '']
      case 'oneof': {
        // Ids that the server makes of its clock are not the same on two servers. Redis 8.6 replies twice to IFDEQ and
        // IFDNE with a wrong digest.
        const choices = arg.members.filter(({ token = '' }) => !['*', 'IFDEQ', 'IFDNE'].includes(token))
        return choices.length === 0 ? [] : this.argument({ ...this.pick(choices), flags: [] }, group)
      }
      case 'block':
        return this.arguments(arg.members, group)
      default:
        return [this.text(arg.name)]
    }
  }

  private key(group: string): string {
    const prefix = this.chance(0.9) ? (prefixes[group] ?? this.pick(all)) : this.pick(all)
    return `${prefix}:${Math.floor(this.random() * 4)}`
  }

  private integer(name: string): string {
    // What expires does so long after the test.
    if (/second|ttl/.test(name) && name !== 'milliseconds') return this.pick(['100000', '0', '-1', '200000000'])
    if (name === 'milliseconds') return '100000000'
    if (name.includes('db')) return this.pick(['0', '1', '2'])
    return this.pick(['0', '1', '2', '3', '-1', '-2', '5', '100', '7', '1'])
  }

  private text(name: string): string {
    if (/id$|^id|start|end|min|max/i.test(name))
      return this.pick(['-', '+', '0', '1-1', '2-1', '5-3', '9-*', '(1', '[a', '[z', '$', '>', '3', '100'])
    if (name === 'timeout') return '0.001'
    if (/group|consumer/.test(name)) return this.pick(['g1', 'g2'])
    if (name.includes('encoding')) return this.pick(['u8', 'i16', 'u4'])
    return this.pick(strings)
  }
}
