/**
 * What a handler returned, as RESP3. Runs for every reply. Nothing is left in the writer when a value cannot be sent.
 */

import type { ByteWriter } from '../bridge/byte-writer.js'
import {
  kMaxNesting,
  respArray,
  respBigNumber,
  respBoolean,
  respBulk,
  respDouble,
  respError,
  respInteger,
  respMap,
  respNull,
  respSet,
  respSimple,
  respSlot,
  respVerbatim,
} from '../bridge/resp.js'
import { PluginError } from './plugin-error.js'
import { CommitResult, ReplyMarker } from './reply.js'

export { CommitResult } from './reply.js'

const maxInt64 = 2n ** 63n - 1n
const minInt64 = -(2n ** 63n)

/** A value in a reply that RESP has no form for. A bug of the plugin. */
export class ReplyError extends TypeError {
  override readonly name = 'ReplyError'
  /** From the innermost item outwards. */
  private readonly path: string[] = []

  constructor(private readonly problem: string) {
    super(problem)
  }

  /** Adds the place of the item, seen from one level further out. */
  at(step: string): this {
    this.path.unshift(step)
    this.message = `reply${this.path.join('')} ${this.problem}`
    return this
  }
}

function nameOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return typeof value
  const { constructor } = value as { constructor?: unknown }
  return typeof constructor === 'function' ? constructor.name : 'object'
}

function refuse(value: unknown): never {
  const hint =
    value === undefined
      ? "is undefined; return null, 'OK' or leave the field out"
      : value instanceof Promise
        ? 'is a promise; await it'
        : `is a ${nameOf(value)}, which has no form in RESP; return plain values, arrays, maps or reply.*`
  throw new ReplyError(hint)
}

function encodeNumber(w: ByteWriter, value: number): void {
  if (Number.isSafeInteger(value)) respInteger(w, value === 0 ? 0 : value)
  else respDouble(w, value)
}

function encodeBigint(w: ByteWriter, value: bigint): void {
  if (value >= minInt64 && value <= maxInt64) respInteger(w, value)
  else respBigNumber(w, value)
}

function encodeItem(w: ByteWriter, value: unknown, depth: number, step: string | number): void {
  try {
    encodeValue(w, value, depth)
  } catch (error) {
    throw error instanceof ReplyError ? error.at(typeof step === 'number' ? `[${step}]` : `.${step}`) : error
  }
}

function encodeItems(w: ByteWriter, items: readonly unknown[], depth: number): void {
  for (let index = 0; index < items.length; index++) encodeItem(w, items[index], depth, index)
}

function encodeEntries(w: ByteWriter, entries: readonly (readonly [unknown, unknown])[], depth: number): void {
  respMap(w, entries.length)
  entries.forEach(([key, value], index) => {
    encodeItem(w, key, depth, index)
    encodeItem(w, value, depth, typeof key === 'string' ? key : index)
  })
}

function encodePlainObject(w: ByteWriter, value: object, depth: number): void {
  const record = value as Record<string, unknown>
  const fields = Object.keys(record)
  respMap(w, fields.length)
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index]! // below the length
    respBulk(w, field)
    encodeItem(w, record[field], depth, field)
  }
}

function encodeMarker(w: ByteWriter, marker: ReplyMarker, depth: number): void {
  const { kind, value, detail } = marker
  if (kind === 'error') respError(w, detail, String(value))
  else if (kind === 'simple') respSimple(w, String(value))
  else if (kind === 'verbatim') respVerbatim(w, detail, Buffer.isBuffer(value) ? value : String(value))
  else if (kind === 'double') respDouble(w, Number(value))
  else if (kind === 'bigNumber') respBigNumber(w, BigInt(value as bigint))
  else if (kind === 'map') encodeEntries(w, value as readonly (readonly [unknown, unknown])[], depth)
  else {
    const items = value as readonly unknown[]
    respSet(w, items.length)
    encodeItems(w, items, depth)
  }
}

function asBuffer(value: Uint8Array): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

function encodeObject(w: ByteWriter, value: object, depth: number): void {
  if (value instanceof Uint8Array) return respBulk(w, asBuffer(value))
  if (value instanceof CommitResult) return respSlot(w, value.index)
  if (value instanceof PluginError) return respError(w, value.code, value.text)
  if (depth > kMaxNesting) throw new ReplyError(`is nested deeper than ${kMaxNesting} levels (a cycle?)`)
  const inner = depth + 1
  if (Array.isArray(value)) {
    respArray(w, value.length)
    return encodeItems(w, value, inner)
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return encodePlainObject(w, value, inner)
  if (value instanceof ReplyMarker) return encodeMarker(w, value, inner)
  if (value instanceof Map) return encodeEntries(w, [...value], inner)
  if (!(value instanceof Set)) refuse(value)
  respSet(w, value.size)
  encodeItems(w, [...value], inner)
}

function encodeValue(w: ByteWriter, value: unknown, depth: number): void {
  if (typeof value === 'string') respBulk(w, value)
  else if (typeof value === 'number') encodeNumber(w, value)
  else if (value === null) respNull(w)
  else if (typeof value === 'object') encodeObject(w, value, depth)
  else if (typeof value === 'boolean') respBoolean(w, value)
  else if (typeof value === 'bigint') encodeBigint(w, value)
  else refuse(value)
}

/**
 * Writes a handler's result as one RESP3 value; results of `ctx.commit` become `@n`.
 *
 * @throws ReplyError for a value that RESP cannot carry (`undefined`, functions, promises, class instances, more than
 *   32 levels); the writer is then as it was before
 */
export function encodeReply(w: ByteWriter, value: unknown): void {
  const start = w.length
  try {
    encodeValue(w, value, 1)
  } catch (error) {
    w.truncate(start)
    throw error instanceof ReplyError ? error.at('') : error
  }
}
