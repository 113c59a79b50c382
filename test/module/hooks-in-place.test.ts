// Hooks of commands that stay where they are while the hook is asked: what plugins have, CONFIG, servers without wrappers.
import test from 'ava'
import { fixturePlugin, forEachServer, messageOf, shareServers, startServer } from '../helpers/index.js'

shareServers(test, { plugins: [fixturePlugin('safe')], since: '7.2' }, (it) => {
  it('plugin commands: hooks that name them are asked', async (t, server) => {
    const client = await server.client()
    t.is(await messageOf(client.call('SAFE.PUT', 'a', 'wrong')), 'NO not this one')
    t.is(await messageOf(client.call('safe.put', 'a', 'wrong')), 'NO not this one')
    t.is(await messageOf(client.call('SAFE.BOX', 'put', 'a', 'wrong')), 'NO not this one')
    t.is(await client.exists('a'), 0)
    t.is(await client.call('SAFE.PUT', 'a', 'small'), 'OK')
    t.is(await client.get('a'), 'SMALL')
    t.is(await client.call('SAFE.BOX', 'PUT', 'b', 'right'), 'OK')
    t.is(await client.get('b'), 'right')
  })

  it('plugin commands: hooks of a category are asked when a key matches', async (t, server) => {
    const client = await server.client()
    t.is(await messageOf(client.call('SAFE.OPEN', 'closed:1', 'x')), 'CLOSED SAFE.OPEN not here')
    t.is(await client.exists('closed:1'), 0)
    t.is(await client.call('SAFE.OPEN', 'open:1', 'x'), 'OK')
    const script = "return redis.call('SAFE.OPEN', KEYS[1], 'x')"
    t.regex(await messageOf(client.eval(script, 1, 'closed:1')), /CLOSED SAFE\.OPEN not here/)
    t.is(await client.exists('closed:1'), 0)
  })

  it('commands that no module can run in their place can be rewritten to themselves, not to others', async (t, server) => {
    const client = await server.client()
    t.is(await client.config('SET', 'hz', '11'), 'OK')
    t.deepEqual(await client.config('GET', 'hz'), ['hz', '33'])
    t.regex(
      await messageOf(client.config('SET', 'hz', '12')),
      /^ERR hook safe\/hz rewrote the command to 'CLIENT', which/,
    )
  })

  it('plugin commands: FERRITE.CALL is no way around their hooks', async (t, server) => {
    const client = await server.client()
    const byOwnName = 'ERR a hook is for this command: call it by its own name'
    t.is(await messageOf(client.call('FERRITE.CALL', 'SAFE.PUT', 'c', 'wrong')), byOwnName)
    t.is(await messageOf(client.call('FERRITE.CALL', 'safe.box', 'put', 'c', 'wrong')), byOwnName)
    t.is(await messageOf(client.call('FERRITE.CALL', 'SAFE.OPEN', 'closed:2', 'x')), byOwnName)
    t.is(await client.exists('c', 'closed:2'), 0)
    t.regex(await messageOf(client.call('FERRITE.CALL', 'hook safe/named', 'SAFE.PUT', 'c', 'x')), /^(NOPERM|ERR) /)
  })
})

forEachServer(
  test,
  'hooks: a server with I/O threads, which may have no wrappers, rewrites all the same',
  async (t, program) => {
    await using server = await startServer({
      server: program,
      plugins: [fixturePlugin('safe')],
      config: { 'io-threads': 2 },
    })
    const client = await server.client()
    t.is(await client.set('upper:1', 'abc'), 'OK')
    t.is(await client.get('upper:1'), 'ABC')
  },
  { since: '7.2' },
)
