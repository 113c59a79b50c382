import { RespMap, RespSet, type RespValue } from 'ferrite-plugins/sdk'

/** A reply without the types that only RESP3 has. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [name: string]: Plain }

export function plain(value: RespValue): Plain {
  if (Buffer.isBuffer(value)) return value.toString()
  if (value instanceof RespMap) {
    return Object.fromEntries(value.entries.map(([name, item]) => [textOf(name), plain(item)]))
  }
  if (value instanceof RespSet) return value.items.map(plain)
  if (isList(value)) return value.map(plain)
  return value === null || typeof value !== 'object' ? (typeof value === 'bigint' ? Number(value) : value) : null
}

const textOf = (name: RespValue): string =>
  Buffer.isBuffer(name) ? name.toString() : typeof name === 'string' ? name : ''

function isList(value: RespValue): value is readonly RespValue[] {
  return Array.isArray(value)
}
