// `keyhit`: which reads of clients reach a plugin, and that looking leaves no trace.
import test from 'ava'
import type { Redis } from 'ioredis'
import {
  fixturePlugin,
  forEachServer,
  messageOf,
  RawClient,
  shareServers,
  startCluster,
  startServer,
  testModule,
  until,
  untilInStep,
} from '../helpers/index.js'

const plugins = [fixturePlugin('readers'), fixturePlugin('doorman')]
const modules = [await testModule('calling')]

/** Takes what a hook has seen until the read of a key that is there has come; without that one. */
async function seenBy(client: Redis, marker = 'hit:end', hook = 'hits'): Promise<readonly string[]> {
  await client.set(marker, 'end')
  await client.get(marker)
  const seen: string[] = []
  await until(
    async () => {
      seen.push(...((await client.call('READERS.SEEN', hook)) as string[]))
      return seen.some((line) => line.startsWith(`keyhit ${marker} `))
    },
    { what: `the hit of ${marker}` },
  )
  return seen.filter((line) => !line.includes(` ${marker} `)).map((line) => line.replace(/ client (\d+) 0$/, ' $1'))
}

/** A key in one of these slots. */
async function keyOfSlots(client: Redis, [first, last]: readonly [number, number]): Promise<string> {
  for (let n = 0; ; n++) {
    const key = `hit:end:${String(n)}`
    const slot = Number(await client.call('CLUSTER', 'KEYSLOT', key))
    if (slot >= first && slot <= last) return key
  }
}

async function figures(client: Redis): Promise<readonly string[]> {
  const info = await client.info('stats')
  return [...info.matchAll(/^keyspace_(?:hits|misses):\d+/gm)].map(([line]) => line)
}

shareServers(test, { plugins, modules, since: '7.2' }, (it, program) => {
  it('hits: reads of keys that are there, misses of those that are not, in their order', async (t, server) => {
    const client = await server.client()
    await seenBy(client)
    await client.mset('hit:1', 'a', 'hit:2', 'b', 'other', 'c')
    await client.hset('hit:hash', 'f', 'v')
    await client.pipeline().get('hit:1').get('hit:none').mget('hit:2', 'other', 'hit:none', 'hit:1').exec()
    await client.pipeline().hget('hit:hash', 'f').exists('hit:1').object('ENCODING', 'hit:1').sinter('hit:none').exec()
    await client.pipeline().get('other').set('hit:1', 'x').append('hit:1', 'y').exec()
    t.deepEqual(await seenBy(client), [
      'keyhit hit:1 0',
      'keymiss hit:none 0',
      // Hits are told just before the command runs, misses while it does.
      'keyhit hit:2 0',
      'keyhit hit:1 0',
      'keymiss hit:none 0',
      'keyhit hit:hash 0',
      'keyhit hit:1 0',
      'keyhit hit:1 0',
      'keymiss hit:none 0',
    ])
  })

  it('hits: keys whose place only the command knows', async (t, server) => {
    const client = await server.client()
    await seenBy(client)
    await client.sadd('hit:set', 1)
    await client.zadd('hit:zset', 1, 'm')
    await client.call('ZUNION', '2', 'other', 'hit:zset')
    await client.call('SINTERCARD', '1', 'hit:set')
    t.deepEqual(await seenBy(client), ['keyhit hit:zset 0', 'keyhit hit:set 0'])
  })

  it('hits: only where they are named', async (t, server) => {
    const client = await server.client()
    await seenBy(client)
    await client.call('READERS.SEEN', 'all')
    await client.set('hit:1', 'a')
    await client.get('hit:1')
    await seenBy(client)
    const all = (await client.call('READERS.SEEN', 'all')) as string[]
    t.true(all.length > 0)
    t.deepEqual(
      all.filter((line) => line.startsWith('key')),
      [],
    )
  })

  it('hits: looking leaves no trace in statistics and idle times, and expires nothing', async (t, server) => {
    const client = await server.client()
    await seenBy(client)
    await client.config('RESETSTAT')
    await client.mset('hit:1', 'a', 'hit:2', 'b')
    await client.set('hit:gone', 'x', 'PX', 1)
    await until(async () => (await client.pttl('other')) === -2 && Date.now() % 5 === 0)
    const before = await figures(client)
    await client.pipeline().get('hit:1').mget('hit:1', 'hit:2', 'hit:none').get('hit:none').exec()
    t.deepEqual(
      (await figures(client)).map((line) => Number(line.split(':')[1])),
      before.map((line, n) => Number(line.split(':')[1]) + (n === 0 ? 3 : 2)),
      'as many as without a plugin',
    )
    await client.config('SET', 'maxmemory-policy', 'allkeys-lfu')
    await client.set('hit:lfu', 'x')
    const uses = Number(await client.object('FREQ', 'hit:lfu'))
    for (let n = 0; n < 50; n++) await client.exists('hit:lfu')
    t.is(Number(await client.object('FREQ', 'hit:lfu')), uses, 'EXISTS is no use, nor is looking')
    await client.config('SET', 'maxmemory-policy', 'noeviction')
  })

  it('hits: a key that has expired is none', async (t, server) => {
    const client = await server.client()
    await client.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0')
    await seenBy(client)
    await client.set('hit:gone', 'x', 'PXAT', Date.now() + 30)
    await until(async () => (await client.exists('hit:gone')) === 0)
    await seenBy(client)
    await client.get('hit:gone')
    await client.call('DEBUG', 'SET-ACTIVE-EXPIRE', '1')
    t.deepEqual(await seenBy(client), ['keymiss hit:gone 0'])
  })

  it('hits: the database', async (t, server) => {
    const client = await server.client()
    const other = await server.client({ db: 7 })
    await seenBy(client)
    await other.set('hit:1', 'a')
    await other.get('hit:1')
    await client.get('hit:1')
    t.deepEqual(await seenBy(client), ['keyhit hit:1 7', 'keymiss hit:1 0'])
  })

  it('hits: none of transactions, scripts, plugins and other modules', async (t, server) => {
    const client = await server.client()
    await seenBy(client)
    await client.set('hit:1', 'a')
    await client.multi().get('hit:1').exec()
    await client.eval("return redis.call('get', KEYS[1])", 1, 'hit:1')
    await client.call('EVAL_RO', "return redis.call('get', KEYS[1])", '1', 'hit:1')
    await client.call('READERS.READ', 'hit:1')
    await client.call('CALLING.RUN', 'now', '', 'GET', 'hit:1')
    t.deepEqual(await seenBy(client), [])
  })

  it('hits: none of commands that the server refuses', async (t, server) => {
    const client = await server.client()
    await seenBy(client)
    await client.set('hit:1', 'a')
    await client.call('ACL', 'SETUSER', 'bob', 'on', '>pass', '+get', '+mget', '~allowed:*', 'resetchannels')
    const bob = await server.client({ username: 'bob', password: 'pass' })
    t.regex(await messageOf(bob.get('hit:1')), /^NOPERM/)
    t.regex(await messageOf(bob.mget('allowed:1', 'hit:1')), /^NOPERM/)
    t.regex(await messageOf(bob.exists('hit:1')), /^NOPERM/)
    t.regex(await messageOf(client.call('GET', 'hit:1', 'hit:1')), /wrong number of arguments/)
    using subscriber = await RawClient.connect(server.port)
    subscriber.send(['SUBSCRIBE', 'news'], ['GET', 'hit:1'], ['QUIT'])
    await subscriber.closed
    t.deepEqual(await seenBy(client), [])
    await client.call('ACL', 'DELUSER', 'bob')
  })

  it('hits: tracking clients, and subscribers that speak RESP3', async (t, server) => {
    const client = await server.client()
    await seenBy(client)
    await client.set('hit:1', 'a')
    using tracker = await RawClient.connect(server.port, 3)
    await tracker.ask('CLIENT', 'TRACKING', 'ON')
    await tracker.ask('GET', 'hit:1')
    await tracker.ask('SUBSCRIBE', 'news')
    await tracker.ask('GET', 'hit:1')
    t.deepEqual(await seenBy(client), ['keyhit hit:1 0', 'keyhit hit:1 0'])
  })

  it('hits: a client with CLIENT NO-TOUCH is not looked at, and crashes nothing', async (t, server) => {
    const client = await server.client()
    await seenBy(client)
    await client.set('hit:1', 'a')
    const shy = await server.client()
    await shy.pipeline().get('hit:1').call('CLIENT', 'NO-TOUCH', 'ON').get('hit:1').get('hit:1').exec()
    t.is(await shy.get('hit:1'), 'a')
    await shy.call('CLIENT', 'NO-TOUCH', 'OFF')
    await shy.get('hit:1')
    t.deepEqual(await seenBy(client), ['keyhit hit:1 0', 'keyhit hit:1 0'])
  })

  it('hits: CLIENT NO-TOUCH under a name that a rule gives it crashes nothing either', async (t, server) => {
    const client = await server.client()
    await client.call('FERRITE.RULE', 'ADD', 'peer', 'RENAME', 'COMMAND', 'PEER', 'TO', 'CLIENT')
    await seenBy(client)
    await client.set('hit:1', 'a')
    const shy = await server.client()
    await shy.pipeline().get('hit:1').call('PEER', 'NO-TOUCH', 'ON').get('hit:1').exec()
    await client.call('FERRITE.RULE', 'DEL', 'peer')
    t.deepEqual(await seenBy(client), ['keyhit hit:1 0'])
  })

  it('hits: hooks before and after a command say what is read', async (t, server) => {
    const client = await server.client()
    await seenBy(client)
    await client.mset('door:closed', 1, 'door:open', 2, 'door:aside', 3, 'door:other', 4, 'door:told', 5)
    using plain = await RawClient.connect(server.port, 3)
    using tracker = await RawClient.connect(server.port, 3)
    await tracker.ask('CLIENT', 'TRACKING', 'ON')
    for (const one of [plain, tracker]) {
      t.is(await one.text('GET', 'door:closed'), '-SHUT closed\r\n')
      t.is(await one.text('GET', 'door:open'), '$1\r\n2\r\n')
      t.is(await one.text('GET', 'door:aside'), '$1\r\n4\r\n')
      t.is(await one.text('GET', 'door:told'), '$1\r\n5\r\n')
    }
    const once = ['keyhit door:open 0', 'keyhit door:other 0', 'keyhit door:told 0']
    t.deepEqual(await seenBy(client), [...once, ...once])
  })

  it(`hits: none while a script is busy, which ${program.product} answers with BUSY`, async (t, server) => {
    const client = await server.client()
    await seenBy(client)
    await client.set('hit:1', 'a')
    await client.config('SET', 'busy-reply-threshold', '1')
    await client.set('hit:busy', 'a')
    const other = await server.client()
    const endless = t.throwsAsync((await server.client()).eval('while true do end', 0))
    await until(async () => (await messageOf(other.ping()).catch(String)).startsWith('BUSY'))
    t.regex(await messageOf(other.get('hit:busy')), /^BUSY/)
    await other.call('SCRIPT', 'KILL')
    await endless
    await client.config('SET', 'busy-reply-threshold', '5000')
    t.deepEqual(
      (await seenBy(client)).filter((line) => line.includes('busy')),
      [],
    )
  })

  it('hits: what does not fit into ferrite.lane-buffer is counted and told as a gap', async (t, server) => {
    const client = await server.client()
    await seenBy(client)
    await client.set('hit:1', 'a')
    await client.config('SET', 'ferrite.lane-buffer', '1mb')
    const dropped = async () => Number(/ferrite_events_dropped:(\d+)/.exec(await client.info('ferrite'))?.[1])
    const before = await dropped()
    // One command is one turn of the loop: nothing is flushed meanwhile.
    const count = 30_000
    await client.mget(Array.from({ length: count }, () => 'hit:1'))
    await client.config('SET', 'ferrite.lane-buffer', '64mb')
    const seen = await seenBy(client)
    const lost = (await dropped()) - before
    t.log(`${String(count)} hits in one command: ${String(lost)} dropped`)
    t.true(lost > 0)
    t.is(seen.length + lost, count)
  })
})

forEachServer(
  test,
  'hits: an unauthenticated client reaches no plugin',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins })
    const admin = await server.client()
    await admin.set('hit:1', 'a')
    await admin.call('ACL', 'SETUSER', 'ann', 'on', '>pass', '+@all', '~*')
    await admin.config('SET', 'requirepass', 'secret')
    const ann = await server.client({ username: 'ann', password: 'pass' })
    await seenBy(ann)
    t.regex(await server.cli('GET', 'hit:1'), /^NOAUTH/)
    t.deepEqual(await seenBy(ann), [])
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'hits: not on replicas unless asked for, and only there',
  async (t, program) => {
    await using primary = await startServer({ server: program, plugins })
    await using replica = await startServer({ server: program, plugins, replicaOf: primary })
    const client = await primary.client()
    await client.set('everywhere:1', 1)
    await untilInStep(primary, replica)
    const reader = await replica.client()
    await reader.get('everywhere:1')
    await client.get('everywhere:1')
    await until(async () => ((await reader.call('READERS.SEEN', 'everywhere')) as unknown[]).length === 1)
    t.deepEqual(await reader.call('READERS.SEEN', 'primary'), [])
    // One that has lost its primary, and says nothing then.
    await reader.config('SET', 'replica-serve-stale-data', 'no')
    await reader.replicaof('127.0.0.1', '1')
    t.regex(await messageOf(reader.get('everywhere:1')), /^MASTERDOWN/)
    t.deepEqual(await reader.call('READERS.SEEN', 'everywhere'), [])
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'hits: in a cluster none that the client is sent elsewhere for',
  async (t, program) => {
    await using cluster = await startCluster({ server: program, plugins, primaries: 2 })
    const clients = await Promise.all(cluster.nodes.map(async (node) => await node.client()))
    const ids = await Promise.all(clients.map(async (client) => String(await client.call('CLUSTER', 'MYID'))))
    const slot = Number(await clients[0]?.call('CLUSTER', 'KEYSLOT', 'hit:1'))
    const [here, there] = slot < 8192 ? [0, 1] : [1, 0]
    const [owner, taker] = [clients[here], clients[there]]
    if (owner === undefined || taker === undefined) throw new Error('two nodes were asked for')
    await owner.call('SET', 'hit:1', 'a')
    await owner.call('GET', 'hit:1')
    t.deepEqual(await seenBy(owner, 'hit:{hit:1}:end'), ['keyhit hit:1 0'])
    t.regex(await messageOf(owner.mget('hit:1', 'hit:2', 'hit:3')), /^(CROSSSLOT|MOVED)/)
    await taker.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[here] ?? '')
    using asking = await RawClient.connect(cluster.nodes[there]?.port ?? 0)
    t.is(await asking.text('ASKING'), '+OK\r\n')
    t.is((await asking.askAll(['ASKING'], ['SET', 'hit:1', 'b'])).toString(), '+OK\r\n+OK\r\n')
    t.regex(await messageOf(taker.get('hit:1')), /^MOVED/, 'though it is there')
    t.deepEqual(await seenBy(owner, 'hit:{hit:1}:end'), [])
    const end = await keyOfSlots(taker, slot < 8192 ? [8192, 16_383] : [0, 8191])
    t.deepEqual(await seenBy(taker, end), [])
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'hits: none on a server whose CLIENT is renamed, which is asked for NO-TOUCH, and the plugin is told',
  async (t, program) => {
    const config = [['rename-command', 'CLIENT', 'PEER']] as const
    await using server = await startServer({ server: program, plugins, config })
    await server.logged("event keyhit is never told: it needs the server's CLIENT")
    using client = await RawClient.connect(server.port)
    await client.ask('SET', 'hit:1', 'a')
    t.is(await client.text('PEER', 'NO-TOUCH', 'ON'), '+OK\r\n')
    t.is(await client.text('GET', 'hit:1'), '$1\r\na\r\n')
    t.is(await client.text('GET', 'hit:none'), '$-1\r\n')
    const seen: string[] = []
    await until(async () => seen.push(...(await server.cli('READERS.SEEN', 'hits')).trim().split('\n')) > 0)
    t.deepEqual(seen, ['keymiss hit:none client 0 0'])
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'hits: on Redis 7.0 the plugin is told that there are none, and gets its other events',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins: [fixturePlugin('readers')] })
    await server.logged('event keyhit is never told: it needs Redis 7.2')
    const client = await server.client()
    await client.set('hit:1', 'a')
    await client.get('hit:1')
    await client.get('hit:none')
    const seen: string[] = []
    await until(async () => seen.push(...((await client.call('READERS.SEEN', 'hits')) as string[])) > 0)
    t.deepEqual(seen, ['keymiss hit:none client 0 0'])
  },
  { before: '7.2' },
)
