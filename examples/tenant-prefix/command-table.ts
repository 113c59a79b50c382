/**
 * The server's own table of commands (COMMAND), which says where each has its keys: not this plugin's guess, and right for
 * commands that later servers bring.
 */

import { plain, type Plain } from './plain.js'
import type { RespValue } from 'ferrite-plugins/sdk'

/** Where the search for keys begins: at a word, or behind a word that is looked for. Places count the command's name. */
type Begin = { readonly index: number } | { readonly keyword: string; readonly from: number }

/** Which words are keys from there: a range, or as many as a word says. */
type Find =
  | { readonly last: number; readonly step: number; readonly limit: number }
  | { readonly countAt: number; readonly first: number; readonly step: number }

interface KeySpec {
  readonly begin: Begin
  readonly find: Find
}

export interface CommandFacts {
  /** Undefined: the server itself cannot tell all keys by the words' places. */
  readonly keys: readonly KeySpec[] | undefined
  /** Of another module, or a plugin: what it does with its keys, and with others, nobody knows. */
  readonly isForeign: boolean
}

export type CommandTable = ReadonlyMap<string, CommandFacts>

type Fields = Readonly<Record<string, Plain>>

const isFields = (value: Plain | undefined): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const listOf = (value: Plain | undefined): readonly Plain[] => (Array.isArray(value) ? (value as readonly Plain[]) : [])
const fieldsOf = (value: Plain | undefined): Fields => (isFields(value) ? value : {})
const numberOf = (value: Plain | undefined): number => (typeof value === 'number' ? value : NaN)

/** From the reply to COMMAND. Subcommands are `CONFIG|SET`. */
export function readTable(reply: RespValue): CommandTable {
  const table = new Map<string, CommandFacts>()
  const add = (row: Plain): void => {
    const [name, , flags, , , , , , specs, subcommands] = listOf(row)
    if (typeof name !== 'string') return
    table.set(name.toUpperCase(), { keys: readSpecs(listOf(specs)), isForeign: listOf(flags).includes('module') })
    listOf(subcommands).forEach(add)
  }
  listOf(plain(reply)).forEach(add)
  return table
}

/** Specs of what only looks like a key (channels of SPUBLISH) are left out. */
function readSpecs(rows: readonly Plain[]): readonly KeySpec[] | undefined {
  const specs: KeySpec[] = []
  for (const row of rows.map(fieldsOf)) {
    const flags = listOf(row['flags'])
    if (flags.includes('not_key')) continue
    const begin = readBegin(fieldsOf(row['begin_search']))
    const find = readFind(fieldsOf(row['find_keys']))
    if (begin === undefined || find === undefined || flags.includes('incomplete')) return undefined
    specs.push({ begin, find })
  }
  return specs
}

function readBegin({ type, spec }: Fields): Begin | undefined {
  const { index, keyword, startfrom } = fieldsOf(spec)
  if (type === 'index') return { index: numberOf(index) }
  const from = numberOf(startfrom)
  if (type !== 'keyword' || typeof keyword !== 'string' || !(from > 0)) return undefined
  return { keyword: keyword.toUpperCase(), from }
}

function readFind({ type, spec }: Fields): Find | undefined {
  const { lastkey, keystep, limit, keynumidx, firstkey } = fieldsOf(spec)
  const step = numberOf(keystep)
  if (type === 'range') return { last: numberOf(lastkey), step, limit: numberOf(limit) }
  return type === 'keynum' ? { countAt: numberOf(keynumidx), first: numberOf(firstkey), step } : undefined
}

/** The places of the keys among the arguments; undefined if these words do not fit the table. */
export function keyPlaces(specs: readonly KeySpec[], args: readonly Buffer[]): readonly number[] | undefined {
  const places = new Set<number>()
  for (const spec of specs) {
    const found = placesOf(spec, args)
    if (found === undefined) return undefined
    for (const place of found) places.add(place - 1)
  }
  return [...places]
}

function placesOf({ begin, find }: KeySpec, args: readonly Buffer[]): readonly number[] | undefined {
  const length = args.length + 1
  const start = 'index' in begin ? begin.index : behind(begin, find, args)
  if (start === 0) return []
  if (start === undefined) return undefined
  if ('last' in find) {
    const rest = find.limit > 1 ? start + Math.floor((length - start) / find.limit) : length
    const last = find.last >= 0 ? start + find.last : rest + find.last
    return range(start, last, find.step, length)
  }
  const word = args[start + find.countAt - 1]?.toString() ?? ''
  if (!/^\d{1,9}$/.test(word)) return undefined
  const count = Number(word)
  const first = start + find.first
  return count === 0 ? [] : range(first, first + (count - 1) * find.step, find.step, length)
}

/** The place behind the keyword; 0 if it is not there. If it is there twice, only the command knows which one counts. */
function behind(
  { keyword, from }: { readonly keyword: string; readonly from: number },
  find: Find,
  args: readonly Buffer[],
): number | undefined {
  const is = (word: Buffer): boolean => word.toString('latin1').toUpperCase() === keyword
  const at = args.findIndex((word, index) => index + 1 >= from && is(word))
  if (at < 0) return 0
  const takesRest = 'last' in find && find.last < 0
  return !takesRest && args.slice(at + 1).some(is) ? undefined : at + 2
}

function range(first: number, last: number, step: number, length: number): readonly number[] | undefined {
  if (!(step > 0) || first < 1 || last < first || last >= length) return undefined
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, at) => first + at * step)
}
