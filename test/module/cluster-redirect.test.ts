// What a plugin's own server commands answer in a cluster, when their keys are not here.
import test from 'ava'
import { fixturePlugin, forEachServer, messageOf, startCluster } from '../helpers/index.js'

forEachServer(
  test,
  'cluster: commits and calls with keys of elsewhere, of two slots, of a slot that moves',
  async (t, program) => {
    t.timeout(180_000)
    await using cluster = await startCluster({ server: program, plugins: [fixturePlugin('caller')] })
    const [first, second] = cluster.nodes
    if (first === undefined || second === undefined) throw new Error('the cluster has no nodes')
    const client = await first.client()
    const ids = await Promise.all([first, second].map((node) => node.cli('cluster', 'myid')))
    const keys = Array.from({ length: 100 }, (_, n) => `{${String(n)}}`)
    const slots = await Promise.all(keys.map((key) => client.cluster('KEYSLOT', key)))
    const here = keys.filter((_, n) => (slots[n] ?? 0) <= 5460)
    const there = keys.find((_, n) => (slots[n] ?? 0) > 5460 && (slots[n] ?? 0) < 10_900) ?? ''
    const [one = '', two = ''] = here
    const slot = String(slots[keys.indexOf(one)])
    for (const way of ['CALLER.COMMIT', 'CALLER.CALL']) {
      const run = (...words: readonly string[]): Promise<string> => messageOf(client.call(way, ...words))
      t.is(await run('SET', `${one}k`, 'v'), 'no error but "OK"')
      // Valkey 8 would crash when it is asked for the owner by a module.
      const elsewhere = String(slots[keys.indexOf(there)])
      const isValkey = program.product === 'valkey'
      const moved = `MOVED ${elsewhere} 127.0.0.1:${String(second.port)}`
      const again = (which: string): string => `TRYAGAIN slot ${which} is being moved, or another node serves it`
      t.is(await run('SET', there, 'v'), isValkey ? again(elsewhere) : moved)
      for (const words of [['SLOTS'], ['SHARDS'], ['NODES'], ['REPLICAS', ids[0] ?? '']]) {
        const answer = await run('CLUSTER', ...words)
        t.is(answer.startsWith("ERR plugins may not call 'cluster|"), isValkey, `${words.join(' ')}: ${answer}`)
      }
      t.regex(await run('MSET', one, 'v', two, 'v'), /^CROSSSLOT /)
      await client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[1] ?? '')
      t.is(await run('SET', `${one}missing`, 'v'), again(slot))
      await client.call('CLUSTER', 'SETSLOT', slot, 'STABLE')
      t.is(first.exit, undefined)
    }
  },
)
