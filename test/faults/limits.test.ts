// The bounds: lanes, bytes that wait for the host, requests in flight, file descriptors, clients.
import { execFileSync } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { forEachServer, startServer, until, type TestServer } from '../helpers/index.js'
import { assertLives, childrenOf, count, errorOf, figure, ledger, served, wrapped } from './faults.js'
import { RawPeer } from './raw-peer.js'

function startExternal(program: TestServer['program'], config = {}): Promise<TestServer> {
  return startServer({
    server: program,
    plugins: [ledger],
    waitForPlugins: false,
    config: { 'ferrite.host-mode': 'external', ...config },
  })
}

forEachServer(test, 'faults: beyond max-lanes a connection is refused and the others go on', async (t, program) => {
  await using server = await startExternal(program, { 'ferrite.max-lanes': 3 })
  const client = await server.client()
  const lanes = await Promise.all([1, 2, 3].map((n) => RawPeer.lane(server, 'plugins', `lane ${n}`)))
  await lanes[0]?.attach('ledger', 'LEDGER.ECHO')
  lanes[0]?.answerAll('+fine\r\n')
  const surplus = await RawPeer.connect(server)
  await surplus.closed()
  await server.logged('connection to the bridge refused: ferrite.max-lanes is reached')
  t.is(await client.call('LEDGER.ECHO', 'x'), 'fine')
  lanes[1]?.end()
  await until(async () => (await figure(client, 'lanes')) === 2, { what: 'two lanes' })
  t.true((await RawPeer.lane(server, 'plugins')).isOpen)
  await client.config('SET', 'ferrite.max-lanes', 4)
  t.true((await RawPeer.lane(server, 'plugins')).isOpen)
})

forEachServer(test, 'faults: more plugins than lanes share a worker', async (t, program) => {
  const sources: string[] = []
  await using home = await startServer({ server: program, module: false })
  for (const name of ['A', 'B', 'C', 'D']) {
    const source = join(home.folder, `${name}.ts`)
    await writeFile(
      source,
      `import { command, definePlugin } from 'ferrite-plugins/sdk'
       export default definePlugin({ name: '${name.toLowerCase()}', commands: { '${name}.PING': command({ summary: 'x', handler: () => '${name}' }) } })`,
    )
    sources.push(source)
  }
  await using server = await startServer({ server: program, plugins: sources, config: { 'ferrite.max-lanes': 3 } })
  const client = await server.client()
  for (const name of ['A', 'B', 'C', 'D']) t.is(await served(client, `${name}.PING`), name)
  t.is(await figure(client, 'lanes'), 3)
})

forEachServer(
  test,
  'faults: a lane that does not read makes its commands OVERLOADED and nobody else',
  async (t, program) => {
    await using server = await startExternal(program, { 'ferrite.lane-buffer': '1mb' })
    const client = await server.client()
    const stuck = await RawPeer.lane(server, 'plugins', 'stuck')
    await stuck.attach('ledger', 'LEDGER.ECHO')
    const other = await RawPeer.lane(server, 'plugins', 'other')
    await other.attach('ledger', 'LEDGER.SEEN')
    other.answerAll(':1\r\n')
    stuck.pause()
    const text = 'x'.repeat(100_000)
    const errors: string[] = []
    const clients = await Promise.all(Array.from({ length: 40 }, () => server.client()))
    const replies = clients.map((one) =>
      one.callBuffer('LEDGER.ECHO', text).catch((err: unknown) => errors.push(String(err))),
    )
    await until(() => errors.length >= 15, { what: 'errors beyond the buffer' })
    t.true(
      errors.every((error) => error.includes('OVERLOADED too many requests wait for this plugin')),
      errors[0],
    )
    t.true((await figure(client, 'queued_bytes')) <= 1 << 20)
    t.is(await client.call('LEDGER.SEEN'), 1)
    t.is(await figure(client, 'commands_overloaded'), errors.length)
    // A frame of any size fits an empty queue: it reads again, and everything that waited is answered.
    stuck.answerAll('+late\r\n')
    stuck.resume()
    await Promise.all(replies)
    t.is((await client.callBuffer('LEDGER.ECHO', 'x'.repeat(3 << 20)))?.toString(), 'late')
    t.is(await figure(client, 'inflight'), 0)
    assertLives(t, server)
  },
)

forEachServer(test, 'faults: events beyond the buffer are dropped, counted and told', async (t, program) => {
  const writes = count(t, 'writes', 60_000, 1_000_000)
  await using server = await startExternal(program, { 'ferrite.lane-buffer': '1mb' })
  const client = await server.client()
  const lane = await RawPeer.lane(server, 'plugins', 'events')
  const subscriptions = [{ id: 1, kind: 'keys', flags: 0, events: ['set'], keys: ['k*'] } as const]
  lane.send({ type: 'ATTACH', id: 1, plugin: 'ledger', version: '1', commands: [], subscriptions })
  await lane.next('ATTACHED')
  lane.pause()
  await client.eval(`for i = 1, ${writes} do redis.call('SET', 'key:' .. i % 100, i) end`, 0)
  t.true((await figure(client, 'queued_bytes')) <= 1 << 20)
  const dropped = await figure(client, 'events_dropped')
  t.true(dropped > 0)
  lane.resume()
  await client.set('key:last', 1)
  const last = await lane.next('EVENT', ({ key }) => key.toString() === 'key:last')
  t.truthy(last)
  const gaps = lane.all('GAP').reduce((sum, gap) => sum + Number(gap.dropped), 0)
  t.is(lane.all('EVENT').length + gaps, writes + 1)
  t.is(gaps, dropped)
})

forEachServer(test, 'faults: beyond max-inflight commands are OVERLOADED', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [ledger], config: { 'ferrite.max-inflight': 10 } })
  const client = await server.client()
  const clients = await Promise.all(Array.from({ length: 14 }, () => server.client()))
  const replies = clients.map((one) => one.call('LEDGER.SLOW', 'k', 'x', '3000').catch((err: unknown) => String(err)))
  await until(async () => (await figure(client, 'inflight')) === 10, { what: 'ten requests in flight' })
  const texts = (await Promise.all(replies)).filter((reply) => typeof reply === 'string')
  t.is(texts.length, 4)
  t.true(texts.every((text) => text.includes('OVERLOADED')))
  t.is(await client.llen('k'), 10)
  t.is(await served(client, 'LEDGER.COUNT', 'c'), 1)
})

forEachServer(test, 'faults: guarded requests count for max-inflight while they wait', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [ledger], config: { 'ferrite.max-inflight': 10 } })
  const client = await server.client()
  const clients = await Promise.all(Array.from({ length: 30 }, () => server.client()))
  const replies = clients.map((one) => one.call('LEDGER.SLOWCOUNT', 'k', '100').catch((err: unknown) => String(err)))
  const settled = await Promise.all(replies)
  const done = settled.filter((reply) => typeof reply === 'number')
  t.log(`${done.length} of ${settled.length} were let in`)
  t.is(Number(await client.get('k')), done.length)
  t.true(settled.filter((reply) => typeof reply === 'string').every((text) => text.includes('OVERLOADED')))
  t.true(done.length < 30, 'no bound for requests that wait in their queue')
})

forEachServer(test, 'faults: with few file descriptors the server and its clients come first', async (t, program) => {
  await using home = await startServer({ server: program, module: false })
  // Few for the lanes, then too few for a lane at all.
  for (const files of [140, 110, 70]) {
    const small = await wrapped(join(home.folder, String(files)), program, `ulimit -n ${files}`)
    await using server = await startServer({
      server: small,
      plugins: [ledger],
      waitForPlugins: false,
      config: { maxclients: 20 },
    })
    const client = await server.client()
    const served = async (): Promise<string> =>
      String(await client.call('LEDGER.ECHO', 'x').catch((err: unknown) => err))
    const outcome = await until(
      async () => {
        const text = await served()
        return /^x$/.test(text) || /fewer than 64|cannot/.test(await server.log()) ? text : ''
      },
      { what: 'service, or a line that says why there is none' },
    )
    t.log(`${files} descriptors: ${outcome}`)
    const more = await Promise.all(Array.from({ length: 15 }, () => server.client()))
    for (const one of more) t.is(await one.ping(), 'PONG')
    t.is(await client.set('k', 'v'), 'OK')
    t.is(await client.call('SAVE'), 'OK')
    assertLives(t, server)
    const lines = (await server.log()).split('\n').length
    t.true(lines < 500, `${lines} lines of log: one problem is told without end`)
  }
})

forEachServer(
  test,
  'faults: a connection that finds no descriptor is taken later, without a busy loop',
  async (t, program) => {
    await using server = await startExternal(program)
    const client = await server.client()
    await RawPeer.lane(server, 'control')
    const all = (await readdir(`/proc/${server.pid}/fd`)).map(Number)
    const free = all.findIndex((_, fd) => !all.includes(fd))
    const limit = (files: string): void => {
      execFileSync('prlimit', ['--pid', String(server.pid), `--nofile=${files}:`])
    }
    const before = /Max open files +(\d+)/.exec(await readFile(`/proc/${server.pid}/limits`, 'utf8'))?.[1] ?? '1024'
    limit(String(free === -1 ? all.length : free))
    const peer = await RawPeer.connect(server)
    peer.send(await peer.hello('plugins', 'late'))
    const from = (await server.log()).split('\n').length
    for (let i = 0; i < 2000; i++) await client.ping()
    const lines = (await server.log()).split('\n').length - from
    t.true(lines < 20, `${lines} lines of log while 2000 commands ran`)
    limit(before)
    await peer.next('WELCOME')
    assertLives(t, server)
  },
)

forEachServer(test, 'faults: with a small maxclients the plugins are served', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [ledger], config: { maxclients: 5 } })
  const client = await server.client()
  t.is(await served(client, 'LEDGER.COUNT', 'k'), 1)
  const rest = await Promise.allSettled(Array.from({ length: 10 }, async () => (await server.client()).ping()))
  t.true(rest.some(({ status }) => status === 'rejected'))
  t.is(await served(client, 'LEDGER.COUNT', 'k'), 2)
  t.is(childrenOf(server.pid).length, 1)
  t.regex(await errorOf(client, 'LEDGER.WAIT', 'surplus'), /ERR/)
})
