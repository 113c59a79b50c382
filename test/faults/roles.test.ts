// Primaries become replicas and replicas primaries, with requests pending.
import test from 'ava'
import type { Redis } from 'ioredis'
import { forEachServer, startServer, until } from '../helpers/index.js'
import { assertLives, count, errorOf, figure, ledger, sameData, served } from './faults.js'
import { Load } from './load.js'

async function hasRole(client: Redis, role: 'master' | 'slave'): Promise<void> {
  const is = async (): Promise<boolean> => {
    const text = await client.info('replication')
    return text.includes(`role:${role}`) && (role === 'master' || text.includes('master_link_status:up'))
  }
  await until(is, { what: `the role ${role}` })
}

/** Requests that nobody answers, guarded ones and ones that wait in their queue among them. */
function pending(clients: readonly Redis[]): readonly Promise<string>[] {
  const told = (reply: Promise<unknown>): Promise<string> => reply.then(String, String)
  return clients.map((client, i) =>
    told(
      i % 3 === 0
        ? client.call('LEDGER.WAIT')
        : i % 3 === 1
          ? client.call('LEDGER.SLOWCOUNT', 'hot', '100000')
          : client.call('LEDGER.SLOW', `slow:${i}`, 'x', '100000'),
    ),
  )
}

forEachServer(test, 'faults: a primary is demoted and promoted again with requests pending', async (t, program) => {
  const rounds = count(t, 'changes of role', 2, 50)
  await using server = await startServer({ server: program, plugins: [ledger], aof: true })
  await using other = await startServer({ server: program, plugins: [ledger] })
  const admin = await server.client()
  await admin.set('ledger:ticking', 1)
  for (let round = 0; round < rounds; round++) {
    await served(admin, 'LEDGER.LOG', 'log', String(round))
    const clients = await Promise.all(Array.from({ length: 9 }, () => server.client()))
    const replies = pending(clients)
    await until(async () => (await figure(admin, 'inflight')) >= 9, { what: 'nine requests in flight' })
    t.is(await admin.replicaof('127.0.0.1', other.port), 'OK')
    for (const reply of await Promise.all(replies)) t.regex(reply, /UNBLOCKED|Connection is closed|READONLY/)
    await hasRole(admin, 'slave')
    await until(async () => (await figure(admin, 'inflight')) === 0, { what: 'no request in flight' })
    t.regex(await errorOf(admin, 'LEDGER.LOG', 'log', 'x'), /^READONLY/)
    t.is(await served(admin, 'LEDGER.GET', 'none'), null)
    await sameData(admin, await other.client())
    t.is(await admin.replicaof('NO', 'ONE'), 'OK')
    await hasRole(admin, 'master')
  }
  // Timers run on primaries only: they go on.
  await admin.set('ledger:ticking', 1)
  await until(async () => Number(await admin.get('ledger:ticks')) > 0, { what: 'the timer on the new primary' })
  assertLives(t, server)
  assertLives(t, other)
})

forEachServer(test, 'faults: a replica serves reads, is promoted under load and then writes', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [ledger] })
  await using replica = await startServer({ server: program, plugins: [ledger], replicaOf: server, aof: true })
  const primary = await server.client()
  const admin = await replica.client()
  await using load = Load.start(server, { clients: count(t, 'clients', 16, 48) })
  await load.flows()
  t.is(await served(admin, 'LEDGER.GET', 'none'), null)
  t.regex(await errorOf(admin, 'LEDGER.LOG', 'log', 'x'), /^READONLY/)
  t.regex(await errorOf(admin, 'LEDGER.DIRECT', 'log', 'x'), /^READONLY/)
  await load.stop(t)
  await sameData(primary, admin)
  // Reads that wait while the role changes are answered, or end with an error.
  const waiting = Promise.allSettled(
    Array.from({ length: 6 }, async () => (await replica.client()).call('LEDGER.GET', 'none')),
  )
  await admin.replicaof('NO', 'ONE')
  await waiting
  await load.verify(t, admin)
  await using second = Load.start(replica, { clients: count(t, 'clients', 16, 48), prefix: 'second' })
  await second.flows()
  await second.stop(t)
  await second.verify(t, admin)
  assertLives(t, replica)
})

forEachServer(test, 'faults: FAILOVER under load loses nothing', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [ledger], aof: true })
  await using replica = await startServer({ server: program, plugins: [ledger], replicaOf: server, aof: true })
  const admin = await server.client()
  const other = await replica.client()
  await admin.set('ledger:ticking', 1)
  await using load = Load.start(server, { clients: count(t, 'clients', 16, 48) })
  await load.flows()
  t.is(await admin.call('FAILOVER', 'TIMEOUT', '20000'), 'OK')
  await hasRole(other, 'master')
  await hasRole(admin, 'slave')
  await load.stop(t)
  await served(other, 'LEDGER.LOG', 'log', 'x')
  const ticks = Number(await other.get('ledger:ticks'))
  await until(async () => Number(await other.get('ledger:ticks')) > ticks, { what: 'the timer on the new primary' })
  await other.del('ledger:ticking')
  await load.verify(t, other)
  await sameData(admin, other)
  t.is(await figure(admin, 'inflight'), 0)
  assertLives(t, server)
  assertLives(t, replica)
})
