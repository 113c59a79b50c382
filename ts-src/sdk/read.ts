/**
 * Reads that a command declares: the module performs them and sends the values along with the request, which saves a
 * round trip and makes `retryOnChange` possible. `reads` runs once, when the plugin is built, with references in place
 * of the arguments; so a read can name arguments and constants, and nothing computed from them.
 */

import type { ReadWord } from '../plugin/command-route.js'
import type { Arg, Presence, Referable } from './arg.js'
import * as decode from './reply-shapes.js'
import type { ReadDecoder, ScoredMember } from './reply-shapes.js'

declare const kRefers: unique symbol

/** Stands for an argument while `reads` is evaluated. Can be handed to `read.*` and nothing else. */
export class Reference<R extends Referable = Referable> {
  declare readonly [kRefers]: R

  /** @internal */
  constructor(
    readonly name: string,
    readonly word: ReadWord | undefined,
  ) {}

  /** Any use as a value ends here: template strings, arithmetic, comparison with `<`. @internal */
  [Symbol.toPrimitive](): never {
    throw new TypeError(
      `the argument '${this.name}' was used as a value. 'reads' runs once at build, before any client sends something: ` +
        `hand the argument itself to read.*, or read in the handler with ctx.redis`,
    )
  }

  /** @internal */
  toJSON(): never {
    return this[Symbol.toPrimitive]()
  }
}

/** What `reads` gets as its parameter. */
export type References<A> = {
  readonly [Name in keyof A]: A[Name] extends Arg<unknown, Presence, infer R> ? Reference<R> : never
}

/** A reference to a key, or to several with `multiple()`. */
export type KeyRef = Reference<'key'>
export type KeysRef = Reference<'keys'>
/** A constant, or a reference to an argument that always stands at the same place. */
export type WordRef = string | number | Reference<'value'>

/** A declared read. @internal */
export class DeclaredRead<Value> {
  /** @internal */
  constructor(
    readonly words: readonly (string | number | Reference)[],
    readonly decode: ReadDecoder<Value>,
  ) {}
}

/** Named reads. @internal */
export type ReadRecord = Readonly<Record<string, DeclaredRead<unknown>>>

/** What `ctx.reads` holds. */
export type ReadValues<R> = { readonly [Name in keyof R]: R[Name] extends DeclaredRead<infer Value> ? Value : never }

type Word = string | number | Reference

function reads<Value>(decoder: ReadDecoder<Value>, ...words: readonly Word[]): DeclaredRead<Value> {
  return new DeclaredRead(words, decoder)
}

/** A read of one key. */
const ofKey =
  <Value>(command: string, decoder: ReadDecoder<Value>) =>
  (key: KeyRef): DeclaredRead<Value> =>
    reads(decoder, command, key)

/** A read of one field or member of a key. */
const ofMember =
  <Value>(command: string, decoder: ReadDecoder<Value>) =>
  (key: KeyRef, member: WordRef): DeclaredRead<Value> =>
    reads(decoder, command, key, member)

/** A read of a range of a key; negative positions count from the end. */
const ofRange =
  <Value>(command: string, decoder: ReadDecoder<Value>) =>
  (key: KeyRef, start: WordRef, stop: WordRef): DeclaredRead<Value> =>
    reads(decoder, command, key, start, stop)

/** A read of several fields of a key. */
const ofMembers =
  <Value>(command: string, decoder: ReadDecoder<Value>) =>
  (key: KeyRef, ...members: readonly [WordRef, ...WordRef[]]): DeclaredRead<Value> =>
    reads(decoder, command, key, ...members)

/** A read of several keys. */
const ofKeys =
  <Value>(command: string, decoder: ReadDecoder<Value>) =>
  (...keys: readonly [KeyRef | KeysRef, ...(KeyRef | KeysRef)[]]): DeclaredRead<Value> =>
    reads(decoder, command, ...keys)

const withScores =
  (command: string) =>
  (key: KeyRef, start: WordRef, stop: WordRef): DeclaredRead<readonly ScoredMember[]> =>
    reads(decode.scored, command, key, start, stop, 'WITHSCORES')

/**
 * The reads that can be declared. Keys must be references; text results are strict UTF-8 (the `Buffer` variants take any
 * bytes); a missing key reads as the native command says: `null`, `0`, empty.
 *
 * @example
 * reads: (args) => ({ tat: read.get(args.bucket), tail: read.lrange(args.log, -10, -1) })
 */
export const read = {
  get: ofKey('GET', decode.textOrNull),
  getBuffer: ofKey('GET', decode.bytesOrNull),
  getrange: ofRange('GETRANGE', decode.text),
  getrangeBuffer: ofRange('GETRANGE', decode.bytes),
  mget: ofKeys('MGET', decode.listOf(decode.textOrNull)),
  mgetBuffer: ofKeys('MGET', decode.listOf(decode.bytesOrNull)),
  strlen: ofKey('STRLEN', decode.integer),
  getbit: ofMember('GETBIT', decode.integer),
  /** Whether the key is there. */
  exists: ofKey('EXISTS', decode.truth),
  /** Seconds to live; -1: no expiry, -2: no such key. */
  ttl: ofKey('TTL', decode.integer),
  /** Milliseconds to live; -1: no expiry, -2: no such key. */
  pttl: ofKey('PTTL', decode.integer),
  /** `string list set zset hash stream`, a module's type, or `none`. */
  type: ofKey('TYPE', decode.text),
  hget: ofMember('HGET', decode.textOrNull),
  hgetBuffer: ofMember('HGET', decode.bytesOrNull),
  hmget: ofMembers('HMGET', decode.listOf(decode.textOrNull)),
  hmgetBuffer: ofMembers('HMGET', decode.listOf(decode.bytesOrNull)),
  /** The whole hash as an object; empty when the key is missing. */
  hgetall: ofKey('HGETALL', decode.textRecord),
  /** The whole hash; fields are text, values bytes. */
  hgetallBuffer: ofKey('HGETALL', decode.bytesMap),
  hkeys: ofKey('HKEYS', decode.listOf(decode.text)),
  hlen: ofKey('HLEN', decode.integer),
  hexists: ofMember('HEXISTS', decode.truth),
  smembers: ofKey('SMEMBERS', decode.setOf(decode.text)),
  smembersBuffer: ofKey('SMEMBERS', decode.listOf(decode.bytes)),
  sismember: ofMember('SISMEMBER', decode.truth),
  smismember: ofMembers('SMISMEMBER', decode.listOf(decode.truth)),
  scard: ofKey('SCARD', decode.integer),
  zscore: ofMember('ZSCORE', decode.doubleOrNull),
  zrank: ofMember('ZRANK', decode.integerOrNull),
  zcard: ofKey('ZCARD', decode.integer),
  zcount: ofRange('ZCOUNT', decode.integer),
  zrange: ofRange('ZRANGE', decode.listOf(decode.text)),
  zrangeBuffer: ofRange('ZRANGE', decode.listOf(decode.bytes)),
  zrangeWithScores: withScores('ZRANGE'),
  zrevrange: ofRange('ZREVRANGE', decode.listOf(decode.text)),
  zrevrangeWithScores: withScores('ZREVRANGE'),
  zrangebyscore: ofRange('ZRANGEBYSCORE', decode.listOf(decode.text)),
  llen: ofKey('LLEN', decode.integer),
  lindex: ofMember('LINDEX', decode.textOrNull),
  lindexBuffer: ofMember('LINDEX', decode.bytesOrNull),
  lrange: ofRange('LRANGE', decode.listOf(decode.text)),
  lrangeBuffer: ofRange('LRANGE', decode.listOf(decode.bytes)),
  xlen: ofKey('XLEN', decode.integer),
} as const
