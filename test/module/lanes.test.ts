// What lanes may do that no host of today does: a command that moves to another lane or goes while requests wait for it,
// answers out of place, nested commands. A peer stands in for the host (ferrite.host-mode external).
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { Redis } from 'ioredis'
import type { Directive } from '#lib/servers/server-process.js'
import { RawPeer } from '../faults/raw-peer.js'
import { fixturePlugin, forEachServer, messageOf, startServer, until, type TestServer } from '../helpers/index.js'

const external: Directive = ['ferrite.host-mode', 'external']

function startExternal(
  program: TestServer['program'],
  more: readonly Directive[] = [],
  aof = false,
): Promise<TestServer> {
  const plugins = [fixturePlugin('counters')]
  return startServer({ server: program, plugins, waitForPlugins: false, aof, config: [external, ...more] })
}

const add = (client: Redis, by: string): Promise<string> => messageOf(client.call('COUNTER.ADD', 'n', by))

/** What the handler of COUNTER.ADD would answer. */
const sum = (id: unknown, value: string) =>
  ({
    type: 'RESULT',
    id: id as number,
    outcome: 0,
    reply: Buffer.from(`:${value}\r\n`),
    commit: [['SET', 'n', value]],
  }) as const

async function inFigures(server: TestServer, name: string, holds: (value: number) => boolean): Promise<void> {
  const client = await server.client()
  const figure = async (): Promise<boolean> => {
    const figures = (await client.call('FERRITE.INFO')) as unknown[]
    return holds(Number(figures[figures.indexOf(name) + 1]))
  }
  await until(figure, { what: `${name} in FERRITE.INFO` })
}

/** Waits until so many requests are with the module. */
async function inFlight(server: TestServer, wanted: number): Promise<void> {
  await inFigures(server, 'inflight', (count) => count === wanted)
}

const invokes = (peer: RawPeer) =>
  peer.all('INVOKE').map(({ code, flags, args }) => ({ code, flags: flags & 64, by: String(args[1]) }))

forEachServer(test, "lanes: 'run again' for a request that is in no batch is answered", async (t, program) => {
  await using server = await startExternal(program)
  const peer = await RawPeer.lane(server, 'plugins')
  await peer.attach('counters', 'COUNTER.INCR')
  const client = await server.client()
  const [reply, pong] = [messageOf(client.call('COUNTER.INCR', 'k')), client.ping()]
  const { id } = await peer.next('INVOKE')
  peer.send({ type: 'RESULT', id, outcome: 3, reply: Buffer.alloc(0) })
  t.regex(await reply, /^TRYAGAIN /)
  t.is(await pong, 'PONG')
})

forEachServer(test, 'lanes: requests wait while their command goes from the route table', async (t, program) => {
  await using server = await startExternal(program)
  const control = await RawPeer.lane(server, 'control')
  const peer = await RawPeer.lane(server, 'plugins')
  await peer.attach('counters', 'COUNTER.ADD')
  const clients = await Promise.all([1, 2, 3].map(() => server.client()))
  const first = add(clients[0] as Redis, '1')
  const { id } = await peer.next('INVOKE')
  const replies = [first, add(clients[1] as Redis, '2'), add(clients[2] as Redis, '3')]
  await inFlight(server, 3)
  await writeFile(join(server.stateDir, 'routes'), 'ferrite-routes 1\nend 1\n')
  control.send({ type: 'ROUTES', id: 1 })
  t.deepEqual((await control.next('ROUTES_READ')).problems, [])
  peer.send(sum(id, '1'))
  for (const reply of replies) t.is(await reply, 'UNAVAILABLE the plugin has stopped meanwhile')
})

forEachServer(test, 'lanes: who waits for a lane is sent there, with the code of that lane', async (t, program) => {
  await using server = await startExternal(program)
  const old = await RawPeer.lane(server, 'plugins', 'old')
  await old.attach('counters', 'COUNTER.ADD')
  const clients = await Promise.all([1, 2, 3].map(() => server.client()))
  const replies = [add(clients[0] as Redis, '1')]
  const { id } = await old.next('INVOKE')
  replies.push(add(clients[1] as Redis, '2'), add(clients[2] as Redis, '3'))
  await inFlight(server, 3)
  const fresh = await RawPeer.lane(server, 'plugins', 'fresh')
  await fresh.attach('counters', 'COUNTER.INCR', 'COUNTER.ADD')
  // A conflict: the first goes on, on the lane that serves the command now, and the others wait for their own.
  await (await server.client()).set('n', '100')
  old.send(sum(id, '1'))
  const again = await fresh.next('INVOKE')
  t.deepEqual(invokes(fresh), [{ code: 1, flags: 0, by: '1' }])
  t.is(old.all('INVOKE').length, 1)
  fresh.send(sum(again.id, '101'))
  await old.next('INVOKE', ({ args }) => String(args[1]) === '3')
  t.deepEqual(invokes(old), [
    { code: 0, flags: 0, by: '1' },
    { code: 0, flags: 64, by: '2' },
    { code: 0, flags: 0, by: '3' },
  ])
  for (const { id: waiting, args } of old.all('INVOKE').slice(1)) {
    const value = String(args[1]) === '2' ? '103' : '106'
    const assumed = [Buffer.from(value === '103' ? '$3\r\n101\r\n' : '$3\r\n103\r\n')]
    old.send({ ...sum(waiting, value), assumed })
  }
  t.deepEqual(await Promise.all(replies), ['no error but 101', 'no error but 103', 'no error but 106'])
})

forEachServer(test, "lanes: a commit's own writes stay its own after a nested command", async (t, program) => {
  await using server = await startExternal(program)
  const peer = await RawPeer.lane(server, 'plugins')
  const commands = ['COUNTER.INCR', 'COUNTER.BOTH'].map((name, code) => ({ name, code }))
  const subscriptions = [{ id: 1, kind: 'keys', flags: 0, events: ['set'], keys: [] } as const]
  peer.send({ type: 'ATTACH', id: 1, plugin: 'counters', version: '1.0.0', commands, subscriptions })
  await peer.next('ATTACHED')
  const client = await server.client()
  const reply = client.call('COUNTER.BOTH', 'k', 'k')
  const outer = await peer.next('INVOKE')
  const commit = [
    ['SET', 'before', '1'],
    ['COUNTER.INCR', 'k'],
    ['SET', 'after', '1'],
  ]
  peer.send({ type: 'RESULT', id: outer.id, outcome: 0, reply: Buffer.from('+OK\r\n'), commit })
  const inner = await peer.next('INVOKE', ({ id }) => id !== outer.id)
  peer.send({ type: 'RESULT', id: inner.id, outcome: 0, reply: Buffer.from(':1\r\n') })
  t.is(await reply, 'OK')
  await client.set('of a client', '1')
  await peer.next('EVENT', ({ key }) => String(key) === 'of a client')
  t.deepEqual(
    peer.all('EVENT').map(({ key }) => String(key)),
    ['of a client'],
  )
})

/** A call of the plugin itself. */
async function called(peer: RawPeer, id: number, ...words: readonly string[]): Promise<string> {
  peer.send({ type: 'CALL', id, flags: 0, requestId: 0, plugin: 'counters', db: 0, commands: [words] })
  return String((await peer.next('CALL_RESULT', (message) => message.id === id)).values[0])
}

forEachServer(test, 'lanes: no writing command passes a pause unrecognised', async (t, program) => {
  const renamed: Directive = ['rename-command', 'COMMAND', '""']
  for (const more of [[], [renamed]] as const) {
    await using server = await startExternal(program, [...more, ['ferrite.plugin-user', 'default']], true)
    const [peer, other] = [await RawPeer.lane(server, 'plugins'), await RawPeer.lane(server, 'plugins')]
    const hidden = ['XGROUP\0', 'CREATE', 's', 'g', '$', 'MKSTREAM'] // the server's calls end a name at a NUL byte
    t.is(await called(peer, 1, 'SET', 'k', '1'), '+OK\r\n')
    t.regex(await called(peer, 2, ...hidden), /^-ERR unknown command 'XGROUP', followed by a NUL byte/)
    const client = await server.client()
    await client.call('CLIENT', 'PAUSE', '60000', 'WRITE')
    const replies = [called(peer, 3, 'SET', 'k', '2'), called(other, 4, ...hidden)]
    await inFigures(server, 'calls_queued', (count) => count > 0)
    t.is(await client.get('k'), '1')
    await client.call('CLIENT', 'UNPAUSE')
    t.is(await replies[0], '+OK\r\n')
    t.regex((await replies[1]) ?? '', /^-ERR unknown command/)
    t.is(await client.get('k'), '2')
    t.is(server.exit, undefined)
  }
})

forEachServer(
  test,
  'lanes: calls of a host that does not read wait, within ferrite.lane-buffer',
  async (t, program) => {
    const mib = 2 ** 20
    const limits: readonly Directive[] = [
      ['ferrite.plugin-user', 'default'],
      ['ferrite.lane-buffer', String(mib)],
    ]
    await using server = await startExternal(program, limits)
    const peer = await RawPeer.lane(server, 'plugins')
    const client = await server.client()
    await client.set('big', 'x'.repeat(mib / 4))
    peer.pause()
    const call = { type: 'CALL', flags: 0, requestId: 0, plugin: 'counters', db: 0 } as const
    for (let id = 1; id <= 100; id++) peer.send({ ...call, id, commands: [['GET', 'big']] })
    await inFigures(server, 'calls_queued', (count) => count > 50)
    await inFigures(server, 'queued_bytes', (bytes) => bytes > mib && bytes < 2 * mib)
    for (let id = 101; id <= 110; id++) peer.send({ ...call, id, commands: [['ECHO', 'y'.repeat(mib / 4)]] })
    peer.resume()
    await until(() => peer.all('CALL_RESULT').length === 110, { what: 'an answer to every call' })
    const results = peer.all('CALL_RESULT')
    t.is(results.filter(({ id, refused }) => Number(id) <= 100 && refused).length, 0)
    t.regex(String(results.find(({ refused }) => refused)?.values[0]), /^-OVERLOADED /)
  },
)

forEachServer(test, 'lanes: what no frame can hold is refused and the lane stays', async (t, program) => {
  if (process.env['FERRITE_LONG'] !== '1') {
    t.log('not checked: it takes 2.5 GB of memory (FERRITE_LONG=1)')
    t.pass()
    return
  }
  await using server = await startExternal(program, [['ferrite.plugin-user', 'default']])
  const peer = await RawPeer.lane(server, 'plugins')
  peer.answerAll('+served\r\n')
  await peer.attach('counters', 'COUNTER.MOVE', 'COUNTER.INCR')
  const client = await server.client()
  const half = String(300 * 2 ** 20)
  for (const key of ['a', 'b']) await client.setrange(key, Number(half), 'x')
  const tooLong = /^ERR 'counter\.move': its arguments and what it reads are longer than 513 MiB/
  t.regex(await messageOf(client.call('COUNTER.MOVE', 'a', 'b', '1')), tooLong)
  t.regex((await client.multi().call('COUNTER.MOVE', 'a', 'b', '1').exec())?.[0]?.[0]?.message ?? '', tooLong)
  t.regex(await called(peer, 1, 'MGET', 'a', 'b'), /^-ERR the replies of this call are too long together/)
  t.is(await client.call('COUNTER.INCR', 'k'), 'served')
  t.true(peer.isOpen)
})
