// Part of every generated client module (client-module.ts puts the compiled code of this file into it), so it imports
// nothing at run time.
import type { ShapeSpec } from '../../../sdk/shape.js'

type Pairs = readonly (readonly [unknown, unknown])[]

/**
 * A reply as its command declares it, whatever form the protocol gave it: maps and sets are flat arrays under RESP2,
 * booleans are integers, doubles are text. A value of another kind (an error inside an array) is passed on as it is.
 *
 * @param asText strings become text; else they stay bytes
 */
export function shapeReply(spec: ShapeSpec | undefined, reply: unknown, asText: boolean): unknown {
  if (spec === undefined || reply === null || reply === undefined || reply instanceof Error) {
    return plainReply(reply, asText)
  }
  switch (spec.type) {
    case 'string':
    case 'literal':
      return asText ? textOf(reply) : bytesOf(reply)
    case 'buffer':
      return reply
    case 'integer':
      return isText(reply) ? Number(textOf(reply)) : reply
    case 'double':
      return isText(reply) ? doubleOf(String(textOf(reply))) : reply
    case 'boolean':
      return isText(reply) ? textOf(reply) !== '0' : typeof reply === 'number' ? reply !== 0 : reply
    case 'bigint':
      return isText(reply) || typeof reply === 'number' ? BigInt(textOf(reply) as string | number) : reply
    case 'nullable':
      return shapeReply(spec.item, reply, asText)
    case 'array':
      return itemsOf(reply).map((item) => shapeReply(spec.item, item, asText))
    case 'set':
      return new Set(itemsOf(reply).map((item) => shapeReply(spec.item, item, asText)))
    case 'record':
      return shapeFields(reply, () => spec.item, asText)
    case 'map':
      return shapeFields(reply, (field) => (Object.hasOwn(spec.fields, field) ? spec.fields[field] : undefined), asText)
  }
}

function shapeFields(reply: unknown, specOf: (field: string) => ShapeSpec | undefined, asText: boolean): unknown {
  const entries = pairsOf(reply).map(([key, value]) => {
    const field = String(textOf(key))
    return [field, shapeReply(specOf(field), value, asText)] as const
  })
  // Makes own properties of any name, `__proto__` too.
  return Object.fromEntries(entries)
}

/** A value of which nothing is declared. */
function plainReply(reply: unknown, asText: boolean): unknown {
  if (Array.isArray(reply)) return reply.map((item) => plainReply(item, asText))
  if (isObject(reply)) return shapeFields(reply, () => undefined, asText)
  return asText ? textOf(reply) : reply
}

/** A map, as a client that makes objects of them gives it. */
function isObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function isText(value: unknown): boolean {
  return typeof value === 'string' || Buffer.isBuffer(value)
}

function textOf(value: unknown): unknown {
  return Buffer.isBuffer(value) ? value.toString('utf8') : value
}

function bytesOf(value: unknown): unknown {
  return typeof value === 'string' ? Buffer.from(value) : value
}

function doubleOf(text: string): number {
  if (text === 'inf') return Infinity
  return text === '-inf' ? -Infinity : Number(text)
}

function itemsOf(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply as readonly unknown[]
  return reply instanceof Set ? [...(reply as ReadonlySet<unknown>)] : [reply]
}

function pairsOf(reply: unknown): Pairs {
  if (reply instanceof Map) return [...(reply as ReadonlyMap<unknown, unknown>)]
  if (Array.isArray(reply)) {
    const flat = reply as readonly unknown[]
    return flat.flatMap((key, at) => (at % 2 === 0 ? [[key, flat[at + 1]] as const] : []))
  }
  return Object.entries(reply as object)
}
