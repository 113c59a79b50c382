/** What becomes of one command of a tenant. What is not known to be safe is refused. */

import { keyPlaces, type CommandTable } from './command-table.js'

export type Judgement =
  | { readonly kind: 'as-it-is' }
  | { readonly kind: 'rewrite'; readonly args: readonly (Buffer | string)[] }
  | { readonly kind: 'deny'; readonly why: string }

const asItIs: Judgement = { kind: 'as-it-is' }
const rewrite = (args: readonly (Buffer | string)[]): Judgement => ({ kind: 'rewrite', args })
const deny = (why: string): Judgement => ({ kind: 'deny', why })

type Judge = (prefix: string, args: readonly Buffer[]) => Judgement

const own = (prefix: string, key: Buffer): Buffer => Buffer.concat([Buffer.from(prefix), key])
const wordOf = (word: Buffer | undefined): string => (word ?? '').toString('latin1').toUpperCase()

/** Globs: names of tenants have no special characters (`tenantsOf`), so the prefix means itself. */
const scan: Judge = (prefix, args) => {
  const words: (Buffer | string)[] = [...args]
  let hasMatch = false
  for (let at = 1; at < args.length; at += 2) {
    const [option, value] = [wordOf(args[at]), args[at + 1]]
    if (value === undefined || !['MATCH', 'COUNT', 'TYPE'].includes(option)) return deny('with this option')
    if (option === 'MATCH') words[at + 1] = own(prefix, value)
    hasMatch ||= option === 'MATCH'
  }
  return rewrite(hasMatch ? words : [...words, 'MATCH', `${prefix}*`])
}

/** In patterns of BY and GET `*` stands for an element, so what they name begins with the prefix, too. */
const sort: Judge = (prefix, args) => {
  const [key, ...words] = args
  if (key === undefined) return deny('without a key')
  for (let at = 0; at < words.length; at++) {
    const option = wordOf(words[at])
    if (option === 'LIMIT') at += 2
    else if (['BY', 'GET', 'STORE'].includes(option)) {
      const name = words[++at]
      if (name === undefined) return deny('without what it is to be sorted by')
      if (!(option === 'GET' && name.equals(Buffer.from('#')))) words[at] = own(prefix, name)
    } else if (!['ASC', 'DESC', 'ALPHA'].includes(option)) return deny('with this option')
  }
  return rewrite([own(prefix, key), ...words])
}

/** Their calls are asked about one by one, so their keys stay the tenant's names. */
const script: Judge = () => asItIs

const special: Readonly<Record<string, Judge>> = {
  KEYS: (prefix, [pattern]) => rewrite([own(prefix, pattern ?? Buffer.alloc(0))]),
  SCAN: scan,
  SORT: sort,
  SORT_RO: sort,
  // Client libraries ask whether the server is ready; how much others have in it is no tenant's business.
  INFO: () => rewrite(['server', 'persistence']),
  EVAL: script,
  EVALSHA: script,
  EVAL_RO: script,
  EVALSHA_RO: script,
  FCALL: script,
  FCALL_RO: script,
}

/** Commands without keys that show and change nothing of others. Channels are left to the server's ACL. */
const harmless: ReadonlySet<string> = new Set([
  ...['PING', 'ECHO', 'TIME', 'SELECT', 'WAIT', 'WAITAOF', 'UNWATCH', 'LOLWUT', 'ACL|WHOAMI'],
  ...['CLIENT|ID', 'CLIENT|INFO', 'CLIENT|GETNAME', 'CLIENT|SETNAME', 'CLIENT|SETINFO', 'CLIENT|REPLY'],
  ...['COMMAND', 'COMMAND|COUNT', 'COMMAND|DOCS', 'COMMAND|INFO', 'COMMAND|LIST', 'COMMAND|GETKEYS'],
  ...['SCRIPT|LOAD', 'SCRIPT|EXISTS'],
  // What clients of a cluster ask for to find its nodes.
  ...['CLUSTER|SLOTS', 'CLUSTER|SHARDS', 'CLUSTER|NODES', 'CLUSTER|KEYSLOT', 'ASKING', 'READONLY', 'READWRITE'],
  ...['PUBLISH', 'SUBSCRIBE', 'UNSUBSCRIBE', 'PSUBSCRIBE', 'PUNSUBSCRIBE', 'SPUBLISH', 'SSUBSCRIBE', 'SUNSUBSCRIBE'],
])

/** @param name in capitals */
export function judge(table: CommandTable, prefix: string, name: string, args: readonly Buffer[]): Judgement {
  const inner = `${name}|${wordOf(args[0])}`
  const full = table.has(inner) ? inner : name
  const facts = table.get(full)
  if (facts === undefined || facts.isForeign) return deny('which is not a command of the server itself')
  if (Object.hasOwn(special, full)) return special[full]?.(prefix, args) ?? asItIs
  if (harmless.has(full)) return asItIs
  if (facts.keys === undefined) return deny('whose keys cannot be told from its words')
  if (facts.keys.length === 0) return deny('which is about more than the keys of one tenant')
  const places = keyPlaces(facts.keys, args)
  if (places === undefined) return deny('with words whose keys cannot be told')
  const words = [...args]
  for (const place of places) words[place] = own(prefix, args[place] ?? Buffer.alloc(0))
  return rewrite(words)
}
