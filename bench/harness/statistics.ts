/** Middle, lowest and highest of what several rounds gave. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly rounds: number
}

/** @throws RangeError without values */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle]
  const min = sorted[0]
  const max = sorted.at(-1)
  if (upper === undefined || min === undefined || max === undefined) throw new RangeError('no values, so no median')
  const lower = sorted.length % 2 === 0 ? (sorted[middle - 1] ?? upper) : upper
  return { median: (lower + upper) / 2, min, max, rounds: sorted.length }
}
