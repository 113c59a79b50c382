/**
 * Declarations of command arguments. A schema is immutable: each method returns a new one. From one declaration come
 * the parser, arity, key specs, COMMAND DOCS and the types that the handler sees.
 */

declare const kType: unique symbol

/**
 * What a command does with the value of a key: `r` reads it, `rw` reads and changes it, `w` replaces it unread,
 * `rm` deletes it. Decides the command's flags and what a user's ACL must allow.
 */
export type KeyMode = 'r' | 'rw' | 'w' | 'rm'

/** Whether an argument may be left out. @internal */
export type Presence = 'required' | 'optional'

/** How `reads` may refer to an argument: as a key, several keys, a plain word, or not at all. @internal */
export type Referable = 'key' | 'keys' | 'value' | 'none'

/** The kinds of value that one word of a command can hold. @internal */
export type WordKind = 'key' | 'keyBuffer' | 'string' | 'buffer' | 'integer' | 'bigint' | 'float'

/** What the methods of a schema collect. Plain data. @internal */
export interface ArgSpec {
  readonly kind: WordKind | 'enum' | 'flag' | 'block' | 'oneOf' | 'numkeys'
  readonly mode?: KeyMode
  readonly min?: number | bigint
  readonly max?: number | bigint
  /** `enum`: the words, as the handler gets them. */
  readonly words?: readonly string[]
  /** `block`, `oneOf`: the inner arguments. */
  readonly members?: ArgRecord
  /** `numkeys`: the values are Buffers. */
  readonly buffers?: boolean
  readonly token?: string
  readonly optional?: boolean
  readonly fallback?: unknown
  readonly multiple?: MultipleOptions
}

/** How often an argument may be repeated. */
export interface MultipleOptions {
  /** Fewest values. @default 1 */
  readonly min?: number
  /** Most values. @default no limit */
  readonly max?: number
  /** The token comes before each value (`GET a GET b`) instead of once before all of them. @default false */
  readonly repeatToken?: boolean
}

/**
 * An argument of a command. Made by `arg.*`, refined by its methods.
 *
 * @typeParam Value what the handler gets when the argument is there
 */
export class Arg<Value, P extends Presence = Presence, R extends Referable = Referable> {
  declare readonly [kType]: readonly [Value, P, R]

  /** @internal */
  constructor(readonly spec: ArgSpec) {}

  /**
   * The value follows this word, which clients may write in any case: `arg.integer().token('COUNT')` reads `COUNT 10`.
   * Neighbouring arguments with a token may come in any order.
   */
  token(word: string): Arg<Value, P, 'none'> {
    return new Arg({ ...this.spec, token: word })
  }

  /** The argument may be left out; the handler then gets `undefined`. */
  optional(): Arg<Value, 'optional', 'none'> {
    return new Arg({ ...this.spec, optional: true })
  }

  /** The argument may be left out; the handler then gets this value. */
  default(value: Value): Arg<Value, 'required', 'none'> {
    return new Arg({ ...this.spec, optional: true, fallback: value })
  }

  /** The argument may be repeated; the handler gets an array. */
  multiple(options: MultipleOptions = {}): Arg<readonly Value[], P, R extends 'key' ? 'keys' : 'none'> {
    return new Arg({ ...this.spec, multiple: options })
  }
}

/** Named arguments, in the order in which clients write them. @internal */
export type ArgRecord = Readonly<Record<string, Arg<unknown>>>

/** What the handler gets for one argument. */
export type ArgValue<A> =
  A extends Arg<infer Value, infer P> ? (P extends 'optional' ? Value | undefined : Value) : never

/** What the handler gets as its second parameter. */
export type ArgValues<A> = { readonly [Name in keyof A]: ArgValue<A[Name]> }

/** What the handler gets for `oneOf`: exactly one of the members is set. */
export type OneOfValues<A> = {
  readonly [Name in keyof A]: { readonly [Own in Name]: ArgValue<A[Own]> } & Readonly<
    Partial<Record<Exclude<keyof A, Name>, undefined>>
  >
}[keyof A]

/** Bounds of a number, both included. */
export interface Range<N> {
  readonly min?: N
  readonly max?: N
}

const key = (mode: KeyMode = 'rw'): Arg<string, 'required', 'key'> => new Arg({ kind: 'key', mode })

const keyBuffer = (mode: KeyMode = 'rw'): Arg<Buffer, 'required', 'key'> => new Arg({ kind: 'keyBuffer', mode })

const string = (): Arg<string, 'required', 'value'> => new Arg({ kind: 'string' })

const buffer = (): Arg<Buffer, 'required', 'value'> => new Arg({ kind: 'buffer' })

const integer = (range: Range<number> = {}): Arg<number, 'required', 'value'> => new Arg({ ...range, kind: 'integer' })

const bigint = (range: Range<bigint> = {}): Arg<bigint, 'required', 'value'> => new Arg({ ...range, kind: 'bigint' })

const float = (range: Range<number> = {}): Arg<number, 'required', 'value'> => new Arg({ ...range, kind: 'float' })

const enumeration = <const Word extends string>(...words: readonly [Word, ...Word[]]): Arg<Word, 'required', 'value'> =>
  new Arg({ kind: 'enum', words })

/** A flag is always optional: it is there or it is not. */
const flag = (token?: string): Arg<boolean, 'required', 'none'> =>
  new Arg(token === undefined ? { kind: 'flag', optional: true } : { kind: 'flag', optional: true, token })

const block = <const A extends ArgRecord>(members: A): Arg<ArgValues<A>, 'required', 'none'> =>
  new Arg({ kind: 'block', members })

const oneOf = <const A extends ArgRecord>(members: A): Arg<OneOfValues<A>, 'required', 'none'> =>
  new Arg({ kind: 'oneOf', members })

const numkeys = (mode: KeyMode = 'rw'): Arg<readonly string[], 'required', 'none'> => new Arg({ kind: 'numkeys', mode })

const numkeysBuffer = (mode: KeyMode = 'rw'): Arg<readonly Buffer[], 'required', 'none'> =>
  new Arg({ kind: 'numkeys', mode, buffers: true })

/**
 * The kinds of argument.
 *
 * @example
 * args: {
 *   bucket: arg.key('rw'),
 *   max: arg.integer({ min: 1 }),
 *   cost: arg.integer({ min: 1 }).token('COST').default(1),
 *   ttl: arg.oneOf({ ex: arg.integer().token('EX'), px: arg.integer().token('PX') }).optional(),
 * }
 */
export const arg = {
  /** A key as text (strict UTF-8; other bytes are an error that names the argument). Default mode: `rw`. */
  key,
  /** A key of any bytes. */
  keyBuffer,
  /** Text: strict UTF-8. */
  string,
  /** Any bytes. */
  buffer,
  /** An integer within ±(2^53 − 1), as Redis writes integers: no sign but `-`, no leading zeros. */
  integer,
  /** A signed 64-bit integer as `bigint`. */
  bigint,
  /** A finite number, `3`, `-0.5` or `1e3`. */
  float,
  /** One of some words, which clients may write in any case; the handler gets the word as declared. */
  enum: enumeration,
  /** `true` if the word is there, else `false`. The word is the argument's name in capitals unless given. */
  flag,
  /** Arguments that come together, one after another. */
  block,
  /** Exactly one of several arguments. All but the last must begin with a token of their own. */
  oneOf,
  /** A count, then that many keys. */
  numkeys,
  /** A count, then that many keys of any bytes. */
  numkeysBuffer,
} as const
