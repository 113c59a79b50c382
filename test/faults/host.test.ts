// The host process dies, stops, or is cut off.
import test from 'ava'
import type { ServerProgram } from '#lib/servers/server-version.js'
import { forEachServer, servers, startServer, until, withServerLogs } from '../helpers/index.js'
import {
  assertLives,
  count,
  ended,
  errorOf,
  figure,
  hostPid,
  ledger,
  sameAfterReload,
  sameData,
  served,
} from './faults.js'
import { Load } from './load.js'

forEachServer(test, 'faults: the host killed again and again loses and doubles nothing', async (t, program) => {
  const kills = count(t, 'kills', 5, 100)
  const clients = count(t, 'clients', 24, 48)
  await using server = await startServer({ server: program, plugins: [ledger], aof: true })
  await using replica = await startServer({ server: program, plugins: [ledger], replicaOf: server })
  const client = await server.client()
  await client.set('ledger:ticking', 1)
  await using load = Load.start(server, { clients })
  await load.flows()
  for (let i = 0; i < kills; i++) {
    const pid = await hostPid(client)
    process.kill(pid, 'SIGKILL')
    await hostPid(client, pid)
    await load.flows(2)
    await ended(pid)
  }
  await load.stop(t)
  t.true((await figure(client, 'host_restarts')) >= kills)
  await served(client, 'LEDGER.COUNT', 'later')
  await client.del('ledger:ticking')
  await load.verify(t, client)
  await sameData(client, await replica.client())
  await sameAfterReload(t, client)
  await load.verify(t, client)
  t.is(await figure(client, 'inflight'), 0)
  assertLives(t, server)
})

forEachServer(test, 'faults: a stopped host lets requests time out and is served again after', async (t, program) => {
  const ms = count(t, 'stopped for, ms', 2500, 10_000)
  await using server = await startServer({
    server: program,
    plugins: [ledger],
    config: { 'ferrite.request-timeout': 1000 },
  })
  const client = await server.client()
  await using load = Load.start(server, { clients: count(t, 'clients', 16, 48) })
  await load.flows()
  const pid = await hostPid(client)
  process.kill(pid, 'SIGSTOP')
  const begun = performance.now()
  const refusedBefore = load.number('refused')
  // The native writers go on meanwhile.
  const native = load.number('acknowledged', 'native')
  await until(() => performance.now() - begun > ms && load.number('acknowledged', 'native') > native + 10, {
    what: 'the native writers to go on',
  })
  t.true(load.number('refused') > refusedBefore)
  process.kill(pid, 'SIGCONT')
  await load.flows()
  await load.stop(t)
  t.is(await hostPid(client), pid, 'a host that was stopped for a while is not killed')
  await load.verify(t, client)
  t.is(await figure(client, 'inflight'), 0)
})

test('faults: a host that stays stopped is killed after 15 s and started again', async (t) => {
  const onServer = async (program: ServerProgram): Promise<void> => {
    await using server = await startServer({ server: program, plugins: [ledger] })
    const client = await server.client()
    const pid = await hostPid(client)
    const begun = performance.now()
    process.kill(pid, 'SIGSTOP')
    const waiting = errorOf(await server.client(), 'LEDGER.COUNT', 'k')
    await server.logged('it has not answered for 15 s')
    t.true(performance.now() - begun > 14_000, program.name)
    t.regex(await waiting, /^UNAVAILABLE /, program.name)
    await ended(pid)
    t.is(await served(client, 'LEDGER.COUNT', 'k'), 1, program.name)
    t.not(await hostPid(client), pid)
    t.is(await figure(client, 'host_restarts'), 1)
    assertLives(t, server)
  }
  // On all servers at once, as it is nothing but waiting.
  await withServerLogs(t, async () => {
    await Promise.all(servers().map(onServer))
  })
})
