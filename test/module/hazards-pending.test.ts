// What happens to a command while a hook is asked about it: everything that can happen to its client and its server.
import test from 'ava'
import type { Redis } from 'ioredis'
import { fixturePlugin, forEachServer, messageOf, shareServers, startServer, until } from '../helpers/index.js'
import { hold, open } from './held.js'

const plugins = ['gates', 'passing'].map(fixturePlugin)

/** The names of commands that the hook of everything was asked about since the last call, without those of tests. */
async function asked(client: Redis): Promise<string[]> {
  const seen = (await client.call('PASSING.SEEN')) as string[][]
  return seen.map(([, ...words]) => words.join(' ')).filter((words) => !/^(GATES|PASSING|INFO|CLIENT|ACL)/.test(words))
}

async function idOf(client: Redis): Promise<string> {
  return String(await client.client('ID'))
}

shareServers(test, { plugins, aof: true, since: '7.2' }, (it) => {
  it('CLIENT PAUSE WRITE: a verdict that comes meanwhile is applied after it', async (t, server) => {
    const [admin, client] = [await server.client(), await server.client()]
    const held = await hold(admin, client, 'gate:1', 'SET', 'gate:1', 'v')
    await admin.call('CLIENT', 'PAUSE', '60000', 'WRITE')
    await open(admin, 'gate:1')
    // What is asked about later on the same lane has been answered: so has this been.
    for (let n = 0; n < 5; n++) t.is(await admin.get('gate:1'), null)
    t.false(held.isAnswered())
    await admin.call('CLIENT', 'UNPAUSE')
    t.is(await held.answer, 'no error but "OK"')
    t.is(await admin.get('gate:1'), 'v')
  })

  it('CLIENT PAUSE ALL: a verdict that comes meanwhile is applied after it', async (t, server) => {
    const [admin, client] = [await server.client(), await server.client()]
    const held = await hold(admin, client, 'gate:1', 'SET', 'gate:1', 'v')
    await admin.call('GATES.LATER', 'gate:1', '50')
    const begun = performance.now()
    await admin.call('CLIENT', 'PAUSE', '1000', 'ALL')
    t.is(await held.answer, 'no error but "OK"')
    t.true(performance.now() - begun > 990, 'the write did not wait')
  })

  it('CLIENT PAUSE: denials and replies, which write nothing, come through it', async (t, server) => {
    const [admin, one, two] = [await server.client(), await server.client(), await server.client()]
    const denied = await hold(admin, one, 'gate:1', 'SET', 'gate:1', 'v')
    const replied = await hold(admin, two, 'gate:2', 'SET', 'gate:2', 'v')
    await admin.call('CLIENT', 'PAUSE', '60000', 'WRITE')
    await open(admin, 'gate:1', 'deny', 'NO', 'never')
    await open(admin, 'gate:2', 'reply', 'hello')
    await admin.call('CLIENT', 'UNPAUSE')
    t.deepEqual([await denied.answer, await replied.answer], ['NO never', 'no error but "hello"'])
    t.is(await admin.exists('gate:1', 'gate:2'), 0)
  })

  it('CLIENT PAUSE: commands that come during it are asked about once, and run once, after it', async (t, server) => {
    const admin = await server.client()
    const clients = await Promise.all(Array.from({ length: 10 }, () => server.client()))
    await asked(admin)
    await admin.call('CLIENT', 'PAUSE', '60000', 'WRITE')
    const pipelines = clients.map(async (client, n) =>
      (await client.pipeline().incr('n').append(`k${n}`, 'a').get(`k${n}`).incr('n').exec())?.slice(1, 3),
    )
    const scripted = admin.duplicate()
    t.teardown(() => scripted.disconnect())
    const script = scripted.eval("return redis.call('INCR', KEYS[1])", 1, 'scripted')
    const queued = (await server.client()).multi().incr('queued').exec()
    const blocked = async (): Promise<number> => String(await admin.client('LIST')).match(/ flags=\w*b/g)?.length ?? 0
    await until(async () => (await blocked()) === 12, { what: 'all to be paused' })
    t.is(await admin.exists('n', 'scripted', 'queued'), 0)
    await admin.call('CLIENT', 'UNPAUSE')
    t.deepEqual(
      await Promise.all(pipelines),
      clients.map(() => [
        [null, 1],
        [null, 'a'],
      ]),
    )
    t.is(await script, 1)
    t.deepEqual(await queued, [[null, 1]])
    t.is(await admin.get('n'), '20')
    const seen = await asked(admin)
    t.is(seen.filter((words) => words === 'INCR n').length, 20)
    t.is(seen.filter((words) => words.startsWith('APPEND')).length, 10)
    for (const one of ['INCR scripted', 'INCR queued']) t.is(seen.filter((words) => words === one).length, 1, one)
  })

  it('ACL SETUSER: rights that were taken meanwhile hold', async (t, server) => {
    const admin = await server.client()
    const rights = [
      ['-set', "NOPERM User bob has no permissions to run the 'set' command"],
      ['resetkeys', 'NOPERM No permissions to access a key'],
    ] as const
    for (const [change, expected] of rights) {
      await admin.call('ACL', 'SETUSER', 'bob', 'reset', 'on', '>pw', '+@all', '~*', '&*')
      const bob = await server.client({ username: 'bob', password: 'pw' })
      const held = await hold(admin, bob, 'gate:1', 'SET', 'gate:1', 'v')
      await admin.call('ACL', 'SETUSER', 'bob', change)
      await open(admin, 'gate:1')
      t.is(await held.answer, expected)
      t.is(await messageOf(bob.set('gate:1', 'v')), expected, 'as it is for a command that comes now')
      t.is(await admin.exists('gate:1'), 0)
    }
    await admin.call('ACL', 'DELUSER', 'bob')
  })

  it('ACL SETUSER: a new password or `off` leaves connections as they are', async (t, server) => {
    const admin = await server.client()
    for (const change of [['resetpass', '>other'], ['off']]) {
      await admin.call('ACL', 'SETUSER', 'bob', 'reset', 'on', '>pw', '+@all', '~*', '&*')
      const bob = await server.client({ username: 'bob', password: 'pw' })
      const held = await hold(admin, bob, 'gate:1', 'SET', 'gate:1', 'v')
      await admin.call('ACL', 'SETUSER', 'bob', ...change)
      await open(admin, 'gate:1')
      t.is(await held.answer, 'no error but "OK"')
    }
    await admin.call('ACL', 'DELUSER', 'bob')
  })

  it('ACL DELUSER: ends the connection, and the command does not run', async (t, server) => {
    const admin = await server.client()
    await admin.call('ACL', 'SETUSER', 'bob', 'reset', 'on', '>pw', '+@all', '~*', '&*')
    const bob = await server.client({ username: 'bob', password: 'pw' })
    const held = await hold(admin, bob, 'gate:1', 'SET', 'gate:1', 'v')
    t.is(await admin.call('ACL', 'DELUSER', 'bob'), 1)
    t.regex(await held.answer, /closed/)
    await until(async () => String(await admin.call('GATES.ENDED')) === 'gate:1', { what: 'the wait to end' })
    await admin.call('GATES.OPEN', 'gate:1')
    t.is(await admin.exists('gate:1'), 0)
  })

  it('a rewritten command needs the rights of the client, also those taken meanwhile', async (t, server) => {
    const admin = await server.client()
    await admin.call('ACL', 'SETUSER', 'bob', 'reset', 'on', '>pw', '+@all', '-flushall', '~gate:*', '&*')
    const bob = await server.client({ username: 'bob', password: 'pw' })
    await admin.set('other', 'stays')
    for (const [words, expected] of [
      [['DEL', 'other'], /^NOPERM|NOPERM|cannot be run/],
      [['FLUSHALL'], /^NOPERM|NOPERM|cannot be run/],
      [['APPEND', 'gate:1', 'x'], /no error but 1/],
    ] as const) {
      const held = await hold(admin, bob, 'gate:1', 'SET', 'gate:1', 'v')
      await open(admin, 'gate:1', 'rewrite', ...words)
      t.regex(await held.answer, expected)
    }
    t.is(await admin.get('other'), 'stays')
    t.is(await admin.get('gate:1'), 'x')
    await admin.call('ACL', 'DELUSER', 'bob')
  })

  it('a client that goes: its command does not run, and the handler is told', async (t, server) => {
    const [admin, client] = [await server.client(), await server.client()]
    const held = await hold(admin, client, 'gate:1', 'SET', 'gate:1', 'v')
    client.disconnect()
    await held.answer
    await until(async () => String(await admin.call('GATES.ENDED')) === 'gate:1', { what: 'the wait to end' })
    await admin.call('GATES.OPEN', 'gate:1')
    t.is(await admin.exists('gate:1'), 0)
  })

  it('CLIENT KILL: the command does not run', async (t, server) => {
    const [admin, client] = [await server.client(), await server.client()]
    const id = await idOf(client)
    const held = await hold(admin, client, 'gate:1', 'SET', 'gate:1', 'v')
    t.is(await admin.call('CLIENT', 'KILL', 'ID', id), 1)
    t.regex(await held.answer, /closed/)
    await until(async () => String(await admin.call('GATES.ENDED')) === 'gate:1', { what: 'the wait to end' })
    await admin.call('GATES.OPEN', 'gate:1')
    t.is(await admin.exists('gate:1'), 0)
  })

  for (const how of ['TIMEOUT', 'ERROR']) {
    it(`CLIENT UNBLOCK ${how}: the command is refused and does not run, the connection goes on`, async (t, server) => {
      const [admin, client] = [await server.client(), await server.client()]
      const id = await idOf(client)
      const held = await hold(admin, client, 'gate:1', 'SET', 'gate:1', 'v')
      t.is(await admin.call('CLIENT', 'UNBLOCK', id, how), 1)
      t.regex(await held.answer, /^(UNBLOCKED|TIMEOUT|ERR) /)
      await admin.call('GATES.OPEN', 'gate:1')
      t.is(await admin.exists('gate:1'), 0)
      t.is(await client.set('gate:1', 'v'), 'OK')
    })
  }

  it('a pipeline behind a command that waits comes after it, in order', async (t, server) => {
    const [admin, client] = [await server.client(), await server.client()]
    const held = await hold(admin, client, 'gate:1', 'SET', 'gate:1', '1')
    const later = [client.incr('gate:1'), client.multi().incr('gate:1').get('gate:1').exec(), client.call('RESET')]
    await open(admin, 'gate:1')
    t.is(await held.answer, 'no error but "OK"')
    t.deepEqual(await Promise.all(later), [
      2,
      [
        [null, 3],
        [null, '3'],
      ],
      'RESET',
    ])
  })

  it('WATCH: a key that a hooked write changes while EXEC comes ends the transaction', async (t, server) => {
    const [admin, one, two] = [await server.client(), await server.client(), await server.client()]
    await one.watch('gate:1')
    const held = await hold(admin, two, 'gate:1', 'SET', 'gate:1', 'other')
    // Not changed yet: the watch holds.
    t.deepEqual(await one.multi().set('first', '1').exec(), [[null, 'OK']])
    await one.watch('gate:1')
    await open(admin, 'gate:1')
    await held.answer
    t.is(await one.multi().set('second', '1').exec(), null)
    // A client's own write before MULTI ends it, too.
    await one.watch('gate:1')
    await one.set('gate:1', 'own')
    t.is(await one.multi().set('second', '1').exec(), null)
    t.is(await admin.exists('second'), 0)
  })

  it('DEBUG RELOAD, DEBUG LOADAOF, BGREWRITEAOF, FLUSHALL, SWAPDB while a command waits', async (t, server) => {
    const [admin, client] = [await server.client(), await server.client()]
    const steps = [
      ['DEBUG', 'RELOAD'],
      ['BGREWRITEAOF'],
      ['DEBUG', 'LOADAOF'],
      ['FLUSHALL'],
      ['SWAPDB', '0', '1'],
    ] as const
    for (const [name, ...args] of steps) {
      await admin.set('k', 'v')
      const held = await hold(admin, client, 'gate:1', 'SET', 'gate:1', name)
      await admin.call(name, ...args)
      if (name === 'BGREWRITEAOF')
        await until(async () => (await admin.info('persistence')).includes('aof_rewrite_in_progress:0'))
      await open(admin, 'gate:1')
      t.is(await held.answer, 'no error but "OK"', name)
      t.is(await admin.get('gate:1'), name, name)
    }
    await until(async () => (await admin.info('persistence')).includes('aof_rewrite_scheduled:0'))
    const before = await admin.call('DEBUG', 'DIGEST')
    t.is(await admin.call('DEBUG', 'LOADAOF'), 'OK')
    t.is(await admin.call('DEBUG', 'DIGEST'), before)
  })

  it('an out-of-memory server refuses what was asked about before it was one', async (t, server) => {
    const [admin, client] = [await server.client(), await server.client()]
    const held = await hold(admin, client, 'gate:1', 'SET', 'gate:1', 'v')
    await admin.config('SET', 'maxmemory', '1')
    await open(admin, 'gate:1')
    t.regex(await held.answer, /^OOM command not allowed when used memory > 'maxmemory'\.?$/)
    await admin.config('SET', 'maxmemory', '0')
    t.is(await admin.exists('gate:1'), 0)
  })

  it('min-replicas-to-write that is set meanwhile holds', async (t, server) => {
    const [admin, client] = [await server.client(), await server.client()]
    const held = await hold(admin, client, 'gate:1', 'SET', 'gate:1', 'v')
    await admin.config('SET', 'min-replicas-to-write', '1')
    await open(admin, 'gate:1')
    t.regex(await held.answer, /^NOREPLICAS /)
    await admin.config('SET', 'min-replicas-to-write', '0')
    t.is(await admin.exists('gate:1'), 0)
  })
})

forEachServer(
  test,
  'a server that becomes a replica: what waits is not written, verdict or not',
  async (t, program) => {
    await using primary = await startServer({ server: program, module: false })
    await using server = await startServer({ server: program, plugins })
    const [admin, client] = [await server.client(), await server.client()]
    const held = await hold(admin, client, 'gate:1', 'SET', 'gate:1', 'v')
    await admin.call('REPLICAOF', '127.0.0.1', String(primary.port))
    t.regex(await held.answer, /^UNBLOCKED|closed/)
    const late = await server.client()
    await late.call('GATES.OPEN', 'gate:1')
    await until(async () => (await late.info('replication')).includes('master_link_status:up'))
    t.is(await late.exists('gate:1'), 0)
    t.regex(await messageOf(late.set('gate:1', 'v')), /^READONLY /)
    t.is(server.exit, undefined)
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'SHUTDOWN, and SIGKILL of the host, while commands wait: none of them runs',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins, aof: true })
    const [admin, client] = [await server.client(), await server.client()]
    const held = await hold(admin, client, 'gate:1', 'SET', 'gate:1', 'v')
    process.kill(Number(/ferrite_host_pid:(\d+)/.exec(await admin.info('ferrite'))?.[1]), 'SIGKILL')
    t.regex(await held.answer, /^UNAVAILABLE /)
    await until(async () => (await admin.call('GATES.WAITING', 'gate:1')) === 0, { what: 'a new host' })
    t.is(await admin.exists('gate:1'), 0)
    const second = await hold(admin, client, 'gate:2', 'SET', 'gate:2', 'v')
    await server.restart()
    t.regex(await second.answer, /closed|UNBLOCKED|UNAVAILABLE/)
    await server.pluginsActive()
    t.is(await (await server.client()).exists('gate:1', 'gate:2'), 0)
  },
  { since: '7.2' },
)
