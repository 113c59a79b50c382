/** What an event of plugins carries: checked and encoded before it leaves its plugin. */

/** A JSON value. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined }

/** What comes with an event: a JSON value, bytes, or nothing. */
export type EventPayload = Json | Buffer | undefined

/** Bytes that an encoded payload may have. */
export const mostPayloadBytes = 1024 * 1024

/** What an event may be called. */
export const eventNamePattern = /^[A-Za-z][A-Za-z0-9._:-]{0,63}$/

export interface EncodedPayload {
  readonly format: 'none' | 'bytes' | 'json'
  readonly bytes: Buffer
}

/** @throws TypeError for what is no JSON value, RangeError for more than 1 MiB */
export function encodePayload(payload: unknown): EncodedPayload {
  const encoded = encode(payload)
  const { length } = encoded.bytes
  if (length <= mostPayloadBytes) return encoded
  throw new RangeError(
    `the payload of an event has at most ${mostPayloadBytes} bytes, got ${length}: put it into a key`,
  )
}

function encode(payload: unknown): EncodedPayload {
  if (payload === undefined) return { format: 'none', bytes: Buffer.alloc(0) }
  if (Buffer.isBuffer(payload)) return { format: 'bytes', bytes: payload }
  checkJson(payload, 'payload', [])
  return { format: 'json', bytes: Buffer.from(JSON.stringify(payload)) }
}

/** What JSON.stringify would change or leave out without a word is refused. */
function checkJson(value: unknown, place: string, around: readonly unknown[]): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return
  if (typeof value === 'number' && Number.isFinite(value)) return
  if (typeof value !== 'object' || around.includes(value) || !isPlain(value)) {
    throw new TypeError(`${place} must be a JSON value (a Buffer only as the whole payload), got ${kindOf(value)}`)
  }
  const inner = [...around, value]
  if (Array.isArray(value)) value.forEach((item, index) => checkJson(item, `${place}[${index}]`, inner))
  else {
    for (const [name, item] of Object.entries(value)) {
      if (item !== undefined) checkJson(item, `${place}.${name}`, inner)
    }
  }
}

function kindOf(value: unknown): string {
  if (typeof value === 'object') return 'an object that is not plain, or holds itself'
  return typeof value === 'number' ? String(value) : typeof value
}

function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
