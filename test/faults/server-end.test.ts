// The server ends, in good order or not, under load: nothing acknowledged is lost, and nothing stays behind.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { Redis } from 'ioredis'
import { forEachServer, startServer, until, type TestServer } from '../helpers/index.js'
import {
  assertLives,
  childrenOf,
  count,
  digest,
  ended,
  errorOf,
  hostPid,
  ledger,
  sameData,
  served,
  socketFolders,
} from './faults.js'
import { Load } from './load.js'

const own = { 'ferrite.socket-dir': '.' }

/** Waits until neither the host nor any child of the server is there. */
async function nothingStays(client: Redis, server: TestServer, kill: () => unknown): Promise<void> {
  const pids = [server.pid, await hostPid(client), ...childrenOf(server.pid)]
  kill()
  await Promise.all(pids.map(ended))
}

/** After a start there is one private folder, that of the present process. */
async function oneFolder(server: TestServer): Promise<boolean> {
  const all = await socketFolders(server.folder)
  return all.length === 1 && (await socketFolders(server.folder, server.pid)).length === 1
}

forEachServer(
  test,
  'faults: the server killed under load has every acknowledged write with AOF',
  async (t, program) => {
    const kills = count(t, 'kills', 2, 20)
    await using server = await startServer({ server: program, plugins: [ledger], aof: true, config: own })
    await using load = Load.start(server, { clients: count(t, 'clients', 16, 48) })
    for (let i = 0; i < kills; i++) {
      await load.flows(3)
      const client = await server.client()
      const host = await hostPid(client)
      await server.restart('SIGKILL')
      await ended(host)
      t.true(await oneFolder(server), 'a stale private folder')
    }
    await load.flows(3)
    await load.stop(t)
    await load.verify(t, await server.client())
  },
)

forEachServer(
  test,
  'faults: SIGTERM and SHUTDOWN under load keep everything, with AOF and with RDB',
  async (t, program) => {
    for (const aof of [true, false]) {
      const config = aof ? own : { ...own, save: '3600 1' }
      await using server = await startServer({ server: program, plugins: [ledger], aof, config })
      await using load = Load.start(server, { clients: count(t, 'clients', 16, 48), prefix: `aof-${aof}` })
      await load.flows(3)
      await server.restart('SIGTERM')
      await load.flows(3)
      const client = await server.client()
      const host = await hostPid(client)
      await client.shutdown('SAVE').catch(() => undefined)
      t.deepEqual(await server.exited, { code: 0, signal: null })
      await ended(host)
      t.deepEqual(await socketFolders(server.folder), [])
      await server.restart()
      await load.flows(3)
      await load.stop(t)
      await load.verify(t, await server.client())
    }
  },
)

forEachServer(test, 'faults: SIGTERM with a stopped host ends, and the host is killed', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [ledger], aof: true, config: own })
  const host = await hostPid(await server.client())
  process.kill(host, 'SIGSTOP')
  server.kill('SIGTERM')
  t.deepEqual(await server.exited, { code: 0, signal: null })
  await ended(host)
  t.regex(await server.log(), /killing the plugin host \(pid \d+\): it has not ended within 2 s/)
  t.deepEqual(await socketFolders(server.folder), [])
})

forEachServer(test, 'faults: SIGTERM with a stopped replica waits for it and ends', async (t, program) => {
  await using server = await startServer({
    server: program,
    plugins: [ledger],
    aof: true,
    config: { ...own, 'shutdown-timeout': 2 },
  })
  await using replica = await startServer({ server: program, plugins: [ledger], replicaOf: server })
  const client = await server.client()
  await client.set('ledger:ticking', 1)
  await using load = Load.start(server, { clients: count(t, 'clients', 16, 48) })
  await load.flows(3)
  replica.kill('SIGSTOP')
  try {
    await load.flows(3)
    const host = await hostPid(client)
    const slow = client.call('LEDGER.SLOW', 'slow', 'x', '500').catch((err: unknown) => String(err))
    server.kill('SIGTERM')
    t.deepEqual(await server.exited, { code: 0, signal: null })
    t.log(await slow)
    await ended(host)
    t.regex(await server.log(), /[Ww]aiting for replicas before shutting down/)
  } finally {
    replica.kill('SIGCONT')
  }
  await server.restart()
  const again = await server.client()
  await again.del('ledger:ticking')
  await load.flows(3)
  await load.stop(t)
  await load.verify(t, again)
  await sameData(again, await replica.client())
})

forEachServer(test, 'faults: a SHUTDOWN that fails or is aborted leaves the plugins served', async (t, program) => {
  await using server = await startServer({
    server: program,
    plugins: [ledger],
    config: { ...own, 'shutdown-timeout': 20 },
  })
  const client = await server.client()
  const host = await hostPid(client)
  // A folder in the place of the file cannot be overwritten, by nobody.
  await mkdir(join(server.folder, 'dump.rdb', 'x'), { recursive: true })
  t.regex(await errorOf(client, 'SHUTDOWN', 'SAVE'), /Errors trying to SHUTDOWN/)
  t.is(await served(client, 'LEDGER.COUNT', 'k'), 1)
  await using replica = await startServer({ server: program, plugins: [ledger], replicaOf: server })
  replica.kill('SIGSTOP')
  try {
    const write = client.set('k', 10)
    await write
    const shutdown = (await server.client()).shutdown('NOSAVE').catch((err: unknown) => String(err))
    await server.logged(/[Ww]aiting for replicas before shutting down/)
    const slow = client.call('LEDGER.COUNT', 'k').catch((err: unknown) => String(err))
    t.is(await (await server.client()).call('SHUTDOWN', 'ABORT'), 'OK')
    t.regex(await shutdown, /Errors trying to SHUTDOWN/)
    t.log(await slow)
  } finally {
    replica.kill('SIGCONT')
  }
  t.true(Number(await served(client, 'LEDGER.COUNT', 'k')) >= 11)
  t.is(await hostPid(client), host)
  assertLives(t, server)
})

forEachServer(
  test,
  'faults: the server killed during BGSAVE and AOF rewrite leaves no process behind',
  async (t, program) => {
    for (const command of ['BGSAVE', 'BGREWRITEAOF']) {
      await using server = await startServer({
        server: program,
        plugins: [ledger],
        aof: true,
        config: { ...own, 'rdb-key-save-delay': 10_000, 'auto-aof-rewrite-percentage': 0 },
      })
      const client = await server.client()
      await client.call('DEBUG', 'POPULATE', 2000)
      t.truthy(await client.call(command))
      const host = await hostPid(client)
      await until(() => childrenOf(server.pid).length > 1, { what: 'a child that saves' })
      // The child outlives the server: it holds neither the sockets of the bridge nor the life of the host.
      const children = childrenOf(server.pid)
      server.kill('SIGKILL')
      await ended(host)
      for (const pid of children.filter((one) => one !== host)) {
        t.log(`the child ${pid} of ${command} outlives the server`)
        process.kill(pid, 'SIGKILL')
      }
      await server.restart()
      t.true(await oneFolder(server), 'a stale private folder')
      await served(await server.client(), 'LEDGER.COUNT', 'k')
    }
  },
)

forEachServer(test, 'faults: the server killed during a diskless sync leaves no process behind', async (t, program) => {
  await using server = await startServer({
    server: program,
    plugins: [ledger],
    aof: true,
    config: { ...own, 'repl-diskless-sync': 'yes' },
  })
  await using replica = await startServer({
    server: program,
    plugins: [ledger],
    config: { 'repl-diskless-load': 'swapdb' },
  })
  const client = await server.client()
  // Not by DEBUG POPULATE, which writes nothing into the append-only file.
  await client.mset(Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`key:${n}`, n])))
  await client.config('SET', 'rdb-key-save-delay', 10_000)
  await (await replica.client()).replicaof('127.0.0.1', server.port)
  await until(() => childrenOf(server.pid).length > 1, { what: 'a child that syncs' })
  const before = await digest(client)
  await nothingStays(client, server, () => server.kill('SIGKILL'))
  await server.restart()
  t.true(await oneFolder(server), 'a stale private folder')
  const again = await server.client()
  t.is(await digest(again), before)
  await served(again, 'LEDGER.COUNT', 'k')
  await sameData(again, await replica.client())
  assertLives(t, replica)
})

forEachServer(test, 'faults: data loaded anew by FLUSHALL, DEBUG RELOAD and LOADAOF under load', async (t, program) => {
  const rounds = count(t, 'reloads', 2, 30)
  await using server = await startServer({ server: program, plugins: [ledger], aof: true, config: own })
  const client = await server.client()
  await using load = Load.start(server, { clients: count(t, 'clients', 16, 48) })
  for (let i = 0; i < rounds; i++) {
    await load.flows(3)
    t.is(await client.call('DEBUG', 'RELOAD'), 'OK')
    await load.flows(3)
    t.is(await client.call('DEBUG', 'LOADAOF'), 'OK')
  }
  await load.flows(3)
  await load.stop(t)
  await load.verify(t, client)
  assertLives(t, server)
})
