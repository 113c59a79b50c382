// Scripts that plugins run, and what some servers cannot bear in them.
import test from 'ava'
import { fixturePlugin, messageOf, shareClusters } from '../helpers/index.js'

shareClusters(test, { plugins: [fixturePlugin('scripted')] }, (it, { product }) => {
  for (const words of ["'cluster', 'slots'", "'CLUSTER', 'Slots'"]) {
    it(`scripts of plugins: redis.call(${words}) in a cluster harms no server`, async (t, cluster) => {
      const script = `return type(redis.call(${words}))`
      const [node] = cluster.nodes
      const client = await node?.client()
      for (const name of ['SCRIPTED.CALL', 'SCRIPTED.COMMIT']) {
        const asked = client?.call(name, script)
        if (product === 'valkey')
          t.regex(await messageOf(asked ?? Promise.resolve()), /CLUSTER SLOTS cannot run in a script/)
        else t.truthy(await asked)
        t.is(await client?.ping(), 'PONG')
      }
      t.is(node?.exit, undefined)
      t.is(await client?.eval(script, 0), 'table', 'clients may')
    })
  }

  it('scripts of plugins: other commands of the cluster answer', async (t, cluster) => {
    const client = await cluster.nodes[0]?.client()
    for (const subcommand of ['shards', 'nodes', 'info', 'myid']) {
      t.regex(
        String(await client?.call('SCRIPTED.CALL', `return type(redis.call('cluster', '${subcommand}'))`)),
        /table|string/,
      )
    }
  })
})
