// Commands of other modules on a server with a hook of everything: they are run by the server itself.
import test from 'ava'
import { fixturePlugin, messageOf, shareServers, testModule } from '../helpers/index.js'

const modules = [await testModule('calling')]

shareServers(test, { plugins: [fixturePlugin('passing')], modules, since: '7.2' }, (it) => {
  it('a module that blocks its client without asking whether it may: a wrapper would end the server', async (t, server) => {
    const client = await server.client()
    t.is(await client.call('CALLING.WAIT'), 'waited')
    t.deepEqual(await client.pipeline().set('k', 'v').call('CALLING.WAIT').get('k').exec(), [
      [null, 'OK'],
      [null, 'waited'],
      [null, 'v'],
    ])
    // Valkey 8.1 answers nil to the script, the others an error: what counts is that they live.
    const inScript = await messageOf(client.eval("return redis.call('CALLING.WAIT')", 0))
    t.regex(inScript, /Blocking module command|^no error but null$/)
    const seen = (await client.call('PASSING.SEEN')) as string[][]
    t.true(seen.some(([, name]) => name === 'CALLING.WAIT'))
  })
})
