// Events of clients, of the server and of plugins, as the bridge carries them: a peer in place of the host.
import test from 'ava'
import type { Notice, Subscription } from '#lib/bridge/messages.js'
import { forEachServer, RawClient, startServer, until, type TestServer } from '../helpers/index.js'
import { RawPeer } from './raw-peer.js'

function startExternal(program: TestServer['program'], config = {}): Promise<TestServer> {
  return startServer({ server: program, config: { 'ferrite.host-mode': 'external', ...config } })
}

const subscription = (id: number, kind: Subscription['kind'], ...events: readonly string[]): Subscription => {
  return { id, kind, flags: 0, events, keys: [] }
}

async function attach(peer: RawPeer, plugin: string, ...subscriptions: readonly Subscription[]): Promise<void> {
  const id = peer.received.length + 1
  peer.send({ type: 'ATTACH', id, plugin, version: '1', commands: [], subscriptions })
  await peer.next('ATTACHED', (message) => message.id === id)
}

const field = (notice: Notice, name: string): string => String(notice.fields[name])

forEachServer(test, 'notices: a plugin that is detached hears nothing, another one goes on', async (t, program) => {
  await using server = await startExternal(program)
  const [one, other] = [await RawPeer.lane(server, 'plugins'), await RawPeer.lane(server, 'plugins')]
  await attach(one, 'one', subscription(1, 'clients', 'connect'))
  await attach(one, 'neighbour', subscription(2, 'clients', 'connect'), subscription(3, 'plugins', 'news'))
  await attach(other, 'other', subscription(1, 'clients', 'connect', 'disconnect'))
  const client = await server.client()
  const id = String(await client.client('ID'))
  const first = await one.next('NOTICE', (notice) => field(notice, 'id') === id)
  t.deepEqual([...first.subscriptions].sort(), [1, 2])

  one.send({ type: 'DETACH', plugin: 'one', reason: 'disabled' })
  one.send({ type: 'PING', cookie: 7 })
  await one.next('PONG', ({ cookie }) => cookie === 7)
  t.is(await client.call('FERRITE.EMIT', 'news'), 1)
  using second = await RawClient.connect(server.port)
  const secondId = (await second.text('CLIENT', 'ID')).slice(1).trim()
  const later = await one.next('NOTICE', (notice) => field(notice, 'id') === secondId)
  t.deepEqual(later.subscriptions, [2])

  // The last one that listens to clients goes, and comes back: the server is listened to again.
  one.send({ type: 'DETACH', plugin: 'neighbour', reason: 'disabled' })
  other.send({ type: 'DETACH', plugin: 'other', reason: 'disabled' })
  for (const peer of [one, other]) peer.send({ type: 'PING', cookie: 8 })
  for (const peer of [one, other]) await peer.next('PONG', ({ cookie }) => cookie === 8)
  t.is(await client.call('FERRITE.EMIT', 'news'), 0)
  const before = one.all('NOTICE').length + other.all('NOTICE').length
  for (let n = 0; n < 20; n++) (await RawClient.connect(server.port))[Symbol.dispose]()
  await client.ping()
  t.is(one.all('NOTICE').length + other.all('NOTICE').length, before)
  await attach(other, 'other', subscription(5, 'clients', 'disconnect'))
  second[Symbol.dispose]()
  const last = await other.next(
    'NOTICE',
    (notice) => notice.subscriptions.includes(5) && field(notice, 'id') === secondId,
  )
  t.is(field(last, 'user'), 'default')
  for (const peer of [one, other]) t.true(peer.isOpen)
})

forEachServer(
  test,
  'notices: a plugin that comes while data are loaded is told its start afterwards',
  async (t, program) => {
    await using server = await startExternal(program)
    const peer = await RawPeer.lane(server, 'plugins')
    const client = await server.client()
    await client.call('DEBUG', 'POPULATE', 200)
    await client.config('SET', 'key-load-delay', 20_000, 'loading-process-events-interval-bytes', 1024)
    const reload = client.call('DEBUG', 'RELOAD')
    await peer.next('STATE', ({ state }) => state.loading)
    await attach(peer, 'late', subscription(1, 'server', 'startup', 'loading'))
    await reload
    const startup = await peer.next('NOTICE', ({ event }) => event === 'startup')
    t.is(field(startup, 'restarted'), '0')
    t.is(field(startup, 'role'), 'master')
    const order = peer.received.map((one) => (one.type === 'NOTICE' ? `${one.event} ${field(one, 'phase')}` : one.type))
    const told = order.slice(order.indexOf('ATTACHED'))
    t.true(told.indexOf('startup undefined') > told.indexOf('STATE'), told.join())
    // Another ATTACH is a restart, told once.
    await attach(peer, 'late', subscription(2, 'server', 'startup'))
    const again = await peer.next('NOTICE', ({ subscriptions }) => subscriptions.includes(2))
    t.is(field(again, 'restarted'), '1')
    await client.config('SET', 'key-load-delay', 0)
    await client.call('DEBUG', 'RELOAD')
    await peer.next('STATE', ({ state }) => !state.loading)
    t.is(peer.all('NOTICE').filter(({ event }) => event === 'startup').length, 2)
  },
)

forEachServer(
  test,
  'notices: a full lane loses events and is told how many, but never the shutdown',
  async (t, program) => {
    await using server = await startExternal(program, { 'ferrite.lane-buffer': '1mb' })
    const peer = await RawPeer.lane(server, 'plugins')
    await attach(peer, 'busy', subscription(1, 'plugins', 'big'), subscription(2, 'server', 'shutdown'))
    using client = await RawClient.connect(server.port)
    const script =
      "local sent = 0 for i = 1, 40 do sent = sent + redis.call('FERRITE.EMIT', 'big', ARGV[1]) end return sent"
    const heard = (): number => peer.all('NOTICE').filter(({ event }) => event === 'big').length
    const dropped = (): number => peer.all('GAP').reduce((sum, gap) => sum + Number(gap.dropped), 0)
    const sent = Number((await client.text('EVAL', script, '0', 'x'.repeat(100_000))).slice(1))
    t.true(sent > 0 && sent < 40, `${String(sent)} were sent`)
    await until(() => heard() + dropped() === 40)
    t.is(heard(), sent)
    // One turn of the loop: the lane is as full when the server stops.
    client.send(['EVAL', script, '0', 'x'.repeat(100_000)], ['SHUTDOWN', 'NOSAVE'])
    const last = await peer.next('NOTICE', ({ event }) => event === 'shutdown')
    t.deepEqual(last.subscriptions, [2])
    t.deepEqual(await server.exited, { code: 0, signal: null })
    t.is(heard() + dropped(), 80)
    t.true(peer.all('STATE').some(({ state }) => state.shuttingDown))
  },
)
