// Times in which the server must not write, or does nothing at all. A write that a module makes while writes are paused
// aborts the server when it is propagated (hence AOF and a replica in these tests).
import test from 'ava'
import type { Redis } from 'ioredis'
import { compareVersions } from '#lib/servers/server-version.js'
import { forEachServer, startServer, until } from '../helpers/index.js'
import { assertLives, count, figure, ledger, sameAfterReload, sameData, served } from './faults.js'
import { Load } from './load.js'

/** How long handlers take before they write. Until then a pause has to be there, on a busy machine too. */
const slowMs = 1000

/** Requests of every kind whose writes come while the server is paused. */
function pending(clients: readonly Redis[], name: string): Promise<unknown>[] {
  const commands = [
    ['LEDGER.SLOW', `${name}:slow`, 'x', String(slowMs)],
    ['LEDGER.SLOWDIRECT', `${name}:direct`, 'x', String(slowMs)],
    ['LEDGER.SLOWCOUNT', `${name}:count`, String(slowMs)],
    ['LEDGER.SLOWCOUNT', `${name}:count`, String(slowMs)],
  ] as const
  return commands.map(([command, ...args], i) => (clients[i] as Redis).call(command, ...args))
}

for (const mode of ['WRITE', 'ALL'] as const) {
  forEachServer(test, `faults: writes wait for the end of CLIENT PAUSE ${mode}`, async (t, program) => {
    const rounds = count(t, 'pauses', 2, 50)
    await using server = await startServer({ server: program, plugins: [ledger], aof: true })
    await using replica = await startServer({ server: program, plugins: [ledger], replicaOf: server })
    const admin = await server.client()
    const clients = await Promise.all([1, 2, 3, 4].map(() => server.client()))
    await admin.set('ledger:ticking', 1)
    await using load = Load.start(server, { clients: count(t, 'clients', 16, 48) })
    for (let round = 0; round < rounds; round++) {
      await load.flows(2)
      const replies = pending(clients, `round:${round}`)
      await until(async () => (await figure(admin, 'inflight')) >= 4, { what: 'four requests in flight' })
      const ticks = Number(await admin.get('ledger:ticks'))
      const begun = performance.now()
      await admin.call('CLIENT', 'PAUSE', String(2 * slowMs), mode)
      t.deepEqual((await Promise.all(replies)).sort(), [1, 1, 1, 2])
      t.true(performance.now() - begun > 2 * slowMs - 10, 'the writes did not wait')
      await until(async () => Number(await admin.get('ledger:ticks')) > ticks, { what: 'the timer to go on' })
    }
    await load.flows(2)
    await load.stop(t)
    await admin.del('ledger:ticking')
    await load.verify(t, admin)
    await sameData(admin, await replica.client())
    await sameAfterReload(t, admin)
    t.is(await figure(admin, 'inflight'), 0)
    assertLives(t, server)
  })
}

forEachServer(test, 'faults: requests end by their deadline or with the host in a pause too', async (t, program) => {
  await using server = await startServer({
    server: program,
    plugins: [ledger],
    aof: true,
    config: { 'ferrite.request-timeout': 2 * slowMs },
  })
  const admin = await server.client()
  const clients = await Promise.all([1, 2, 3, 4].map(() => server.client()))
  const replies = pending(clients, 'k').map((reply) => reply.catch((err: unknown) => String(err)))
  await until(async () => (await figure(admin, 'inflight')) >= 4, { what: 'four requests in flight' })
  await admin.call('CLIENT', 'PAUSE', '60000', 'WRITE')
  for (const reply of await Promise.all(replies)) t.regex(String(reply), /TIMEOUT/)
  t.is(await figure(admin, 'inflight'), 0)
  // What a timed-out request held back is not done afterwards.
  await admin.call('CLIENT', 'UNPAUSE')
  await served(admin, 'LEDGER.LOG', 'after', 'x')
  t.is(await admin.exists('k:slow', 'k:count'), 0)

  const second = pending(clients, 'l').map((reply) => reply.catch((err: unknown) => String(err)))
  await until(async () => (await figure(admin, 'inflight')) >= 4, { what: 'four requests in flight' })
  await admin.call('CLIENT', 'PAUSE', '60000', 'WRITE')
  await until(async () => (await figure(admin, 'calls_queued')) > 0, { what: 'a write that is held' })
  process.kill(await figure(admin, 'host_pid'), 'SIGKILL')
  const answers = await Promise.all(second)
  t.log(answers)
  await admin.call('CLIENT', 'UNPAUSE')
  await served(admin, 'LEDGER.LOG', 'after', 'x')
  t.is(await figure(admin, 'inflight'), 0)
  await sameAfterReload(t, admin)
  assertLives(t, server)
})

forEachServer(test, 'faults: calls that read go on while others wait for the end of a pause', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [ledger], aof: true })
  const [admin, first, second] = [await server.client(), await server.client(), await server.client()]
  await admin.set('k', 'before')
  const replies = [
    first.call('LEDGER.SLOWDIRECT', 'list', 'x', String(slowMs)),
    second.call('LEDGER.SLOWBOTH', 'k', 'after', String(slowMs)),
  ]
  await until(async () => (await figure(admin, 'inflight')) === 2, { what: 'two requests in flight' })
  await admin.set('ledger:ticking', 1)
  await admin.call('CLIENT', 'PAUSE', '60000', 'WRITE')
  // Both writes, the read behind one of them, and the write of the timer.
  await until(async () => (await figure(admin, 'calls_queued')) === 4, { what: 'calls that are held' })
  for (let n = 0; n < 100; n++) t.is(await admin.call('LEDGER.FETCH', 'k'), 'before')
  t.is(await figure(admin, 'calls_queued'), 4)
  await admin.call('CLIENT', 'UNPAUSE')
  t.deepEqual(await Promise.all(replies), [1, ['OK', 'after']])
  await until(async () => Number(await admin.get('ledger:ticks')) > 1, { what: 'the timer to go on' })
  await admin.del('ledger:ticking')
  await until(async () => (await figure(admin, 'calls_queued')) === 0, { what: 'all calls to be run' })
  await sameAfterReload(t, admin)
  assertLives(t, server)
})

forEachServer(test, 'faults: DEBUG SLEEP under load', async (t, program) => {
  const seconds = count(t, 'seconds of sleep', 1, 20)
  await using server = await startServer({
    server: program,
    plugins: [ledger],
    config: { 'ferrite.request-timeout': 500 },
  })
  const admin = await server.client()
  const pid = await figure(admin, 'host_pid')
  await using load = Load.start(server, { clients: count(t, 'clients', 16, 48), deadlineMs: seconds * 1000 + 20_000 })
  await load.flows(2)
  await admin.call('DEBUG', 'SLEEP', seconds)
  await load.flows()
  await load.stop(t)
  await load.verify(t, admin)
  t.is(await figure(admin, 'host_pid'), pid, 'a server that slept must not blame its host')
  t.is(await figure(admin, 'host_restarts'), 0)
})

forEachServer(test, 'faults: a script that blocks the server for long leaves the host alone', async (t, program) => {
  await using server = await startServer({
    server: program,
    plugins: [ledger],
    config: [
      [compareVersions(program.version, '7.0') < 0 ? 'lua-time-limit' : 'busy-reply-threshold', '100'],
      ['ferrite.request-timeout', '500'],
    ],
  })
  const admin = await server.client()
  const pid = await figure(admin, 'host_pid')
  const waiting = (await server.client()).call('LEDGER.WAIT').catch((err: unknown) => String(err))
  const busy = (await server.client()).eval('while true do end', 0).catch((err: unknown) => String(err))
  await until(async () => (await admin.ping().catch(String)).includes('BUSY'), { what: 'a busy server' })
  const other: unknown = await admin.call('LEDGER.ECHO', 'x').catch(String)
  t.regex(String(other), /BUSY/)
  t.is(await admin.call('SCRIPT', 'KILL'), 'OK')
  t.regex(String(await busy), /killed/i)
  t.regex(String(await waiting), /TIMEOUT/)
  t.is(String(await served(admin, 'LEDGER.ECHO', 'x')), 'x')
  t.is(await figure(admin, 'host_pid'), pid)
})
