// A topic: rows that are measured one after the other on one version of the server.
import type { ServerProgram } from '#lib/servers/server-version.js'
import type { BenchOptions } from './options.js'
import type { Report, RowResult } from './report.js'
import type { Pace } from './rounds.js'

/** What every row gets. */
export interface Setting {
  readonly program: ServerProgram
  /** The pace for rows whose aim leaves room for the noise of this machine. */
  readonly pace: Pace
  /** For rows with an aim of 0.97 and above, or close to the noise. */
  readonly finePace: Pace
  readonly isQuick: boolean
}

export interface Row<S extends Setting = Setting> {
  /** As `--row` takes it. */
  readonly name: string
  readonly run: (setting: S) => Promise<Omit<RowResult, 'row'>>
}

export type Say = (line: string) => void

export function settingOf(program: ServerProgram, { isQuick, rounds }: BenchOptions): Setting {
  const seconds = isQuick ? 0.2 : 1
  return {
    program,
    isQuick,
    pace: { seconds, rounds: rounds ?? (isQuick ? 5 : 7) },
    finePace: { seconds, rounds: rounds ?? (isQuick ? 5 : 15) },
  }
}

/** Measures the rows that are asked for; `say` is told before each. */
export async function runRows<S extends Setting>(
  topic: string,
  rows: readonly Row<S>[],
  setting: S,
  options: BenchOptions,
  say: Say,
): Promise<Report> {
  const unknown = options.rows.filter((name) => !rows.some((row) => row.name === name))
  if (unknown.length > 0)
    throw new RangeError(`no row ${unknown.join(', ')}; there are ${rows.map((row) => row.name).join(', ')}`)
  const results: RowResult[] = []
  for (const row of rows) {
    if (options.rows.length > 0 && !options.rows.includes(row.name)) continue
    say(row.name)
    results.push({ row: row.name, ...(await row.run(setting)) })
  }
  return { topic, server: setting.program.name, rows: results }
}
