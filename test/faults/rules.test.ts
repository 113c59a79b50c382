// Rules hold whatever happens: before there is a host, after a SIGKILL, with a damaged file, on replicas.
import { mkdir, readFile, rmdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { fixturePlugin, forEachServer, messageOf, RawClient, startServer, untilInStep } from '../helpers/index.js'

const plugins = [fixturePlugin('ruled')]
const withoutHost = { config: { 'ferrite.host-mode': 'external' }, waitForPlugins: false } as const

forEachServer(
  test,
  'without a host rules hold, from the first command after a restart on',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins, ...withoutHost })
    t.is(await server.cli('ferrite.rule', 'add', 'mine', 'deny', 'command', 'get'), 'OK')
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await server.restart(signal)
      using client = await RawClient.connect(server.port)
      const replies = await client.askAll(['GET', 'k'], ['SET', 'secret:1', 'x'], ['INCR', 'slow:a.1'])
      t.is(
        replies.toString(),
        '-DENIED rule mine does not allow this command\r\n-NOPERM secrets, keep out\r\n:1\r\n',
        signal,
      )
      await client.ask('FLUSHALL')
    }
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'a server that is killed while rules are added has every one that it acknowledged',
  async (t, program) => {
    await using server = await startServer({ server: program, ...withoutHost })
    let acknowledged = 0
    for (const round of [1, 2, 3]) {
      const client = await server.client()
      for (let i = 0; i < 20; i++) {
        const name = `r${String(round)}.${String(i)}`
        const words = ['FERRITE.RULE', 'ADD', name, 'DENY', 'COMMAND', 'GET', 'KEY', name] as const
        const asked = client.call(...words).then(() => acknowledged++)
        if (i === round * 5) {
          server.kill('SIGKILL')
          await asked.catch(() => undefined)
          break
        }
        await asked
      }
      await server.restart('SIGKILL')
      const rules = (await (await server.client()).call('FERRITE.RULE', 'LIST')) as unknown[]
      t.true(rules.length >= acknowledged, `${String(rules.length)} of ${String(acknowledged)}`)
      acknowledged = rules.length
    }
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'a damaged file of rules: the server does not start without them',
  async (t, program) => {
    await using server = await startServer({ server: program, ...withoutHost })
    await server.cli('ferrite.rule', 'add', 'mine', 'deny', 'command', 'get')
    await server.stop()
    const file = join(server.stateDir, 'rules')
    const whole = await readFile(file, 'utf8')
    for (const damage of ['cut', 'changed'] as const) {
      if (damage === 'cut') await truncate(file, whole.length - 1)
      else await writeFile(file, whole.replace('get', 'set'))
      await t.throwsAsync(server.restart(), { message: /the rules are not known, .*\/rules: line \d+: / }, damage)
    }
    await writeFile(file, whole)
    await server.restart()
    t.regex(await messageOf((await server.client()).get('k')), /^DENIED rule mine/)
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'a rule that cannot be saved is not in force, and the reason is told',
  async (t, program) => {
    await using server = await startServer({ server: program, ...withoutHost })
    const client = await server.client()
    const blocker = join(server.stateDir, 'rules.new')
    await mkdir(blocker)
    t.regex(
      await messageOf(client.call('FERRITE.RULE', 'ADD', 'mine', 'DENY', 'COMMAND', 'GET')),
      /^ERR the rule was not saved and is not in force: .*\/rules: Is a directory$/,
    )
    t.is(await client.get('k'), null)
    t.deepEqual(await client.call('FERRITE.RULE', 'LIST'), [])
    await rmdir(blocker)
    t.is(await client.call('FERRITE.RULE', 'ADD', 'mine', 'DENY', 'COMMAND', 'GET'), 'OK')
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'what comes from the primary or the AOF obeys no rule',
  async (t, program) => {
    await using primary = await startServer({ server: program })
    await using replica = await startServer({ server: program, replicaOf: primary, aof: true, ...withoutHost })
    await replica.cli('ferrite.rule', 'add', 'closed', 'read-only')
    await replica.cli('ferrite.rule', 'add', 'slow', 'rate', 'limit', '1', 'interval', '3600000', 'command', 'incr')
    const client = await primary.client()
    for (let i = 0; i < 5; i++) await client.incr('n')
    await untilInStep(primary, replica)
    t.is(await replica.cli('get', 'n'), '5')
    await replica.stop()
    await primary.stop()
    await replica.restart()
    t.is(await replica.cli('get', 'n'), '5')
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'without filters that know their client rules are refused with the reason, and so is a plugin that has some',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins, waitForPlugins: false })
    const client = await server.client()
    t.is(
      await messageOf(client.call('FERRITE.RULE', 'ADD', 'mine', 'DENY')),
      'ERR hooks of commands need Redis 7.2, Valkey 7.2 or newer',
    )
    t.deepEqual(await client.call('FERRITE.RULE', 'LIST'), [])
    await server.logged(/rule no-secrets.*hooks of commands need Redis 7\.2/)
  },
  { before: '7.2' },
)
