/** What a command replies, declared: gives the generated client types their reply types and holds the handler to it. */

import type { CommitResult, ReplyMarker } from './reply.js'

declare const kType: unique symbol

/** A declared reply as plain data, kept in `ferrite.json`. */
export type ShapeSpec =
  | { readonly type: 'string' | 'integer' | 'double' | 'boolean' | 'bigint' | 'buffer' }
  | { readonly type: 'literal'; readonly value: string }
  | { readonly type: 'nullable' | 'array' | 'set' | 'record'; readonly item: ShapeSpec }
  | { readonly type: 'map'; readonly fields: Readonly<Record<string, ShapeSpec>> }

/** The declaration of a reply. Made by `shape.*`. */
export class ReplyShape<Value> {
  declare readonly [kType]: Value

  /** @internal */
  constructor(readonly spec: ShapeSpec) {}
}

/** The type that a shape declares. */
export type ShapeValue<S> = S extends ReplyShape<infer Value> ? Value : never

/** What a handler may return for a declared type: at any place the result of a commit or a marker can stand in. */
export type ReplyOf<Value> =
  | CommitResult
  | ReplyMarker
  | (Value extends Uint8Array | string | number | bigint | boolean | null
      ? Value
      : Value extends ReadonlySet<infer Item>
        ? ReadonlySet<ReplyOf<Item>>
        : { readonly [Name in keyof Value]: ReplyOf<Value[Name]> })

type ShapeRecord = Readonly<Record<string, ReplyShape<unknown>>>
type Fields<S> = { readonly [Name in keyof S]: ShapeValue<S[Name]> }

/**
 * Declares replies.
 *
 * @example
 * returns: shape.map({ allowed: shape.boolean(), remaining: shape.integer() })
 */
export const shape = {
  string: (): ReplyShape<string> => new ReplyShape({ type: 'string' }),
  buffer: (): ReplyShape<Buffer> => new ReplyShape({ type: 'buffer' }),
  integer: (): ReplyShape<number> => new ReplyShape({ type: 'integer' }),
  bigint: (): ReplyShape<bigint> => new ReplyShape({ type: 'bigint' }),
  double: (): ReplyShape<number> => new ReplyShape({ type: 'double' }),
  boolean: (): ReplyShape<boolean> => new ReplyShape({ type: 'boolean' }),
  /** Always this text, such as `OK`. */
  literal: <const Text extends string>(value: Text): ReplyShape<Text> => new ReplyShape({ type: 'literal', value }),
  nullable: <Item>(item: ReplyShape<Item>): ReplyShape<Item | null> =>
    new ReplyShape({ type: 'nullable', item: item.spec }),
  array: <Item>(item: ReplyShape<Item>): ReplyShape<readonly Item[]> =>
    new ReplyShape({ type: 'array', item: item.spec }),
  set: <Item>(item: ReplyShape<Item>): ReplyShape<ReadonlySet<Item>> =>
    new ReplyShape({ type: 'set', item: item.spec }),
  /** A map with any text as keys. */
  record: <Item>(item: ReplyShape<Item>): ReplyShape<Readonly<Record<string, Item>>> =>
    new ReplyShape({ type: 'record', item: item.spec }),
  /** A map with these fields. */
  map: <const S extends ShapeRecord>(fields: S): ReplyShape<Fields<S>> =>
    new ReplyShape({
      type: 'map',
      fields: Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.spec])),
    }),
} as const
