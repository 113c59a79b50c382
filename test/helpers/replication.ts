import type { TestServer } from './server.js'
import { until } from './until.js'

/** Waits until a replica has all that its primary has written. */
export async function untilInStep(primary: TestServer, replica: TestServer): Promise<void> {
  const inStep = async (): Promise<boolean> => {
    const [one, other] = await Promise.all([primary.cli('info', 'replication'), replica.cli('info', 'replication')])
    const offset = /master_repl_offset:(\d+)/.exec(one)?.[1]
    return other.includes('master_link_status:up') && offset === /slave_repl_offset:(\d+)/.exec(other)?.[1]
  }
  await until(inStep, { what: 'the replica to have the offset of its primary' })
}

/** What DEBUG DIGEST says of all keys and values. */
export async function digest(server: TestServer): Promise<string> {
  return await server.cli('debug', 'digest')
}
