/** Replies that a plain value cannot say, and the type of everything that a handler may return. */

import type { RespValue } from '../bridge/resp-value.js'
import { checkErrorCode, type PluginError } from './plugin-error.js'

/** What a reply marker stands for. @internal */
export type MarkerKind = 'error' | 'simple' | 'verbatim' | 'double' | 'bigNumber' | 'set' | 'map'

/** A reply that `reply.*` made. May stand anywhere in a reply. */
export class ReplyMarker {
  /** @internal */
  constructor(
    readonly kind: MarkerKind,
    readonly value: unknown,
    /** The code of an error, the format of a verbatim string. */
    readonly detail = '',
  ) {}
}

/**
 * Stands for the reply of a command that was queued with `ctx.commit`. The module puts the reply in its place, once the
 * commit is done. Gives access to nothing: at the time when the handler runs the reply does not exist yet.
 */
export class CommitResult {
  /** @param index place of the command in the commit, from 0 */
  constructor(readonly index: number) {}
}

/**
 * What a handler may return: strings and Buffers (bulk strings), numbers (integers if whole, else doubles), bigint,
 * boolean, null, arrays, sets, maps and plain objects (maps) of these, `reply.*`, results of `ctx.commit`, and what
 * `ctx.call` gave.
 * `undefined` is none of them: return `null` or `'OK'`. (Objects that are typed by an `interface` do not match, since
 * TypeScript gives it no index signature: use a `type`.)
 */
export type Reply =
  | RespValue // null, boolean, number, bigint, string, Buffer, and what only ctx.call gives
  | Uint8Array
  | ReplyMarker
  | CommitResult
  | PluginError
  | readonly Reply[]
  | ReadonlySet<Reply>
  | ReadonlyMap<Reply, Reply>
  | { readonly [field: string]: Reply }

/**
 * Makes the replies that no plain value stands for.
 *
 * @example
 * return reply.error('NOTFOUND', 'no such session')
 */
export const reply = {
  /** An error reply `-CODE text`; as an item it fails that item alone. @throws RangeError for a code that is none */
  error: (code: string, text: string): ReplyMarker => new ReplyMarker('error', text, checkErrorCode(code)),
  /** A status such as `OK`: one line. */
  simple: (text: string): ReplyMarker => new ReplyMarker('simple', text),
  /** Text with a format of three letters, `txt` or `mkd`; clients on RESP2 get the text. @default format 'txt' */
  verbatim: (text: string | Buffer, format = 'txt'): ReplyMarker => new ReplyMarker('verbatim', text, format),
  /** A double even if the number is whole. */
  double: (value: number): ReplyMarker => new ReplyMarker('double', value),
  /** A big number, of any size. A plain bigint is an integer as long as it has 64 bits. */
  bigNumber: (value: bigint): ReplyMarker => new ReplyMarker('bigNumber', value),
  /** A set, of items that are different. */
  set: (items: Iterable<Reply>): ReplyMarker => new ReplyMarker('set', [...items]),
  /** A map with keys of any type, in this order. */
  map: (entries: Iterable<readonly [Reply, Reply]>): ReplyMarker => new ReplyMarker('map', [...entries]),
} as const
