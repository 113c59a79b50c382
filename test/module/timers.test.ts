// Timers of plugins, and what runs at a plugin's start and end.
import test from 'ava'
import type { Redis } from 'ioredis'
import { fixturePlugin, forEachServer, startServer, until } from '../helpers/index.js'

const plugins = [fixturePlugin('ticker')]

async function counts(client: Redis): Promise<Readonly<Record<string, number>>> {
  const reply = (await client.call('TICKER.COUNTS')) as unknown[]
  return Object.fromEntries(
    Array.from({ length: reply.length / 2 }, (_, n) => [String(reply[2 * n]), Number(reply[2 * n + 1])]),
  )
}

/** Waits until a timer has run so often again. */
async function untilTicked(client: Redis, timer: string, times = 3): Promise<void> {
  const { [timer]: from = 0 } = await counts(client)
  await until(async () => ((await counts(client))[timer] ?? 0) >= from + times, {
    what: `${timer} to run ${String(times)} times`,
  })
}

forEachServer(test, 'timers: run on a primary with the rights of the plugin', async (t, program) => {
  await using server = await startServer({ server: program, plugins })
  const client = await server.client()
  await untilTicked(client, 'every')
  await untilTicked(client, 'cron', 1)
  t.true(Number(await client.get('ticker:runs')) >= 3)
  t.is((await counts(client))['setups'], 1)
})

forEachServer(
  test,
  'timers: only on the primary unless asked for; stopped at demotion, started at promotion',
  async (t, program) => {
    await using primary = await startServer({ server: program, plugins })
    await using other = await startServer({ server: program, plugins })
    const client = await primary.client()
    await untilTicked(client, 'every')
    await client.replicaof('127.0.0.1', other.port)
    await until(async () => (await client.info('replication')).includes('master_link_status:up'))
    const stopped = await counts(client)
    // The other timer shows that time has passed.
    await untilTicked(client, 'everywhere', 10)
    const later = await counts(client)
    t.is(later['every'], stopped['every'])
    t.is(later['cron'], stopped['cron'])
    await client.replicaof('NO', 'ONE')
    await untilTicked(client, 'every')
  },
)

forEachServer(
  test,
  'lifecycle: setup runs before the first command, teardown before the host ends',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins })
    const client = await server.client()
    await server.logged('setup of ticker 0.0.0')
    const pid = Number(/ferrite_host_pid:(\d+)/.exec(await client.info('ferrite'))?.[1])
    process.kill(pid, 'SIGTERM')
    await server.logged('teardown of ticker')
    await until(async () => (await counts(client))['setups'] === 1, { what: 'the next host to serve' })
    t.pass()
  },
)

forEachServer(test, 'lifecycle: a server that stops waits for teardown', async (t, program) => {
  await using server = await startServer({ server: program, plugins })
  await server.logged('setup of ticker 0.0.0')
  server.kill('SIGTERM')
  t.deepEqual(await server.exited, { code: 0, signal: null })
  const log = await server.log()
  t.true(log.includes('teardown of ticker'))
  t.true(log.includes('ending: the server shuts down'))
  t.false(log.includes('crashed'))
})
