// A cluster of three primaries: plugin commands are routed, redirected and refused like native ones.
import test from 'ava'
import type { Redis } from 'ioredis'
import {
  fixturePlugin,
  messageOf,
  RawClient,
  shareClusters,
  until,
  type TestCluster,
  type TestServer,
} from '../helpers/index.js'

const plugins = ['shards', 'counters', 'caller'].map(fixturePlugin)

async function idOf(node: TestServer): Promise<string> {
  return await node.cli('cluster', 'myid')
}

async function slotOf(node: TestServer, key: string): Promise<number> {
  return Number(await node.cli('cluster', 'keyslot', key))
}

/** The node that serves the slot of a key. */
async function ownerOf(cluster: TestCluster, key: string): Promise<TestServer> {
  for (const node of cluster.nodes) {
    const client = await node.client()
    const served = (await messageOf(client.exists(key))).startsWith('no error')
    client.disconnect()
    if (served) return node
  }
  throw new Error(`no node serves the key ${key}`)
}

/** A key that a node serves. */
async function keyOf(cluster: TestCluster, node: TestServer): Promise<string> {
  for (let n = 0; ; n++) {
    const key = `of:${String(n)}`
    if ((await ownerOf(cluster, key)) === node) return key
  }
}

/** What a call or commit gets whose slot is served elsewhere; Valkey 8 cannot be asked by whom, and so Valkey is not. */
function redirection(slot: number, to: TestServer): string {
  if (to.program.product === 'redis') return `MOVED ${String(slot)} 127.0.0.1:${String(to.port)}`
  return `TRYAGAIN slot ${String(slot)} is being moved, or another node serves it`
}

function anotherThan(cluster: TestCluster, node: TestServer): TestServer {
  const other = cluster.nodes.find((one) => one !== node)
  if (other === undefined) throw new Error('the cluster has one node')
  return other
}

interface Migration {
  readonly slot: number
  readonly from: TestServer
  readonly to: TestServer
}

/** A key of its own, on a node of its own for each test. */
async function migrationOf(cluster: TestCluster, key: string): Promise<Migration> {
  const from = await ownerOf(cluster, key)
  return { slot: await slotOf(from, key), from, to: anotherThan(cluster, from) }
}

async function begin({ slot, from, to }: Migration): Promise<void> {
  await to.cli('cluster', 'setslot', String(slot), 'importing', await idOf(from))
  await from.cli('cluster', 'setslot', String(slot), 'migrating', await idOf(to))
}

async function moveKey({ from, to }: Migration, key: string): Promise<void> {
  await from.cli('migrate', '127.0.0.1', String(to.port), key, '0', '5000')
}

async function complete(cluster: TestCluster, { slot, to }: Migration): Promise<void> {
  const id = await idOf(to)
  await to.cli('cluster', 'setslot', String(slot), 'node', id)
  for (const node of cluster.nodes) if (node !== to) await node.cli('cluster', 'setslot', String(slot), 'node', id)
}

async function untilWaiting(node: Redis, gate: string): Promise<void> {
  await until(async () => (await node.call('SHARD.WAITING', gate)) === 1, { what: `a request to wait at ${gate}` })
}

const inFlight = (info: string): number => Number(/ferrite_inflight:(\d+)/.exec(info)?.[1])

/** Redis 7.0 cannot block a client on a name, and so reads for who waits without its ASKING. */
const hasGuard = (node: TestServer): boolean => !node.program.version.startsWith('7.0')

shareClusters(test, { plugins }, (it) => {
  it('cluster: commands are routed by their keys', async (t, cluster) => {
    const routed = cluster.client()
    for (let n = 0; n < 60; n++) {
      t.is(await routed.call('SHARD.ADD', `key:${String(n)}`, '1'), 1)
      t.is(await routed.call('COUNTER.INCR', `key:${String(n)}`), 2)
    }
    for (const node of cluster.nodes) t.true(Number(await node.cli('dbsize')) > 0, 'every node has keys')
  })

  it('cluster: MOVED is what native commands reply', async (t, cluster) => {
    const owner = await ownerOf(cluster, 'moved')
    const wrong = await anotherThan(cluster, owner).client()
    const native = await messageOf(wrong.get('moved'))
    t.is(native, `MOVED ${String(await slotOf(owner, 'moved'))} 127.0.0.1:${String(owner.port)}`)
    t.is(await messageOf(wrong.call('SHARD.ADD', 'moved', '1')), native)
    t.is(await messageOf(wrong.call('SHARD.SET', 'moved', 'v')), native)
  })

  it('bug: a plugin’s call of several slots is refused, and no later call for it', async (t, cluster) => {
    const [node] = cluster.nodes
    if (node === undefined) throw new Error('the cluster has no node')
    const key = await keyOf(cluster, node)
    const client = await node.client()
    await client.set(key, 'v')
    for (let i = 0; i < 3; i++) {
      t.is(
        await messageOf(client.call('CALLER.CALL', 'MGET', key, `${key}0`, `${key}1`)),
        "CROSSSLOT Keys in request don't hash to the same slot",
      )
      t.is(await client.call('CALLER.CALL', 'GET', key), 'v')
      t.is(await client.call('CALLER.CALL', 'ECHO', 'still here'), 'still here')
    }
  })

  it('cluster: CROSSSLOT for keys in two slots, none for one hash tag', async (t, cluster) => {
    const client = await (await ownerOf(cluster, '{tag}a')).client()
    t.regex(await messageOf(client.call('SHARD.BOTH', 'a', 'b')), /^CROSSSLOT/)
    t.deepEqual(await client.call('SHARD.BOTH', '{tag}a', '{tag}b'), [null, null])
  })

  it('cluster: a commit to a key of another node is redirected and writes nothing', async (t, cluster) => {
    const owner = await ownerOf(cluster, 'elsewhere')
    const here = await keyOf(cluster, anotherThan(cluster, owner))
    const client = await (await ownerOf(cluster, here)).client()
    const answer = await messageOf(client.call('SHARD.ELSEWHERE', here, 'elsewhere'))
    t.is(answer, redirection(await slotOf(owner, 'elsewhere'), owner))
    t.is(await (await owner.client()).exists('elsewhere'), 0)
  })

  it('cluster: a commit that reaches a key of another node too late is no redirection', async (t, cluster) => {
    const owner = await ownerOf(cluster, 'elsewhere')
    const here = await keyOf(cluster, anotherThan(cluster, owner))
    const client = await (await ownerOf(cluster, here)).client()
    await client.set(here, '0')
    const redirected = redirection(await slotOf(owner, 'elsewhere'), owner)
    const failed = `ERR ${redirected} (command 2 of 2 of the commit, 'SET', those before it are done)`
    t.is(await messageOf(client.call('SHARD.THENELSEWHERE', here, 'elsewhere')), failed)
    t.is(await client.get(here), '1', 'done once: no client is told to send it again')
    await client.del(here)
  })

  it('cluster: ASK and TRYAGAIN while a slot moves, as for native commands', async (t, cluster) => {
    const migration = await migrationOf(cluster, '{ask}k')
    const from = await migration.from.client()
    await from.set('{ask}here', 1)
    await begin(migration)
    const native = await messageOf(from.get('{ask}gone'))
    t.regex(native, /^ASK /)
    t.is(await messageOf(from.call('SHARD.ADD', '{ask}gone', '1')), native)
    t.is(await from.call('SHARD.ADD', '{ask}here', '1'), 2, 'a key that is still there is served')
    t.regex(await messageOf(from.call('SHARD.BOTH', '{ask}here', '{ask}gone')), /^TRYAGAIN/)
    using importing = await RawClient.connect(migration.to.port)
    const moved = `-MOVED ${String(migration.slot)} 127.0.0.1:${String(migration.from.port)}\r\n`
    t.is(await importing.text('SHARD.ADD', '{ask}gone', '1'), moved)
    t.is((await importing.askAll(['ASKING'], ['SHARD.ADD', '{ask}gone', '1'])).toString(), '+OK\r\n:1\r\n')
    await moveKey(migration, '{ask}here')
    await complete(cluster, migration)
    const routed = cluster.client()
    t.is(await routed.call('SHARD.ADD', '{ask}here', '1'), 3)
    t.is(await routed.call('SHARD.ADD', '{ask}gone', '1'), 2)
  })

  for (const [what, command, value] of [
    ['guarded', 'SHARD.ADD', '5'],
    ['plain', 'SHARD.SET', '105'],
    ['calling', 'SHARD.CALL', '105'],
  ] as const) {
    it(`cluster: a slot that moves while a ${what} request is pending gives a redirection and no wrong write`, async (t, cluster) => {
      const key = `{${what}}k`
      const migration = await migrationOf(cluster, key)
      const [waiter, from] = [await migration.from.client(), await migration.from.client()]
      await from.set(key, 100)
      const keys = await from.dbsize()
      const reply = messageOf(waiter.call(command, key, value, what))
      await untilWaiting(from, what)
      await begin(migration)
      await moveKey(migration, key)
      await complete(cluster, migration)
      await from.call('SHARD.OPEN', what)
      // A guarded client is blocked on a name in the slot, and so redirected by the server itself (since 7.2).
      const byServer = `MOVED ${String(migration.slot)} 127.0.0.1:${String(migration.to.port)}`
      t.true([byServer, redirection(migration.slot, migration.to)].includes(await reply), await reply)
      t.is(await (await migration.to.client()).get(key), '100')
      t.is(await from.dbsize(), keys - 1, 'nothing was written where the slot was')
      t.is(await cluster.client().call('SHARD.ADD', key, '1'), 101)
    })
  }

  it('cluster: a guarded request that waits on a slot that comes is answered to who has said ASKING', async (t, cluster) => {
    const migration = await migrationOf(cluster, '{coming}k')
    await begin(migration)
    const on = await migration.to.client()
    const add = async (gate: string): Promise<string> => {
      using client = await RawClient.connect(migration.to.port)
      return (await client.askAll(['ASKING'], ['SHARD.ADD', '{coming}k', '5', gate])).toString()
    }
    const first = add('coming')
    await untilWaiting(on, 'coming')
    const others = Promise.all([add(''), add('')])
    await until(async () => inFlight(await on.info('ferrite')) === 3, { what: 'the others to wait' })
    await on.call('SHARD.OPEN', 'coming')
    t.is(await first, '+OK\r\n:5\r\n')
    const sums = [...(await others)].sort()
    t.deepEqual(sums, hasGuard(migration.to) ? ['+OK\r\n:10\r\n', '+OK\r\n:15\r\n'] : sums)
    await complete(cluster, migration)
    t.is(await cluster.client().call('SHARD.ADD', '{coming}k', '1'), hasGuard(migration.to) ? 16 : 6)
  })

  it('cluster: a key that has gone ahead of its slot while guarded requests wait is written by none', async (t, cluster) => {
    const key = '{ahead}k'
    const migration = await migrationOf(cluster, key)
    const [first, second, from] = [
      await migration.from.client(),
      await migration.from.client(),
      await migration.from.client(),
    ]
    await from.set(key, 100)
    const replies = [
      messageOf(first.call('SHARD.ADD', key, '5', 'gone')),
      messageOf(second.call('SHARD.ADD', key, '5')),
    ]
    await untilWaiting(from, 'gone')
    await begin(migration)
    await moveKey(migration, key)
    await from.call('SHARD.OPEN', 'gone')
    const slot = String(migration.slot)
    for (const reply of replies) t.is(await reply, `TRYAGAIN slot ${slot} is being moved, or another node serves it`)
    t.is(await messageOf(from.get(key)), `ASK ${slot} 127.0.0.1:${String(migration.to.port)}`)
    await complete(cluster, migration)
    t.is(await (await migration.to.client()).get(key), '100')
  })

  it('cluster: a slot that moves while a guarded request waits behind another redirects both', async (t, cluster) => {
    const key = '{behind}k'
    const migration = await migrationOf(cluster, key)
    const [first, second, from] = [
      await migration.from.client(),
      await migration.from.client(),
      await migration.from.client(),
    ]
    await from.set(key, 100)
    const replies = Promise.all([
      messageOf(first.call('SHARD.ADD', key, '5', 'ahead')),
      messageOf(second.call('SHARD.ADD', key, '5', 'behind')),
    ])
    await untilWaiting(from, 'ahead')
    await begin(migration)
    await moveKey(migration, key)
    await complete(cluster, migration)
    await from.call('SHARD.OPEN', 'ahead')
    const moved = `MOVED ${String(migration.slot)} 127.0.0.1:${String(migration.to.port)}`
    for (const reply of await replies) t.true([moved, redirection(migration.slot, migration.to)].includes(reply), reply)
    t.is(await (await migration.to.client()).get(key), '100')
  })
})
