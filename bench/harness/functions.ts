import type { RowResult } from './report.js'
import { spreadOf } from './statistics.js'

/** A function's times, in nanoseconds. */
export interface Measured {
  readonly name: string
  readonly what: string
  readonly samples: readonly number[]
}

/** A row of a function that is compared with nothing. */
export function ownFunction({ name, what, samples }: Measured): RowResult {
  return {
    row: name,
    what,
    against: '',
    figures: [{ name: 'time', value: spreadOf(samples), unit: 'ns' }],
    notes: [],
  }
}
