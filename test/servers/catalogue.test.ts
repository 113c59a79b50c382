import test from 'ava'
import { catalogueLines } from '#lib/servers/catalogue-lines.js'
import { narrowServers } from '#lib/servers/catalogue.js'
import { configurationWord } from '#lib/servers/server-process.js'
import { compareVersions, matchesName, type ServerProgram } from '#lib/servers/server-version.js'
import { anyServer, forEachServer, startCluster, startServer, until } from '../helpers/index.js'

const program = (name: string): ServerProgram => {
  const [product = '', version = ''] = name.split('-')
  return { name, product: product === 'redis' ? 'redis' : 'valkey', version, source: 'test', path: `/${name}` }
}

test('servers: versions compare as numbers', (t) => {
  t.true(compareVersions('8.10.0', '8.9.1') > 0)
  t.is(compareVersions('8.0', '8.0.0'), 0)
  t.true(compareVersions('7.0.15', '7.2.0') < 0)
})

test('servers: a name means every version that begins with it at a dot', (t) => {
  const all = ['redis-7.0.15', 'redis-8.0.2', 'redis-8.0.6', 'redis-8.6.3', 'valkey-8.0.1'].map(program)
  const names = (...wanted: readonly string[]): readonly string[] => narrowServers(all, wanted).map((one) => one.name)
  t.deepEqual(names('redis-8.0'), ['redis-8.0.2', 'redis-8.0.6'])
  t.deepEqual(names('redis-8', 'valkey'), ['redis-8.0.2', 'redis-8.0.6', 'redis-8.6.3', 'valkey-8.0.1'])
  t.false(matchesName(program('redis-80.0.0'), 'redis-8'))
})

test('servers: what cannot be had is named with the reason', (t) => {
  const lines = catalogueLines({ servers: [], notChecked: [{ label: 'valkey 9 (sid)', reason: 'no apt' }] })
  t.deepEqual(lines, ['not checked: valkey 9 (sid): no apt'])
})

test('servers: words of redis.conf survive spaces, quotes and emptiness', async (t) => {
  t.is(configurationWord('plain/path-1.so'), 'plain/path-1.so')
  t.is(configurationWord(''), '""')
  const text = 'a "b" \\ c'
  await using server = await startServer({ server: anyServer(), module: false, config: { masteruser: text } })
  const client = await server.client()
  t.deepEqual(await client.config('GET', 'masteruser'), ['masteruser', text])
})

forEachServer(test, 'helpers: data survives SIGKILL with aof, a replica follows', async (t, server) => {
  await using primary = await startServer({ server, aof: true })
  const client = await primary.client()
  t.is(await client.set('a', 'b'), 'OK')
  await primary.restart('SIGKILL')
  t.is(await primary.cli('get', 'a'), 'b')
  await using replica = await startServer({ server, replicaOf: primary })
  t.is(await replica.cli('get', 'a'), 'b')
})

test('helpers: a cluster takes keys of every slot', async (t) => {
  await using cluster = await startCluster()
  const client = cluster.client()
  for (const key of ['a', 'b', 'c']) t.is(await client.set(key, '1'), 'OK')
})

test('helpers: a server that cannot start says why', async (t) => {
  const failed = await t.throwsAsync(startServer({ config: { 'no-such-directive': 'x' } }))
  t.regex(failed.message, /ended with status 1 before it was ready[^]*no-such-directive/)
})

test('helpers: until tells what it saw last', async (t) => {
  const failed = await t.throwsAsync(until(() => 0, { what: 'a number', timeoutMs: 20 }))
  t.regex(failed.message, /waited 20 ms in vain for: a number \(last result: 0\)/)
})
