/**
 * From one word of a command to a value. Runs for every argument of every command: plain functions that are chosen when
 * the plugin is compiled, no closure and no intermediate string for integers.
 */

import { isUtf8 } from 'node:buffer'
import type { ArgSpec } from './arg.js'
import { ArgumentError } from './plugin-error.js'

/** One word's place in a command: how to read it and what to say when that fails. */
export interface WordField {
  readonly name: string
  readonly read: (word: Buffer, field: WordField) => unknown
  /** End of the sentence "argument 'x' must be …". */
  readonly expected: string
  /** Bounds of a number; ±Infinity when open, and not used by the other kinds. */
  readonly min: number
  readonly max: number
  readonly minBig: bigint
  readonly maxBig: bigint
  /** The words of an enum by their capitals. */
  readonly words: ReadonlyMap<string, string>
}

const minInt64 = -(2n ** 63n)
const maxInt64 = 2n ** 63n - 1n
const zero = 0x30
const nine = 0x39
const minus = 0x2d
/** Up to here a loop over the bytes beats the call into `isUtf8` (Node 20). */
const shortText = 24
const shownBytes = 64
const longestToken = 64
const floatForm = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const integerForm = /^(?:0|-?[1-9]\d*)$/

function isShortAscii(word: Buffer): boolean {
  if (word.length > shortText) return false
  for (const byte of word) if (byte > 0x7f) return false
  return true
}

/** The text of the bytes, `undefined` if they are not UTF-8. */
export function strictText(word: Buffer): string | undefined {
  if (isShortAscii(word)) return word.toString('latin1')
  return isUtf8(word) ? word.toString('utf8') : undefined
}

/** The bytes for an error message: at most 64, and nothing that could end the line. */
export function shown(word: Buffer): string {
  const text = word.subarray(0, shownBytes).toString('latin1')
  const printable = text.replace(/[^\x20-\x7e]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
  return word.length > shownBytes ? `'${printable}'…` : `'${printable}'`
}

function refuse(word: Buffer, field: WordField): never {
  throw new ArgumentError(`argument '${field.name}' must be ${field.expected}, got ${shown(word)}`)
}

function readText(word: Buffer, field: WordField): string {
  return strictText(word) ?? refuse(word, field)
}

function readBytes(word: Buffer): Buffer {
  return word
}

/** The integer that the bytes write in Redis' one form, NaN for anything else or beyond 15 digits. */
function shortInteger(word: Buffer): number {
  const negative = word[0] === minus
  const first = negative ? 1 : 0
  if (word.length === first || word.length > first + 15) return NaN
  if (word[first] === zero) return word.length === 1 ? 0 : NaN
  let value = 0
  for (let at = first; at < word.length; at++) {
    const digit = word[at] as number // `at` is below the length
    if (digit < zero || digit > nine) return NaN
    value = value * 10 + (digit - zero)
  }
  return negative ? -value : value
}

function longInteger(word: Buffer): number {
  if (word.length < 16 || word.length > 17) return NaN
  const text = word.toString('latin1')
  const value = integerForm.test(text) ? Number(text) : NaN
  return Number.isSafeInteger(value) ? value : NaN
}

function readInteger(word: Buffer, field: WordField): number {
  let value = shortInteger(word)
  if (value !== value) value = longInteger(word) // NaN is the one value that differs from itself
  return value >= field.min && value <= field.max ? value : refuse(word, field)
}

function readBigint(word: Buffer, field: WordField): bigint {
  const text = word.length <= 20 ? word.toString('latin1') : ''
  if (!integerForm.test(text)) refuse(word, field)
  const value = BigInt(text)
  return value >= field.minBig && value <= field.maxBig ? value : refuse(word, field)
}

function readFloat(word: Buffer, field: WordField): number {
  const text = word.length <= 128 ? word.toString('latin1') : ''
  const value = floatForm.test(text) ? Number(text) : NaN
  const inRange = Number.isFinite(value) && value >= field.min && value <= field.max
  return inRange ? value : refuse(word, field)
}

/** The word in capitals, as tokens and the words of enums are compared; empty for what can be none of them. */
export function capitalsOf(word: Buffer): string {
  if (word.length > longestToken) return ''
  const text = word.toString('latin1').toUpperCase()
  return text.length === word.length ? text : '' // byte DF, ß, would become SS
}

function readEnum(word: Buffer, field: WordField): string {
  return field.words.get(capitalsOf(word)) ?? refuse(word, field)
}

function rangeText(noun: string, min: number | bigint | undefined, max: number | bigint | undefined): string {
  if (min !== undefined && max !== undefined) return `${noun} from ${String(min)} to ${String(max)}`
  if (min !== undefined) return `${noun} ≥ ${String(min)}`
  return max === undefined ? noun : `${noun} ≤ ${String(max)}`
}

function expectation(spec: ArgSpec): string {
  if (spec.kind === 'integer') {
    const isOpen = spec.min === undefined && spec.max === undefined
    return isOpen ? `an integer within ±${Number.MAX_SAFE_INTEGER}` : rangeText('an integer', spec.min, spec.max)
  }
  if (spec.kind === 'bigint') return rangeText('a 64-bit integer', spec.min, spec.max)
  if (spec.kind === 'float') return rangeText('a finite number', spec.min, spec.max)
  if (spec.kind === 'enum') return `one of ${(spec.words ?? []).join(', ')}`
  return spec.kind === 'key' ? 'a key in UTF-8' : 'text in UTF-8'
}

const readers: Readonly<Partial<Record<ArgSpec['kind'], WordField['read']>>> = {
  key: readText,
  string: readText,
  keyBuffer: readBytes,
  buffer: readBytes,
  integer: readInteger,
  bigint: readBigint,
  float: readFloat,
  enum: readEnum,
}

/** How to read a word of this kind; `undefined` for the kinds that are not one word. */
export function wordField(name: string, spec: ArgSpec): WordField | undefined {
  const read = readers[spec.kind]
  if (read === undefined) return undefined
  const isInteger = spec.kind === 'integer'
  return {
    name,
    read,
    expected: expectation(spec),
    min: typeof spec.min === 'number' ? spec.min : isInteger ? Number.MIN_SAFE_INTEGER : -Infinity,
    max: typeof spec.max === 'number' ? spec.max : isInteger ? Number.MAX_SAFE_INTEGER : Infinity,
    minBig: typeof spec.min === 'bigint' ? spec.min : minInt64,
    maxBig: typeof spec.max === 'bigint' ? spec.max : maxInt64,
    words: new Map((spec.words ?? []).map((word) => [word.toUpperCase(), word])),
  }
}
