import { parseArgs } from 'node:util'

export interface BenchOptions {
  readonly topic: string
  /** Short runs and few rounds: for a look, and to see that the benchmarks work. */
  readonly isQuick: boolean
  /** Where the results are written as JSON. */
  readonly json?: string
  readonly rounds?: number
  /** A name of the matrix, such as `redis-8.0`, or a path. */
  readonly server?: string
  /** Names of rows; none: all. */
  readonly rows: readonly string[]
}

export const usage = `npm run bench -- <topic> [--quick] [--json FILE] [--rounds N] [--server NAME] [--row NAME]...

  topics: bridge (commands, events and memory over real servers), hooks (commands that plugins are asked about),
          codec (functions of the host's hot path)
  --quick        short runs, a minute in all; the figures are rough
  --json FILE    the results, with every median and range, as JSON
  --rounds N     alternating rounds of each comparison
  --server NAME  such as redis-8.0, or a path; default: the newest Redis of the matrix
  --row NAME     only this row, or these`

/** @throws TypeError or RangeError that says what is wrong */
export function readOptions(words: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      rounds: { type: 'string' },
      server: { type: 'string' },
      row: { type: 'string', multiple: true, default: [] },
    },
  })
  const [topic, ...others] = positionals
  if (topic === undefined || others.length > 0) throw new RangeError('give one topic: bridge, hooks or codec')
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds)
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0))
    throw new RangeError(`--rounds ${String(values.rounds)} is not a number of rounds; give an integer from 1`)
  return {
    topic,
    isQuick: values.quick,
    rows: values.row,
    ...(values.json === undefined ? {} : { json: values.json }),
    ...(values.server === undefined ? {} : { server: values.server }),
    ...(rounds === undefined ? {} : { rounds }),
  }
}
