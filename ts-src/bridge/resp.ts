// Writers of RESP3 values, as the server itself would write them, and the value types. The decoder is in resp-decoder.ts.
import type { ByteWriter } from './byte-writer.js'
import { RespError, RespMap, RespSet, RespSlot, RespVerbatim, type RespValue } from './resp-value.js'

export { decodeResp, kMaxNesting, type DecodeOptions } from './resp-decoder.js'
export { RespError, RespMap, RespSet, RespSlot, RespVerbatim, type RespValue } from './resp-value.js'

const kMaxI64 = 0x7fff_ffff_ffff_ffffn
const kLineBreaks = /[\r\n]+/g
const kColon = 0x3a
const kDollar = 0x24

export function respNull(w: ByteWriter): void {
  w.raw('_\r\n')
}

/** @throws RangeError for a number that is not a safe integer, or a bigint beyond 64 bits */
export function respInteger(w: ByteWriter, value: number | bigint): void {
  const fits = typeof value === 'bigint' ? value <= kMaxI64 && value >= -kMaxI64 - 1n : Number.isSafeInteger(value)
  if (!fits) throw new RangeError(`${value} is not an integer of 64 bits (as a number: of 53 bits)`)
  if (typeof value === 'number') w.decimalLine(kColon, value)
  else w.raw(`:${value}\r\n`)
}

export function respBulk(w: ByteWriter, value: Buffer | string): void {
  const length = typeof value === 'string' ? utf8Length(value) : value.length
  w.decimalLine(kDollar, length)
  w.raw(value)
  w.raw('\r\n')
}

/** A status such as OK. Line breaks cannot be in one: they become spaces. */
export function respSimple(w: ByteWriter, text: string): void {
  w.raw(`+${oneLine(text)}\r\n`)
}

export function respDouble(w: ByteWriter, value: number): void {
  w.raw(`,${doubleText(value)}\r\n`)
}

export function respBoolean(w: ByteWriter, value: boolean): void {
  w.raw(value ? '#t\r\n' : '#f\r\n')
}

export function respBigNumber(w: ByteWriter, value: bigint): void {
  w.raw(`(${value}\r\n`)
}

/** @throws RangeError when `format` is not three ASCII characters */
export function respVerbatim(w: ByteWriter, format: string, text: Buffer | string): void {
  if (!/^[!-9;-~]{3}$/.test(format))
    throw new RangeError(`"${format}" is not a format of three characters, such as txt`)
  const length = 4 + (typeof text === 'string' ? utf8Length(text) : text.length)
  w.raw(`=${length}\r\n${format}:`)
  w.raw(text)
  w.raw('\r\n')
}

/** An error reply. Line breaks in it become spaces, since RESP has no way to carry them. */
export function respError(w: ByteWriter, code: string, text: string): void {
  w.raw(text === '' ? `-${oneLine(code)}\r\n` : `-${oneLine(code)} ${oneLine(text)}\r\n`)
}

/** The head of an array; its `count` items follow. */
export function respArray(w: ByteWriter, count: number): void {
  w.raw(`*${count}\r\n`)
}

/** The head of a map; `count` pairs of key and value follow. */
export function respMap(w: ByteWriter, count: number): void {
  w.raw(`%${count}\r\n`)
}

/** The head of a set; its `count` members follow. */
export function respSet(w: ByteWriter, count: number): void {
  w.raw(`~${count}\r\n`)
}

/** Stands for the reply of command `index` of the commit (protocol page, Values). */
export function respSlot(w: ByteWriter, index: number): void {
  w.raw(`@${index}\r\n`)
}

/** Writes a decoded value again. Numbers become integers where they are whole, doubles otherwise. */
export function encodeResp(w: ByteWriter, value: RespValue): void {
  if (value === null) respNull(w)
  else if (Buffer.isBuffer(value)) respBulk(w, value)
  else if (typeof value === 'object') encodeAggregate(w, value)
  else encodeScalar(w, value)
}

function encodeScalar(w: ByteWriter, value: boolean | number | bigint | string): void {
  if (typeof value === 'string') respSimple(w, value)
  else if (typeof value === 'boolean') respBoolean(w, value)
  else if (typeof value === 'bigint') encodeBigint(w, value)
  else if (Number.isSafeInteger(value) && !Object.is(value, -0)) respInteger(w, value)
  else respDouble(w, value)
}

function encodeBigint(w: ByteWriter, value: bigint): void {
  if (value <= kMaxI64 && value >= -kMaxI64 - 1n) respInteger(w, value)
  else respBigNumber(w, value)
}

function encodeAggregate(
  w: ByteWriter,
  value: Exclude<RespValue, null | boolean | number | bigint | string | Buffer>,
): void {
  if (value instanceof RespError) respError(w, value.code, value.message)
  else if (value instanceof RespVerbatim) respVerbatim(w, value.format, value.text)
  else if (value instanceof RespSlot) respSlot(w, value.index)
  else if (value instanceof RespMap) encodeMap(w, value)
  else {
    const items = value instanceof RespSet ? value.items : value
    if (value instanceof RespSet) respSet(w, items.length)
    else respArray(w, items.length)
    for (const item of items) encodeResp(w, item)
  }
}

function encodeMap(w: ByteWriter, map: RespMap): void {
  respMap(w, map.entries.length)
  for (const [key, item] of map.entries) {
    encodeResp(w, key)
    encodeResp(w, item)
  }
}

function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (value === Infinity) return 'inf'
  if (value === -Infinity) return '-inf'
  return Object.is(value, -0) ? '-0' : String(value)
}

function oneLine(text: string): string {
  return text.includes('\n') || text.includes('\r') ? text.replace(kLineBreaks, ' ') : text
}

function utf8Length(text: string): number {
  if (text.length > 32) return Buffer.byteLength(text)
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return Buffer.byteLength(text)
  return text.length
}
