/**
 * An unsigned 64-bit number: a `number` up to 2^53 - 1, a `bigint` above it. Decoding always gives this form, so that
 * `===` and Map keys work.
 */
export type U64 = number | bigint

const kHigh = 0x1_0000_0000

/** Joins two unsigned 32-bit halves. */
export function joinU64(low: number, high: number): U64 {
  return high < 0x20_0000 ? high * kHigh + low : (BigInt(high) << 32n) | BigInt(low)
}
