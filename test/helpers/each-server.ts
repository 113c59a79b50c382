import type { ExecutionContext, TestFn } from 'ava'
import { compareVersions, type ServerProgram } from '#lib/servers/server-version.js'
import { servers } from './matrix.js'
import { withServerLogs } from './server.js'

export interface EachServerOptions {
  /** Only servers of this version and newer, for example `7.2`. */
  readonly since?: string
  /** Only servers older than this version. */
  readonly before?: string
  readonly product?: 'redis' | 'valkey'
}

/** For one test, from its last assertion on: more than a machine with far too much to do needs. */
export const kTestMs = 180_000

type Body<Context> = (t: ExecutionContext<Context>, server: ServerProgram) => Promise<void>

/** Declares one test per server version, titled `title [redis-8.0.6]`. On failure the servers' logs are shown. */
export function forEachServer<Context>(
  test: TestFn<Context>,
  title: string,
  body: Body<Context>,
  options: EachServerOptions = {},
): void {
  for (const server of servers()) {
    if (options.since !== undefined && compareVersions(server.version, options.since) < 0) continue
    if (options.before !== undefined && compareVersions(server.version, options.before) >= 0) continue
    if (options.product !== undefined && server.product !== options.product) continue
    test(`${title} [${server.name}]`, async (t) => {
      t.timeout(kTestMs)
      await withServerLogs(t, () => body(t, server))
    })
  }
}
