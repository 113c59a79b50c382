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
import { RespError, RespMap, RespSet, RespVerbatim } from '../bridge/resp-value.js'
import { PluginError } from './plugin-error.js'
import { CommitResult, ReplyMarker } from './reply.js'

export { CommitResult } from './reply.js'

const maxInt64 = 2n ** 63n - 1n
const minInt64 = -(2n ** 63n)

/** Number of commands in the commit that goes with the reply being written. */
let slots = 0

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
        : `is of type ${nameOf(value)}, which has no form in RESP; return plain values, arrays, maps or reply.*`
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

function encodeSet(w: ByteWriter, items: readonly unknown[], depth: number): void {
  respSet(w, items.length)
  encodeItems(w, items, depth)
}

function encodeEntries(w: ByteWriter, entries: readonly (readonly [unknown, unknown])[], depth: number): void {
  respMap(w, entries.length)
  entries.forEach(([key, value], index) => {
    encodeItem(w, key, depth, index)
    encodeItem(w, value, depth, typeof key === 'string' ? key : index)
  })
}

/**
 * Field names as RESP writes them: replies use the same few again and again. A plugin that makes up names without end
 * stops adding here.
 */
const fieldHeads = new Map<string, string>()
const mostFieldHeads = 2000

function encodeField(w: ByteWriter, field: string): void {
  const head = fieldHeads.get(field)
  if (head !== undefined) {
    w.raw(head)
    return
  }
  respBulk(w, field)
  if (field.length <= 64 && fieldHeads.size < mostFieldHeads) {
    fieldHeads.set(field, `$${Buffer.byteLength(field)}\r\n${field}\r\n`)
  }
}

function encodePlainObject(w: ByteWriter, value: object, depth: number): void {
  const record = value as Record<string, unknown>
  const fields = Object.keys(record)
  respMap(w, fields.length)
  for (const field of fields) {
    encodeField(w, field)
    encodeItem(w, record[field], depth, field)
  }
}

function encodeMarker(w: ByteWriter, marker: ReplyMarker, depth: number): void {
  const { kind, value, detail } = marker
  if (kind === 'error') respError(w, detail, String(value))
  else if (kind === 'simple') respSimple(w, String(value))
  else if (kind === 'verbatim') respVerbatim(w, detail, Buffer.isBuffer(value) ? value : String(value))
  else if (kind === 'double') respDouble(w, Number(value))
  else if (kind === 'bigNumber') respBigNumber(w, value as bigint)
  else if (kind === 'map') encodeEntries(w, value as readonly (readonly [unknown, unknown])[], depth)
  else encodeSet(w, value as readonly unknown[], depth)
}

/** A result that was kept from an earlier call would stand for nothing; the module closes the lane of who sends one. */
function encodeSlot(w: ByteWriter, { index }: CommitResult): void {
  if (!(index < slots)) throw new ReplyError('is the result of a commit that this call has not made')
  respSlot(w, index)
}

function asBuffer(value: Uint8Array): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

function encodeObject(w: ByteWriter, value: object, depth: number): void {
  if (value instanceof Uint8Array) respBulk(w, asBuffer(value))
  else if (value instanceof CommitResult) encodeSlot(w, value)
  else if (value instanceof PluginError) respError(w, value.code, value.text)
  else if (value instanceof RespError) respError(w, value.code, value.message)
  else if (value instanceof RespVerbatim) respVerbatim(w, value.format, value.text)
  else if (depth > kMaxNesting) throw new ReplyError(`is nested deeper than ${kMaxNesting} levels (a cycle?)`)
  else encodeAggregate(w, value, depth + 1)
}

function encodeAggregate(w: ByteWriter, value: object, depth: number): void {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) encodePlainObject(w, value, depth)
  else if (Array.isArray(value)) {
    respArray(w, value.length)
    encodeItems(w, value, depth)
  } else if (value instanceof ReplyMarker) encodeMarker(w, value, depth)
  else if (value instanceof Map) encodeEntries(w, [...value], depth)
  else if (value instanceof RespMap) encodeEntries(w, value.entries, depth)
  else if (value instanceof Set) encodeSet(w, [...value], depth)
  else if (value instanceof RespSet) encodeSet(w, value.items, depth)
  else refuse(value)
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
 * Writes a handler's result as one RESP3 value; results of `ctx.commit` become `@n`, what `ctx.call` gave goes out as it
 * came in.
 *
 * @param committed how many commands the commit that goes with it has
 * @throws ReplyError for a value that RESP cannot carry (`undefined`, functions, promises, class instances, more than
 *   32 levels, results of another commit); the writer is then as it was before
 */
export function encodeReply(w: ByteWriter, value: unknown, committed = 0): void {
  const start = w.length
  slots = committed
  try {
    encodeValue(w, value, 1)
  } catch (error) {
    w.truncate(start)
    throw error instanceof ReplyError ? error.at('') : error
  }
}
