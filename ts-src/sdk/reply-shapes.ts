/** From the server's RESP3 values to what a declared read promises. Any other value is an error that names the read. */

import { RespError, RespMap, RespSet, type RespValue } from '../bridge/resp-value.js'
import { strictText } from './parse-word.js'
import { PluginError } from './plugin-error.js'

/** Turns the reply of a read into the value in `ctx.reads`; `name` is the read's, for messages. */
export type ReadDecoder<Value> = (value: RespValue, name: string) => Value

function unexpected(value: RespValue, name: string, expected: string): never {
  if (value instanceof RespError) throw new PluginError(value.code, value.message)
  const got = value === null ? 'null' : typeof value === 'object' ? value.constructor.name : typeof value
  throw new TypeError(`read '${name}' expected ${expected} from the server, got ${got}`)
}

export const bytes: ReadDecoder<Buffer> = (value, name) => {
  if (Buffer.isBuffer(value)) return value
  return typeof value === 'string' ? Buffer.from(value) : unexpected(value, name, 'a string')
}

export const text: ReadDecoder<string> = (value, name) => {
  if (typeof value === 'string') return value
  if (!Buffer.isBuffer(value)) return unexpected(value, name, 'a string')
  const decoded = strictText(value)
  if (decoded !== undefined) return decoded
  throw new PluginError('ERR', `the value of read '${name}' is not UTF-8 text`)
}

export const bytesOrNull: ReadDecoder<Buffer | null> = (value, name) => (value === null ? null : bytes(value, name))

export const textOrNull: ReadDecoder<string | null> = (value, name) => (value === null ? null : text(value, name))

export const integer: ReadDecoder<number> = (value, name) =>
  typeof value === 'number' ? value : unexpected(value, name, 'an integer')

export const integerOrNull: ReadDecoder<number | null> = (value, name) => (value === null ? null : integer(value, name))

export const double: ReadDecoder<number> = (value, name) => {
  if (typeof value === 'number') return value
  const written = Buffer.isBuffer(value) ? Number(value.toString('latin1').replace('inf', 'Infinity')) : NaN
  return Number.isNaN(written) ? unexpected(value, name, 'a number') : written
}

export const doubleOrNull: ReadDecoder<number | null> = (value, name) => (value === null ? null : double(value, name))

export const truth: ReadDecoder<boolean> = (value, name) => {
  if (typeof value === 'boolean') return value
  return typeof value === 'number' ? value !== 0 : unexpected(value, name, 'an integer')
}

function itemsOf(value: RespValue, name: string): readonly RespValue[] {
  if (value instanceof RespSet) return value.items
  return Array.isArray(value) ? (value as readonly RespValue[]) : unexpected(value, name, 'an array')
}

function pairsOf(value: RespValue, name: string): readonly (readonly [RespValue, RespValue])[] {
  if (value instanceof RespMap) return value.entries
  const items = itemsOf(value, name)
  return items.flatMap((item, at) => (at % 2 === 0 ? [[item, items[at + 1] ?? null] as const] : []))
}

export const listOf =
  <Item>(item: ReadDecoder<Item>): ReadDecoder<readonly Item[]> =>
  (value, name) =>
    itemsOf(value, name).map((one) => item(one, name))

export const setOf =
  <Item>(item: ReadDecoder<Item>): ReadDecoder<ReadonlySet<Item>> =>
  (value, name) =>
    new Set(itemsOf(value, name).map((one) => item(one, name)))

/** A hash as an object without a prototype, so that a field may have any name. */
export const textRecord: ReadDecoder<Readonly<Record<string, string>>> = (value, name) => {
  const record = Object.create(null) as Record<string, string>
  for (const [field, item] of pairsOf(value, name)) record[text(field, name)] = text(item, name)
  return record
}

export const bytesMap: ReadDecoder<ReadonlyMap<string, Buffer>> = (value, name) =>
  new Map(pairsOf(value, name).map(([field, item]) => [text(field, name), bytes(item, name)]))

/** Members with their scores: pairs in RESP3, a flat row in RESP2. */
export const scored: ReadDecoder<readonly ScoredMember[]> = (value, name) => {
  const items = itemsOf(value, name)
  const pairs = Array.isArray(items[0]) ? items.map((item) => itemsOf(item, name)) : pairsOf(value, name)
  return pairs.map(([member = null, score = null]) => ({ member: text(member, name), score: double(score, name) }))
}

/** A member of a sorted set. */
export interface ScoredMember {
  readonly member: string
  readonly score: number
}
