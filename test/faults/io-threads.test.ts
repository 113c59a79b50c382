// Servers that read and parse in I/O threads: commands that tell their keys by a callback crash some of them there.
import test from 'ava'
import { compareVersions, type ServerProgram } from '#lib/servers/server-version.js'
import { fixturePlugin, forEachServer, RawClient, startServer, until, type TestServer } from '../helpers/index.js'

/** The threads work from the first command on, where the server has a setting for that. */
const eager: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  'valkey-8': [['events-per-io-thread', '0']],
  'valkey-9': [['io-threads-always-active', 'yes']],
}

async function start(program: ServerProgram, cluster: boolean, threads: number): Promise<TestServer> {
  const [major = ''] = program.version.split('.')
  const server = await startServer({
    server: program,
    plugins: [fixturePlugin('shards')],
    // No host: the commands are answered at once, so that many are parsed while others run.
    waitForPlugins: false,
    cluster,
    config: [
      ['appendonly', 'yes'],
      ['appendfsync', 'no'],
      ['ferrite.host-mode', 'external'],
      ['io-threads', String(threads)],
      ...(eager[`${program.product}-${major}`] ?? []),
    ],
  })
  if (!cluster) return server
  await server.cli('cluster', 'addslotsrange', '0', '16383')
  await until(async () => (await server.cli('cluster', 'info')).includes('cluster_state:ok'))
  return server
}

/** Rounds of commands, many at once on many connections. */
async function ask(server: TestServer): Promise<void> {
  const clients = await Promise.all(Array.from({ length: 30 }, () => RawClient.connect(server.port)))
  const commands = Array.from({ length: 40 }, () => [
    ['SET', 'k', '1'],
    ['FERRITE.CALL', 'SHARD.SET', 'k', '2'],
    ['SHARD.BOTH', 'k', 'k'],
  ]).flat()
  const rounds = async (client: RawClient): Promise<void> => {
    for (let round = 0; round < 20; round++) {
      const lines = (await client.askAll(...commands)).toString().split('\r\n')
      if (lines.filter((line) => line === '+OK' || line.startsWith('-UNAVAILABLE ')).length === commands.length)
        continue
      throw new Error(`replies were ${lines.join(', ')}`)
    }
  }
  await Promise.all(clients.map(rounds))
  for (const client of clients) client[Symbol.dispose]()
}

/** Whether the server asks the module for the keys of these. */
async function hasCallback(server: TestServer): Promise<boolean> {
  const info = await server.cli('command', 'info', 'ferrite.call', 'shard.both')
  return info.split('movablekeys').length === 3
}

for (const cluster of [false, true]) {
  forEachServer(
    test,
    `io-threads: FERRITE.CALL with threads ${cluster ? 'in a cluster' : 'alone'}`,
    async (t, program) => {
      await using server = await start(program, cluster, 4)
      await ask(server)
      t.is(server.exit, undefined)
      // Load makes the crash likely, not certain: so it is also looked at whether the server was given the callback.
      const looksInThreads = program.product === 'valkey' ? cluster : compareVersions(program.version, '8.1') > 0
      t.is(await hasCallback(server), !looksInThreads)
    },
  )
}

forEachServer(
  test,
  'io-threads: raised at run time in a cluster, which only Valkey 9 allows, it is set back',
  async (t, program) => {
    await using server = await start(program, true, 1)
    t.is(await server.cli('config', 'set', 'io-threads', '4'), 'OK')
    await server.logged('io-threads is set back to 1')
    t.is(await server.cli('config', 'get', 'io-threads'), 'io-threads\n1')
    await ask(server)
    t.is(server.exit, undefined)
  },
  { product: 'valkey', since: '9.0' },
)
