// Events of clients' connections: which of them reach a plugin, with what, and what becomes of those that it cannot take.
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import type { Redis } from 'ioredis'
import { kMostWaitingEvents } from '#lib/host/event-queue.js'
import {
  fixturePlugin,
  forEachServer,
  listened,
  RawClient,
  shareServers,
  startServer,
  until,
  untilInStep,
  untilListened,
  type Listened,
  type TestServer,
} from '../helpers/index.js'

const plugins = [fixturePlugin('listener')]

async function idOf(client: Redis): Promise<number> {
  return await client.client('ID')
}

async function connected(client: Redis): Promise<number> {
  return Number(/connected_clients:(\d+)/.exec(await client.info('clients'))?.[1])
}

/** What the hook sees of one client, until it has gone. */
async function lifeOf(server: TestServer, observer: Redis, id: number): Promise<readonly Listened[]> {
  const isIts = (one: Listened): boolean => one['id'] === id
  const seen = await untilListened(observer, 'clients', (all) =>
    all.some((one) => isIts(one) && one.type === 'disconnect'),
  )
  return seen.filter(isIts)
}

const types = (seen: readonly Listened[]): readonly string[] => seen.map(({ type }) => type)

shareServers(test, { plugins }, (it) => {
  it('client events: a connection from its beginning to its end', async (t, server) => {
    const observer = await server.client()
    const client = await server.client({ db: 3, connectionName: 'named' })
    const id = await idOf(client)
    const address = /addr=(\S+)/.exec(await client.client('INFO'))?.[1]
    await client.quit()
    const [came, went, ...more] = await lifeOf(server, observer, id)
    t.deepEqual(more, [])
    const common = { id, address, tls: false, dropped: 0 }
    t.like(came, { ...common, type: 'connect', db: 0, user: null, name: null })
    t.like(went, { ...common, type: 'disconnect', db: 3, user: 'default', name: 'named' })
    t.true(Number(came?.['now']) > 1.7e12 && Number(went?.['now']) >= Number(came?.['now']))
  })

  it('client events: connections end by QUIT, CLIENT KILL, their user and a socket that is destroyed', async (t, server) => {
    const observer = await server.client()
    await observer.call('ACL', 'SETUSER', 'guest', 'on', 'nopass', '~*', '+@all')
    const ends: Record<string, (client: Redis, id: number) => unknown> = {
      quit: (client) => client.quit(),
      'logged in': (client) => client.quit(),
      kill: (_client, id) => observer.call('CLIENT', 'KILL', 'ID', id),
      'user deleted': () => observer.call('ACL', 'DELUSER', 'guest'),
      destroyed: (client) => client.stream.resetAndDestroy(),
    }
    for (const [how, end] of Object.entries(ends)) {
      const client = await server.client()
      const id = await idOf(client)
      const { address } = (await untilListened(observer, 'clients', (all) => all.some((one) => one['id'] === id))).find(
        (one) => one['id'] === id,
      ) as Listened
      if (how.includes('user') || how === 'logged in') await client.auth('guest', 'x')
      await end(client, id)
      const seen = await lifeOf(server, observer, id)
      t.deepEqual(types(seen), ['disconnect'], how)
      t.is(seen[0]?.['address'], address, how)
      if (how === 'logged in') t.is(seen[0]?.['user'], 'guest')
    }
  })

  it('client events: what a handler calls acts as the plugin', async (t, server) => {
    const observer = await server.client()
    const client = await server.client({ connectionName: 'named' })
    const id = await idOf(client)
    await client.quit()
    await until(async () => (await observer.get(`gone:${id}`)) === 'named')
    t.pass()
  })

  it('client events: a failing handler is logged and stops nobody', async (t, server) => {
    const observer = await server.client()
    const client = await server.client({ connectionName: 'bad' })
    const id = await idOf(client)
    await client.quit()
    await server.logged(/listener: an event hook failed .*this handler is bad/)
    t.deepEqual(types(await lifeOf(server, observer, id)), ['connect', 'disconnect'])
  })

  it('client events: scripts, transactions and calls of plugins are no clients', async (t, server) => {
    const observer = await server.client()
    await listened(observer, 'clients')
    await observer.eval("return redis.call('set', KEYS[1], 1)", 1, 'k')
    await observer.multi().set('k', 2).get('k').exec()
    const client = await server.client()
    const id = await idOf(client)
    await client.quit()
    await lifeOf(server, observer, id)
    const ids = (await listened(observer, 'clients')).map((one) => one['id'])
    t.deepEqual(
      ids.filter((one) => one !== id),
      [],
    )
  })

  it('client events: a client that was there before its plugin is told when it goes', async (t, server) => {
    const old = await server.client()
    const id = await idOf(old)
    const observer = await server.client()
    const host = Number(/ferrite_host_pid:(\d+)/.exec(await observer.info('ferrite'))?.[1])
    process.kill(host, 'SIGKILL')
    await until(async () => {
      const now = Number(/ferrite_host_pid:(\d+)/.exec(await observer.info('ferrite'))?.[1])
      return now !== 0 && now !== host
    })
    await server.pluginsActive()
    const address = /addr=(\S+)/.exec(await old.client('INFO'))?.[1]
    await old.quit()
    const seen = await lifeOf(server, observer, id)
    t.deepEqual(types(seen), ['disconnect'])
    t.like(seen[0], { address, user: 'default' })
  })

  it('client events: thousands of connections are delivered or counted', async (t, server) => {
    const observer = await server.client()
    // The first one that the hook gets from then on is to be the one that waits.
    const own = await idOf(observer)
    await untilListened(observer, 'slow', (all) => all.some((one) => one['id'] === own))
    await observer.call('LISTENER.HOLD')
    const first = await server.client()
    const held = await idOf(first)
    await untilListened(observer, 'slow', (all) => all.some((one) => one['id'] === held))
    const count = kMostWaitingEvents + 2000
    for (let made = 0; made < count; made += 200) {
      const sockets = Array.from({ length: 200 }, () => connect({ port: server.port, host: '127.0.0.1' }))
      await Promise.all(sockets.map((socket) => once(socket, 'connect')))
      // Accepted by the server, not by its kernel alone.
      await until(async () => (await connected(first)) === 202)
      for (const socket of sockets) socket.destroy()
      await until(async () => (await connected(first)) === 2)
    }
    await observer.call('LISTENER.RELEASE')
    // What waited comes first: until then there is no room for another one.
    const waited = await untilListened(observer, 'slow', (all) => all.length === kMostWaitingEvents)
    const last = await server.client()
    const id = await idOf(last)
    const then = await untilListened(observer, 'slow', (all) => all.some((one) => one['id'] === id))
    const seen = [...waited, ...then]
    const dropped = seen.reduce((sum, one) => sum + one.dropped, 0)
    t.log(`${String(count)} connections while the handler waited: ${String(dropped)} dropped and told`)
    t.true(dropped > 0)
    t.is(seen.length - 1 + dropped, count, 'each connection was delivered or told as dropped')
  })
})

forEachServer(test, 'client events: clients that are turned away are not told', async (t, program) => {
  await using server = await startServer({ server: program, plugins, config: { maxclients: 60 } })
  const observer = await server.client()
  const client = await server.client()
  const before = await connected(observer)
  const sockets = Array.from({ length: 80 }, () => connect({ port: server.port, host: '127.0.0.1' }))
  for (const socket of sockets) socket.on('error', () => undefined)
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))
  await until(async () => Number(/rejected_connections:(\d+)/.exec(await observer.info('stats'))?.[1]) > 0)
  for (const socket of sockets) socket.destroy()
  await until(async () => (await connected(observer)) === before)
  const id = await idOf(client)
  await client.quit()
  const seen = await untilListened(observer, 'clients', (all) =>
    all.some((one) => one['id'] === id && one.type === 'disconnect'),
  )
  const came = new Set(seen.filter(({ type }) => type === 'connect').map((one) => one['id']))
  for (const one of seen) t.true(came.has(one['id']), JSON.stringify(one))
})

forEachServer(
  test,
  'client events: the link to a primary is no client, on either side of a failover',
  async (t, program) => {
    await using primary = await startServer({ server: program, plugins })
    await using replica = await startServer({ server: program, plugins, replicaOf: primary })
    await untilInStep(primary, replica)
    const observer = await replica.client()
    const own = new Set([await idOf(observer)])
    await observer.call('REPLICAOF', 'NO', 'ONE')
    await observer.call('REPLICAOF', '127.0.0.1', primary.port)
    await untilInStep(primary, replica)
    await observer.call('REPLICAOF', 'NO', 'ONE')
    using last = await RawClient.connect(replica.port)
    const id = Number((await last.text('CLIENT', 'ID')).slice(1))
    const seen = await untilListened(observer, 'clients', (all) => all.some((one) => one['id'] === id))
    own.add(id)
    // redis-cli of the helpers comes and goes: each of its connections is told twice.
    const came = new Set(seen.filter(({ type }) => type === 'connect').map((one) => one['id']))
    for (const one of seen) t.true(came.has(one['id']) || own.has(one['id'] as number), JSON.stringify(one))
  },
)

forEachServer(
  test,
  'client events: a plugin that is gone hears nothing, and the server goes on',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins })
    const observer = await server.client()
    const client = await server.client()
    await until(async () => (await listened(observer, 'clients')).length > 0)
    const sent = async (): Promise<number> =>
      Number(/ferrite_events_sent:(\d+)/.exec(await observer.info('ferrite'))?.[1] ?? NaN)
    t.true((await sent()) > 0)
    const host = Number(/ferrite_host_pid:(\d+)/.exec(await observer.info('ferrite'))?.[1])
    process.kill(host, 'SIGSTOP')
    try {
      process.kill(host, 'SIGKILL')
      await until(async () => (await observer.info('ferrite')).includes('ferrite_lanes:0'))
      await client.quit()
      const another = await server.client()
      await another.quit()
      t.is(await sent(), 0)
    } finally {
      await server.pluginsActive()
    }
    const again = await server.client()
    const id = await idOf(again)
    await untilListened(observer, 'clients', (all) => all.some((one) => one['id'] === id))
  },
)

forEachServer(test, 'client events: over a unix socket', async (t, program) => {
  await using server = await startServer({ server: program, plugins, config: { unixsocket: 'server.sock' } })
  const observer = await server.client()
  const client = await server.client({ path: join(server.folder, 'server.sock') })
  const id = await idOf(client)
  await client.quit()
  const seen = await lifeOf(server, observer, id)
  t.deepEqual(types(seen), ['connect', 'disconnect'])
  t.deepEqual(
    seen.map((one) => one['address']),
    ['unix', 'unix'],
  )
})

forEachServer(test, 'client events: each connection comes once and goes once, with I/O threads', async (t, program) => {
  await using server = await startServer({ server: program, plugins, config: { 'io-threads': 4 } })
  const observer = await server.client()
  const before = await connected(observer)
  const ids: number[] = []
  for (let round = 0; round < 5; round++) {
    const clients = await Promise.all(Array.from({ length: 40 }, () => RawClient.connect(server.port)))
    const replies = await Promise.all(clients.map((client) => client.text('CLIENT', 'ID')))
    ids.push(...replies.map((reply) => Number(reply.slice(1))))
    // Some go while they are being answered.
    for (const client of clients) {
      client.send(['PING'], ['PING'], ['PING'])
      client[Symbol.dispose]()
    }
    await until(async () => (await connected(observer)) === before)
  }
  const isLast = (one: Listened): boolean => one.type === 'disconnect' && ids.includes(Number(one['id']))
  const seen = await untilListened(observer, 'clients', (all) => all.filter(isLast).length === ids.length)
  for (const id of ids) t.deepEqual(types(seen.filter((one) => one['id'] === id)), ['connect', 'disconnect'])
})
