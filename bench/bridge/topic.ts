import type { TestServer } from '../../test/helpers/server.js'
import type { Row, Setting } from '../harness/topic.js'

/** What every row of this topic gets. */
export interface BridgeSetting extends Setting {
  /** The server that most rows use: module, bench-echo, rate-limiter, the C module and the functions. Started once. */
  readonly shared: () => Promise<TestServer>
}

export type BridgeRow = Row<BridgeSetting>
