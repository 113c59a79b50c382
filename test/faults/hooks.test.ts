// Hooks while their host, their plugin or the server fails: what fails closed lets nothing through, what fails open
// refuses nothing.
import test from 'ava'
import { forEachServer, messageOf, startServer, testFile, until } from '../helpers/index.js'
import { assertLives, count, figure, hostPid } from './faults.js'
import { HookLoad } from './hook-load.js'

const plugins = [testFile('faults/plugins/verdicts.ts')]
const since = { since: '7.2' }

forEachServer(
  test,
  'faults: the host killed again and again lets nothing through a closed hook, and an open one refuses nothing',
  async (t, program) => {
    const kills = count(t, 'kills', 8, 100)
    await using server = await startServer({ server: program, plugins })
    const client = await server.client()
    await using load = HookLoad.start(server, count(t, 'clients', 12, 48))
    await load.more('closed', 'done')
    for (let i = 0; i < kills; i++) {
      const pid = await hostPid(client)
      process.kill(pid, 'SIGKILL')
      await hostPid(client, pid)
      await Promise.all([load.more('closed', 'done'), load.more('open', 'done')])
    }
    t.true((await figure(client, 'host_restarts')) >= kills)
    await load.stop(t)
    t.true(load.number('closed', 'refused') > 0)
    assertLives(t, server)
  },
  since,
)

forEachServer(
  test,
  'faults: a stopped host lets nothing through a closed hook, and an open one refuses nothing',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins, deadlines: 'default' })
    const client = await server.client()
    await using load = HookLoad.start(server, 12)
    for (let round = 0; round < count(t, 'rounds', 2, 20); round++) {
      await load.more('closed', 'done')
      const pid = await hostPid(client)
      process.kill(pid, 'SIGSTOP')
      await load.more('closed', 'refused')
      const done = load.number('closed', 'done')
      await Promise.all([load.more('closed', 'refused', 20), load.more('open', 'done', 20)])
      t.is(load.number('closed', 'done'), done, 'nobody could have been asked')
      process.kill(pid, 'SIGCONT')
    }
    await load.more('closed', 'done')
    await load.stop(t)
    assertLives(t, server)
  },
  since,
)

for (const fault of ['throw', 'loop', 'allocate'] as const) {
  forEachServer(
    test,
    `faults: a hook that does ${fault} fails closed or open, and is served again after`,
    async (t, program) => {
      await using server = await startServer({ server: program, plugins })
      const client = await server.client()
      await using load = HookLoad.start(server, 12)
      await load.more('closed', 'done')
      for (const way of ['alone', 'in a script']) {
        const put = (key: string): Promise<string> =>
          messageOf(
            way === 'alone'
              ? client.set(key, fault)
              : client.eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, key, fault),
          )
        t.regex(await put('closed:fault'), /hook verdicts\/closed|UNAVAILABLE/, way)
        t.is(await client.exists('closed:fault'), 0)
        await load.more('closed', 'done')
        t.is(await put('open:fault'), 'no error but "OK"', way)
        t.is(await client.get('open:fault'), fault)
        await load.more('closed', 'done')
      }
      await load.stop(t)
      assertLives(t, server)
    },
    since,
  )
}

forEachServer(
  test,
  'faults: a server killed and started again lets nothing through a closed hook, from its first command on',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins, aof: true })
    await using load = HookLoad.start(server, 12)
    const restarts = count(t, 'restarts', 4, 50)
    for (let i = 0; i < restarts; i++) {
      await Promise.all([load.more('closed', 'done'), load.more('open', 'done')])
      const refused = load.number('closed', 'refused')
      await server.restart(i % 2 === 0 ? 'SIGKILL' : 'SIGTERM')
      await until(() => load.number('closed', 'refused') > refused + 2, { what: 'writes before there is a host' })
    }
    await load.more('closed', 'done')
    await load.stop(t)
    assertLives(t, server)
  },
  since,
)
