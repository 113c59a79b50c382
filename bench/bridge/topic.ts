import type { ServerProgram } from '#lib/servers/server-version.js'
import type { TestServer } from '../../test/helpers/server.js'
import type { RowResult } from '../harness/report.js'
import type { Pace } from '../harness/rounds.js'

/** What every row gets. */
export interface Setting {
  readonly program: ServerProgram
  /** The server that most rows use: module, bench-echo, rate-limiter, the C module and the functions. Started once. */
  readonly shared: () => Promise<TestServer>
  /** The pace for rows whose aim leaves room for the noise of this machine. */
  readonly pace: Pace
  /** For rows with an aim of 0.97 and above, or close to the noise. */
  readonly finePace: Pace
  readonly isQuick: boolean
}

export interface Row {
  /** As `--row` takes it. */
  readonly name: string
  readonly run: (setting: Setting) => Promise<Omit<RowResult, 'row'>>
}
