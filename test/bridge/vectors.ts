// The examples of the protocol that both codecs must agree on: reading vectors.json, and its readable forms.
import { readFileSync } from 'node:fs'
import type { Message } from '#lib/bridge/messages.js'
import type { ByteWriter } from '#lib/bridge/byte-writer.js'
import * as resp from '#lib/bridge/resp.js'

export interface FrameVector {
  name: string
  message: unknown
  hex?: string
}

export interface RespVector {
  name: string
  value: unknown
  hex?: string
  decodeOnly?: boolean
}

export interface BadVector {
  name: string
  hex?: string
  text?: string
  code: string
}

export interface Vectors {
  hostFrames: FrameVector[]
  moduleFrames: FrameVector[]
  badHostFrames: BadVector[]
  badModuleFrames: BadVector[]
  resp: RespVector[]
  slots: RespVector[]
  badResp: BadVector[]
}

export function readVectors(path: string): Vectors {
  return JSON.parse(readFileSync(path, 'utf8')) as Vectors
}

export function badBytes(vector: BadVector): Buffer {
  return vector.text === undefined
    ? Buffer.from((vector.hex ?? '').replaceAll(' ', ''), 'hex')
    : Buffer.from(vector.text)
}

/** `{"hex": …}` becomes a Buffer and `{"big": …}` a bigint, everything else stays. */
export function reviveMessage(value: unknown): Message {
  return revive(value) as Message
}

function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive)
  if (typeof value !== 'object' || value === null) return value
  if ('hex' in value) return Buffer.from(String(value.hex), 'hex')
  if ('big' in value) return BigInt(String(value.big))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, revive(item)]))
}

/** The readable form of a message: the inverse of `reviveMessage`, with Buffers of valid UTF-8 as text. */
export function readable(value: unknown): unknown {
  if (typeof value === 'bigint') return { big: String(value) }
  if (Buffer.isBuffer(value)) return readableBytes(value)
  if (Array.isArray(value)) return value.map(readable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, readable(item)]))
}

function readableBytes(bytes: Buffer): unknown {
  const text = bytes.toString()
  return Buffer.from(text).equals(bytes) ? text : { hex: bytes.toString('hex') }
}

type Tagged =
  | { hex: string }
  | { big: string }
  | { simple: string }
  | { error: [string, string] }
  | { double: string }
  | { bigNumber: string }
  | { verbatim: [string, string] }
  | { map: [unknown, unknown][] }
  | { set: unknown[] }
  | { slot: number }

/** Writes the readable form of a RESP value with the writers. */
export function writeReadable(w: ByteWriter, value: unknown): void {
  if (value === null) return resp.respNull(w)
  if (typeof value === 'boolean') return resp.respBoolean(w, value)
  if (typeof value === 'number') return resp.respInteger(w, value)
  if (typeof value === 'string') return resp.respBulk(w, value)
  if (Array.isArray(value)) {
    resp.respArray(w, value.length)
    for (const item of value) writeReadable(w, item)
    return
  }
  writeTagged(w, value as Tagged)
}

function writeTagged(w: ByteWriter, value: Tagged): void {
  if ('hex' in value) resp.respBulk(w, Buffer.from(value.hex, 'hex'))
  else if ('big' in value) resp.respInteger(w, BigInt(value.big))
  else if ('simple' in value) resp.respSimple(w, value.simple)
  else if ('error' in value) resp.respError(w, value.error[0], value.error[1])
  else if ('double' in value) resp.respDouble(w, doubleOf(value.double))
  else if ('bigNumber' in value) resp.respBigNumber(w, BigInt(value.bigNumber))
  else if ('verbatim' in value) resp.respVerbatim(w, value.verbatim[0], value.verbatim[1])
  else if ('slot' in value) resp.respSlot(w, value.slot)
  else if ('map' in value) {
    resp.respMap(w, value.map.length)
    for (const [key, item] of value.map) {
      writeReadable(w, key)
      writeReadable(w, item)
    }
  } else {
    resp.respSet(w, value.set.length)
    for (const item of value.set) writeReadable(w, item)
  }
}

/** What decoding must give for the readable form of a RESP value. */
export function decodedForm(value: unknown): resp.RespValue {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value
  if (typeof value === 'string') return Buffer.from(value)
  if (Array.isArray(value)) return value.map(decodedForm)
  return decodedTagged(value as Tagged)
}

function decodedTagged(value: Tagged): resp.RespValue {
  if ('hex' in value) return Buffer.from(value.hex, 'hex')
  if ('big' in value) return BigInt(value.big)
  if ('simple' in value) return value.simple
  if ('error' in value) return new resp.RespError(value.error[0], value.error[1])
  if ('double' in value) return doubleOf(value.double)
  if ('bigNumber' in value) return BigInt(value.bigNumber)
  if ('verbatim' in value) return new resp.RespVerbatim(value.verbatim[0], Buffer.from(value.verbatim[1]))
  if ('slot' in value) return new resp.RespSlot(value.slot)
  if ('map' in value) {
    return new resp.RespMap(value.map.map(([key, item]) => [decodedForm(key), decodedForm(item)] as const))
  }
  return new resp.RespSet(value.set.map(decodedForm))
}

function doubleOf(text: string): number {
  if (text === 'inf') return Infinity
  return text === '-inf' ? -Infinity : Number(text)
}
