// Slots that really move, by redis-cli, while clients of the cluster write to their keys.
import test from 'ava'
import type { Cluster } from 'ioredis'
import { fixturePlugin, shareClusters, type TestCluster, type TestServer } from '../helpers/index.js'

const plugins = ['counters', 'shards', 'caller'].map(fixturePlugin)
const slots = 200
const rounds = 4

/** Keys of the slots that redis-cli moves first: it takes the lowest of a node. */
async function keysOfFirstSlots(client: Cluster, count: number): Promise<readonly string[]> {
  const keys: string[] = []
  for (let n = 0; keys.length < count; n++) {
    const key = `moving:${String(n)}`
    if ((await client.cluster('KEYSLOT', key)) < slots) keys.push(key)
  }
  return keys
}

async function reshard(source: TestServer, target: TestServer): Promise<void> {
  const [sourceId, targetId] = [await source.cli('cluster', 'myid'), await target.cli('cluster', 'myid')]
  await source.cli(
    ...['--cluster', 'reshard', `127.0.0.1:${String(source.port)}`, '--cluster-yes'],
    ...['--cluster-from', sourceId, '--cluster-to', targetId, '--cluster-slots', String(slots)],
  )
}

/** Each adds one to what is called `name` in its tally. */
const ways: Readonly<Record<string, (client: Cluster, key: string) => Promise<unknown>>> = {
  guarded: (client, key) => client.call('SHARD.ADD', `{${key}}guarded`, '1'),
  plain: (client, key) => client.call('COUNTER.INCR', `{${key}}plain`),
  calling: (client, key) => client.call('CALLER.CALL', 'INCR', `{${key}}calling`),
  moving: (client, key) => client.call('COUNTER.MOVE', `{${key}}from`, `{${key}}moving`, '1'),
}

/** Runs all ways on all keys, twice at once, until `isOver`; how often each was answered. */
async function load(client: Cluster, keys: readonly string[], isOver: () => boolean): Promise<Map<string, number>> {
  const done = new Map<string, number>()
  const work = Object.entries(ways).flatMap(([way, run]) =>
    [...keys, ...keys].map(async (key) => {
      for (const name = `{${key}}${way}`; !isOver();) {
        await run(client, key)
        done.set(name, (done.get(name) ?? 0) + 1)
      }
    }),
  )
  await Promise.all(work)
  return done
}

shareClusters(test, { plugins }, (it) => {
  it('cluster: a reshard under load loses no update, and leads clients to where the slots are', async (t, cluster) => {
    const [one, other] = cluster.nodes as [TestServer, TestServer, TestServer]
    // A slot is on its way for as long as a busy machine takes.
    const client = cluster.client({ maxRedirections: 1000, retryDelayOnTryAgain: 10 })
    const keys = await keysOfFirstSlots(client, 6)
    let isOver = false
    const loading = load(client, keys, () => isOver)
    try {
      for (let round = 0; round < rounds; round++) await (round % 2 === 0 ? reshard(one, other) : reshard(other, one))
    } finally {
      isOver = true
    }
    const done = await loading
    t.log(`${String([...done.values()].reduce((a, b) => a + b))} commands while ${String(rounds * slots)} slots moved`)
    for (const [name, count] of done) t.is(await client.get(name), String(count), name)
    for (const key of keys) t.is(await client.get(`{${key}}from`), String(-(done.get(`{${key}}moving`) ?? 0)))
    t.is(await slotsOf(cluster), 16_384)
  })
})

async function slotsOf(cluster: TestCluster): Promise<number> {
  const info = (await cluster.nodes[0]?.cli('cluster', 'info')) ?? ''
  return Number(/cluster_slots_ok:(\d+)/.exec(info)?.[1])
}
