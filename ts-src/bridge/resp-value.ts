/** An error value; `code` is its first word, `message` the rest. A plain value: it is thrown nowhere by itself. */
export class RespError {
  constructor(
    readonly code: string,
    readonly message: string,
  ) {}
}

/** A verbatim string: three letters of format (`txt`, `mkd`) and the text. */
export class RespVerbatim {
  constructor(
    readonly format: string,
    readonly text: Buffer,
  ) {}
}

/** A map as the server sent it: in its order, with any values as keys. */
export class RespMap {
  constructor(readonly entries: readonly (readonly [RespValue, RespValue])[]) {}
}

/** A set as the server sent it. */
export class RespSet {
  constructor(readonly items: readonly RespValue[]) {}
}

/** `@n`: stands for the reply of command n of a commit; only in the reply of a RESULT. */
export class RespSlot {
  constructor(readonly index: number) {}
}

/**
 * A decoded RESP3 value. Bulk strings are Buffers, simple strings are strings, integers and doubles are numbers,
 * integers beyond ±(2^53 - 1) and big numbers are bigints.
 */
export type RespValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Buffer
  | readonly RespValue[]
  | RespError
  | RespVerbatim
  | RespMap
  | RespSet
  | RespSlot
