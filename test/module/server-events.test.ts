// Events of the server: its start and end, its role, its replication, its data and its configuration.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { Redis } from 'ioredis'
import {
  fixturePlugin,
  forEachServer,
  listened,
  shareServers,
  startServer,
  until,
  untilInStep,
  untilListened,
  type Listened,
  type TestServer,
} from '../helpers/index.js'

const plugins = [fixturePlugin('listener')]

const has =
  (type: string, more: object = {}) =>
  (seen: readonly Listened[]): boolean =>
    seen.some((one) => one.type === type && Object.entries(more).every(([name, value]) => one[name] === value))

async function hostPid(client: Redis): Promise<number> {
  return Number(/ferrite_host_pid:(\d+)/.exec(await client.info('ferrite'))?.[1])
}

/** Kills the host and waits until another one serves. */
async function restartHost(server: TestServer, client: Redis): Promise<void> {
  const before = await hostPid(client)
  process.kill(before, 'SIGKILL')
  await until(async () => ![0, before].includes(await hostPid(client)), { what: 'another host' })
  await server.pluginsActive()
}

/** What a hook has seen of some kinds, without what comes with every event. */
function told(seen: readonly Listened[], ...types: readonly string[]): readonly object[] {
  return seen
    .filter(({ type }) => types.includes(type))
    .map((one) => Object.fromEntries(Object.entries(one).filter(([name]) => name !== 'now' && name !== 'dropped')))
}

shareServers(test, { plugins }, (it) => {
  it('server events: a flush of one database and of all', async (t, server) => {
    const client = await server.client({ db: 2 })
    await listened(client, 'server')
    await client.flushdb()
    await client.flushall('ASYNC')
    const seen = await untilListened(client, 'server', has('flush', { db: null }))
    t.deepEqual(told(seen, 'flush'), [
      { type: 'flush', db: 2 },
      { type: 'flush', db: null },
    ])
  })

  it('server events: databases that change places', async (t, server) => {
    const client = await server.client()
    await client.call('SWAPDB', 1, 3)
    const seen = await untilListened(client, 'server', has('swapdb'))
    t.deepEqual(told(seen, 'swapdb'), [{ type: 'swapdb', dbs: [1, 3] }])
  })

  it('server events: settings by their names, never their values', async (t, server) => {
    const client = await server.client()
    await listened(client, 'server')
    await client.config('SET', 'maxmemory-samples', 7, 'masterauth', 'a-secret')
    await client.config('SET', 'masterauth', '')
    const seen = await untilListened(client, 'server', (all) => told(all, 'config-change').length === 2)
    const [first] = told(seen, 'config-change') as { names: string[] }[]
    t.deepEqual([...(first?.names ?? [])].sort(), ['masterauth', 'maxmemory-samples'])
    t.false(JSON.stringify(seen).includes('a-secret'))
  })

  it('server events: data loaded again', async (t, server) => {
    const client = await server.client()
    await listened(client, 'server')
    await client.set('k', 1)
    await client.call('DEBUG', 'RELOAD')
    const seen = await untilListened(client, 'server', has('loading', { phase: 'end' }))
    t.deepEqual(told(seen, 'loading'), [
      { type: 'loading', phase: 'start', source: 'rdb' },
      { type: 'loading', phase: 'end', source: 'rdb' },
    ])
    t.deepEqual(told(seen, 'startup'), [])
  })

  it('server events: a restarted host says so, and a plugin is told its start once each time', async (t, server) => {
    const client = await server.client()
    await restartHost(server, client)
    const seen = await untilListened(client, 'server', has('startup'))
    t.deepEqual(told(seen, 'startup'), [{ type: 'startup', restarted: true, role: 'primary', primary: null }])
    await until(async () => (await client.lrange('startups', 0, -1)).includes('restarted'))
    t.deepEqual(told(await listened(client, 'server'), 'startup'), [])
  })
})

forEachServer(test, 'server events: startup is told once, when the data are there', async (t, program) => {
  await using server = await startServer({ server: program, plugins, aof: true })
  const client = await server.client()
  const seen = await untilListened(client, 'server', has('startup'))
  t.deepEqual(told(seen, 'startup', 'loading'), [{ type: 'startup', restarted: false, role: 'primary', primary: null }])
  await until(async () => (await client.lrange('startups', 0, -1)).length === 1)
  await server.restart()
  await server.pluginsActive()
  const again = await server.client()
  await until(async () => (await again.lrange('startups', 0, -1)).join() === 'started,started')
  t.pass()
})

for (const how of ['SIGTERM', 'SHUTDOWN'] as const) {
  forEachServer(test, `server events: ${how} is told before teardown, which waits for it`, async (t, program) => {
    await using server = await startServer({
      server: program,
      plugins,
      env: { ...process.env, LISTENER_FILE: 'last-words' },
    })
    const client = await server.client()
    await untilListened(client, 'server', has('startup'))
    // A handler that does not come back keeps nothing of that from happening.
    await client.call('LISTENER.HOLD')
    await server.client()
    if (how === 'SIGTERM') server.kill('SIGTERM')
    else await client.shutdown('NOSAVE').catch(() => undefined)
    t.deepEqual(await server.exited, { code: 0, signal: null })
    const words = await readFile(join(server.folder, 'last-words'), 'utf8')
    t.deepEqual(words.trim().split('\n'), ['shutdown', 'shutdown handled', 'teardown'])
  })
}

forEachServer(test, 'server events: an unloaded host is no shutdown', async (t, program) => {
  await using server = await startServer({
    server: program,
    plugins,
    env: { ...process.env, LISTENER_FILE: 'last-words' },
  })
  const client = await server.client()
  const before = await hostPid(client)
  process.kill(before, 'SIGTERM')
  await until(async () => ![0, before].includes(await hostPid(client)))
  const words = await readFile(join(server.folder, 'last-words'), 'utf8')
  t.deepEqual(words.trim().split('\n'), ['teardown'])
  await server.pluginsActive()
})

forEachServer(test, 'server events: roles and replication, seen from both sides', async (t, program) => {
  await using primary = await startServer({ server: program, plugins })
  await using replica = await startServer({ server: program, plugins })
  const [one, other] = [await primary.client(), await replica.client()]
  for (const client of [one, other]) await untilListened(client, 'server', has('startup'))
  await one.set('k', 1)
  const at = { host: '127.0.0.1', port: primary.port }
  const settled = (seen: readonly Listened[]): boolean => has('replication-sync', { change: 'link-up' })(seen)

  await other.replicaof(at.host, at.port)
  const came = await untilListened(other, 'server', settled)
  // Valkey 9 empties its databases once it is loading.
  t.deepEqual(told(came, 'flush'), [{ type: 'flush', db: null }])
  t.deepEqual(told(came, 'role-change', 'replication-sync', 'loading'), [
    { type: 'role-change', role: 'replica', primary: at },
    { type: 'loading', phase: 'start', source: 'replication' },
    { type: 'loading', phase: 'end', source: 'replication' },
    { type: 'replication-sync', change: 'link-up', sync: 'full' },
  ])
  const seen = await untilListened(one, 'server', has('replication-sync', { change: 'replica-online' }))
  t.deepEqual(told(seen, 'role-change', 'replication-sync'), [
    { type: 'replication-sync', change: 'replica-online', sync: null },
  ])
  await untilInStep(primary, replica)

  // The link alone: the rest is caught up with.
  await one.call('CLIENT', 'KILL', 'TYPE', 'replica')
  const cut = await untilListened(other, 'server', settled)
  t.deepEqual(told(cut, 'role-change', 'replication-sync', 'loading'), [
    { type: 'replication-sync', change: 'link-down', sync: null },
    { type: 'replication-sync', change: 'link-up', sync: 'partial' },
  ])
  const back = await untilListened(one, 'server', has('replication-sync', { change: 'replica-online' }))
  t.deepEqual(told(back, 'replication-sync'), [
    { type: 'replication-sync', change: 'replica-offline', sync: null },
    { type: 'replication-sync', change: 'replica-online', sync: null },
  ])

  // A restarted plugin on a replica is told its role.
  await restartHost(replica, other)
  const restarted = await untilListened(other, 'server', has('startup'))
  t.deepEqual(told(restarted, 'startup'), [{ type: 'startup', restarted: true, role: 'replica', primary: at }])

  await other.replicaof('NO', 'ONE')
  const promoted = await untilListened(other, 'server', has('role-change'))
  t.deepEqual(told(promoted, 'role-change'), [{ type: 'role-change', role: 'primary', primary: null }])
  await untilListened(one, 'server', has('replication-sync', { change: 'replica-offline' }))
})

forEachServer(test, 'server events: both sides of a FAILOVER', async (t, program) => {
  await using primary = await startServer({ server: program, plugins })
  await using replica = await startServer({ server: program, plugins, replicaOf: primary })
  await untilInStep(primary, replica)
  const [one, other] = [await primary.client(), await replica.client()]
  await one.call('FAILOVER')
  const promoted = await untilListened(other, 'server', has('role-change'))
  t.deepEqual(told(promoted, 'role-change'), [{ type: 'role-change', role: 'primary', primary: null }])
  const demoted = await untilListened(one, 'server', has('role-change'))
  const at = { host: '127.0.0.1', port: replica.port }
  t.deepEqual(told(demoted, 'role-change'), [{ type: 'role-change', role: 'replica', primary: at }])
})
