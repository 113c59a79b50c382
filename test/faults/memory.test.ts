// Memory and descriptors return to their level.
import test, { type ExecutionContext } from 'ava'
import type { Redis } from 'ioredis'
import { forEachServer, startServer, until, type TestServer } from '../helpers/index.js'
import { count, descriptors, figure, ledger, residentBytes, served } from './faults.js'
import { RawPeer } from './raw-peer.js'

interface Level {
  readonly used: number
  readonly resident: number
  readonly descriptors: number
}

async function usedMemory(client: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1])
}

async function levelOf(server: TestServer, client: Redis): Promise<Level> {
  await client.call('MEMORY', 'PURGE')
  return {
    used: await usedMemory(client),
    resident: residentBytes(server.pid),
    descriptors: (await descriptors(server.pid)).length,
  }
}

/** Waits until all is at most 10 % above a level. Small amounts are pages and tables that allocators keep. */
async function returns(t: ExecutionContext, server: TestServer, client: Redis, level: Level): Promise<void> {
  const slack = 2 << 20
  let now = level
  const isBack = async (): Promise<boolean> => {
    now = await levelOf(server, client)
    return (
      now.used <= level.used * 1.1 + slack / 4 &&
      now.resident <= level.resident * 1.1 + slack &&
      now.descriptors <= level.descriptors
    )
  }
  try {
    await until(isBack, { what: 'memory and descriptors to return to their level' })
  } finally {
    t.log(`before ${JSON.stringify(level)}, after ${JSON.stringify(now)}`)
  }
  t.is(await figure(client, 'inflight'), 0)
}

/** Commands of every kind, some of which fail, are cancelled or have large replies. */
async function round(server: TestServer, requests: number): Promise<void> {
  const clients = await Promise.all(Array.from({ length: 20 }, () => server.client()))
  const each = Math.ceil(requests / clients.length)
  const large = Buffer.alloc(100_000, 'x')
  const one = async (client: Redis, n: number): Promise<unknown> => {
    if (n % 100 === 0) return await client.callBuffer('LEDGER.ECHO', large)
    if (n % 10 === 1) return await client.call('LEDGER.COUNT', `count:${n % 7}`)
    if (n % 10 === 2) return await client.call('LEDGER.DIRECT', `list:${n % 7}`, String(n)).catch(String)
    if (n % 10 === 3) return await client.call('LEDGER.COUNT').catch(String)
    if (n % 10 === 4) return await client.multi().call('LEDGER.GET', 'count:0').exec()
    return await client.call('LEDGER.ECHO', String(n))
  }
  await Promise.all(
    clients.map(async (client) => {
      for (let n = 0; n < each; n += 10) await Promise.all(Array.from({ length: 10 }, (_, i) => one(client, n + i)))
    }),
  )
  for (const client of clients) client.disconnect()
  const admin = await server.client()
  await admin.flushall()
  admin.disconnect()
}

forEachServer(test, 'faults: memory returns to its level after many requests', async (t, program) => {
  const requests = count(t, 'requests', 20_000, 100_000)
  await using server = await startServer({ server: program, plugins: [ledger] })
  const client = await server.client()
  await round(server, requests / 4)
  const level = await levelOf(server, client)
  await round(server, requests)
  await returns(t, server, client, level)
})

forEachServer(
  test,
  'faults: memory returns to its level after many lanes and clients came and went',
  async (t, program) => {
    const times = count(t, 'reconnects of lanes and clients each', 200, 1000)
    await using server = await startServer({
      server: program,
      plugins: [ledger],
      waitForPlugins: false,
      config: { 'ferrite.host-mode': 'external' },
    })
    const client = await server.client()
    const reconnect = async (): Promise<void> => {
      const lane = await RawPeer.lane(server, 'plugins', 'one of many')
      const subscriptions = [{ id: 1, kind: 'keys', flags: 0, events: ['set'], keys: ['k*', 'a?b'] } as const]
      const commands = ['LEDGER.WAIT', 'LEDGER.COUNT'].map((name, code) => ({ name, code }))
      lane.send({ type: 'ATTACH', id: 1, plugin: 'ledger', version: '1', commands, subscriptions })
      await lane.next('ATTACHED')
      lane.send({ type: 'CALL', id: 1, flags: 0, requestId: 0, plugin: 'ledger', db: 0, commands: [['PING']] })
      // One client leaves while it waits, the others are left by their lane.
      const clients = await Promise.all([1, 2, 3].map(() => server.client()))
      const replies = clients.map((one, i) =>
        one
          .call(...((['LEDGER.WAIT', 'LEDGER.COUNT k', 'LEDGER.COUNT k'][i] ?? '').split(' ') as [string]))
          .catch(String),
      )
      await lane.next('INVOKE', ({ code }) => code === 0)
      await lane.next('INVOKE', ({ code }) => code === 1)
      clients[0]?.disconnect()
      await lane.next('CANCEL')
      lane.end()
      await Promise.all(replies)
      for (const one of clients) one.disconnect()
    }
    for (let i = 0; i < times / 10; i++) await reconnect()
    const level = await levelOf(server, client)
    for (let i = 0; i < times; i++) await reconnect()
    await returns(t, server, client, level)
  },
)

forEachServer(
  test,
  'faults: memory returns to its level after the host was killed again and again',
  async (t, program) => {
    const kills = count(t, 'kills', 4, 30)
    await using server = await startServer({ server: program, plugins: [ledger] })
    const client = await server.client()
    const kill = async (): Promise<void> => {
      const pid = await figure(client, 'host_pid')
      process.kill(pid, 'SIGKILL')
      const isNew = async (): Promise<boolean> => ![0, pid].includes(await figure(client, 'host_pid'))
      await until(isNew, { what: 'another host' })
      await served(client, 'LEDGER.COUNT', 'k')
    }
    await kill()
    await until(async () => (await figure(client, 'lanes')) === 2, { what: 'two lanes' })
    const level = await levelOf(server, client)
    for (let i = 0; i < kills; i++) await kill()
    await until(async () => (await figure(client, 'lanes')) === 2, { what: 'two lanes' })
    await returns(t, server, client, level)
  },
)

forEachServer(test, 'faults: clients that go while they wait leave nothing', async (t, program) => {
  const rounds = count(t, 'crowds of 50 clients', 4, 100)
  await using server = await startServer({ server: program, plugins: [ledger] })
  const client = await server.client()
  const crowd = async (): Promise<void> => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => server.client()))
    const replies = clients.map((one, i) => {
      const reply =
        i % 3 === 0
          ? one.call('LEDGER.WAIT')
          : i % 3 === 1
            ? one.call('LEDGER.SLOWCOUNT', 'hot', '1000')
            : one.call('LEDGER.SLOW', 'slow', 'x', '60000')
      return reply.then(String, String)
    })
    await until(async () => (await figure(client, 'inflight')) >= 50, { what: 'fifty requests in flight' })
    // Half of them by themselves, the others are thrown out.
    for (const one of clients.slice(0, 25)) one.disconnect()
    await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await Promise.all(replies)
    await until(async () => (await figure(client, 'inflight')) === 0, { what: 'no request in flight' })
  }
  await crowd()
  const level = await levelOf(server, client)
  for (let i = 0; i < rounds; i++) await crowd()
  t.is(await served(client, 'LEDGER.COUNT', 'k'), 1)
  await returns(t, server, client, level)
})
