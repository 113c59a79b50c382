// Plugin commands as another module calls them: with every flag of RM_Call, from every context, blocking and not.
import test, { type ExecutionContext } from 'ava'
import type { Redis } from 'ioredis'
import { compareVersions } from '#lib/servers/server-version.js'
import {
  fixturePlugin,
  messageOf,
  readAof,
  shareServers,
  testModule,
  until,
  type TestServer,
} from '../helpers/index.js'

const modules = [await testModule('calling')]
const plugins = ['counters', 'caller', 'slow', 'types'].map(fixturePlugin)
const ways = ['now', 'timer', 'thread', 'detached'] as const

/** The bytes of the reply that RM_Call gave, or the errno. */
async function run(client: Redis, way: string, format: string, ...command: readonly string[]): Promise<string> {
  return String(await client.call('CALLING.RUN', way, format, ...command))
}

const asInteger = (reply: string): string => reply.replace(/^\$\d+\r\n/, ':')

const settled = (client: Redis): Promise<readonly string[]> => client.call('CALLING.SETTLED') as Promise<string[]>

async function untilSettled(client: Redis, count: number): Promise<readonly string[]> {
  const all: string[] = []
  const enough = async (): Promise<boolean> => all.push(...(await settled(client))) >= count
  await until(enough, { what: `${String(count)} promises to be settled` })
  return all
}

async function figure(client: Redis, name: string): Promise<number> {
  return Number(new RegExp(`ferrite_${name}:(\\d+)`).exec(await client.info('ferrite'))?.[1])
}

/** Nothing is left of a request: a queue that somebody never left would stop all that come after. */
async function assertIdle(t: ExecutionContext, server: TestServer): Promise<void> {
  const client = await server.client()
  await until(async () => (await figure(client, 'inflight')) === 0, { what: 'no request in flight' })
  t.is(server.exit, undefined)
}

shareServers(test, { plugins, modules, aof: true }, (it, program) => {
  for (const way of ways) {
    it(`other module: 'sync' answers and 'refuse' refuses, called from ${way}`, async (t, server) => {
      const client = await server.client()
      t.is(await run(client, way, '!', 'COUNTER.ADD', 'n', '5'), ':5\r\n')
      t.is(await run(client, way, '!', 'COUNTER.INCR', 'n'), ':6\r\n')
      t.is(await run(client, way, '', 'COUNTER.PEEK', 'n'), ':6\r\n')
      t.is(await run(client, way, '', 'CALLER.GET', 'n'), '$1\r\n6\r\n')
      t.is(
        await run(client, way, '!', 'COUNTER.REFUSING', 'n'),
        "-ERR 'counter.refusing' cannot run inside MULTI, scripts or other modules\r\n",
      )
      t.regex(await run(client, way, '!', 'COUNTER.THROWING', 'n'), /^-REFUSED nothing was done\r\n$/)
      t.regex(await run(client, way, '', 'SLOW.READ', 'n', 'never'), /^-TIMEOUT 'slow\.read' did not answer within/)
      t.is(await client.get('n'), '6')
      await assertIdle(t, server)
    })
  }

  it('other module: each flag of RM_Call means what it does for native commands', async (t, server) => {
    const client = await server.client()
    for (const way of ways) {
      const native = (format: string, ...words: readonly string[]): Promise<string> =>
        run(client, way, format, ...words)
      await client.del('n', 's')
      t.is(await native('S!', 'COUNTER.ADD', 'n', '1'), ':1\r\n', 'script mode')
      t.is(await native('M!', 'COUNTER.ADD', 'n', '1'), ':2\r\n', 'out of memory is respected')
      t.is(await native('3!', 'COUNTER.ADD', 'n', '1'), ':3\r\n', 'RESP3')
      t.is(await native('0!', 'COUNTER.ADD', 'n', '1'), ':4\r\n', 'the RESP of the client')
      t.is(await native('SMW3E!', 'COUNTER.PEEK', 'n'), ':4\r\n', 'all of them')
      // No writes: refused by the server, as a native write.
      t.is(await native('W', 'COUNTER.ADD', 'n', '1'), await native('W', 'INCR', 'n'))
      t.is(
        (await native('WE', 'COUNTER.ADD', 'n', '1')).toLowerCase(),
        (await native('WE', 'INCR', 'n')).toLowerCase().replace('incr', 'counter.add'),
      )
      t.is(await native('W', 'COUNTER.PEEK', 'n'), ':4\r\n')
      t.regex(await native('W', 'COUNTER.SNEAK', 'n'), /^-ERR 'set' may write, but this plugin command is declared as/)
      // Arity and existence.
      t.is(await native('', 'COUNTER.ADD', 'n'), await native('', 'INCRBY', 'n'))
      t.is(await native('', 'COUNTER.NONE', 'n'), await native('', 'NONE', 'n'))
      t.is(await client.get('n'), '4')
    }
  })

  it('other module: replies of every type arrive, in the RESP that was asked for', async (t, server) => {
    const client = await server.client()
    for (const way of ways) {
      t.regex(await run(client, way, '3', 'COUNTER.BOTH', 'a', 'b'), /^%3\r\n/)
      t.regex(await run(client, way, '', 'COUNTER.BOTH', 'a', 'b'), /^\*6\r\n/)
    }
  })

  it('other module: with C a call has the rights of its caller, and nothing without one', async (t, server) => {
    const admin = await server.client()
    await admin.call('ACL', 'SETUSER', 'bob', 'on', 'nopass', 'resetkeys', '~mine:*', '-@all', '+calling.run')
    const bob = await server.client({ username: 'bob', password: '', enableReadyCheck: false })
    const call = (...words: readonly string[]): Promise<string> => run(bob, 'now', ...(words as [string]))
    t.is(await call('C', 'COUNTER.ADD', 'mine:n', '1'), 'errno Permission denied')
    await admin.call('ACL', 'SETUSER', 'bob', '+counter.add', '+counter.incr', '+counter.elsewhere')
    t.regex(await call('C', 'COUNTER.ADD', 'mine:n', '1'), /^-NOPERM .*'get'/, 'a declared read')
    await admin.call('ACL', 'SETUSER', 'bob', '+get', '+set')
    t.is(await call('C', 'COUNTER.ADD', 'mine:n', '1'), ':1\r\n')
    t.is(await call('C', 'COUNTER.ADD', 'yours:n', '1'), 'errno Permission denied')
    t.regex(await call('C', 'COUNTER.ELSEWHERE', 'mine:n', 'yours:n'), /^-NOPERM /)
    t.is(await admin.exists('yours:n'), 0)
    t.regex(await call('C', 'COUNTER.INCR', 'mine:n'), /^-NOPERM .*'incr'/)
    // Without C the module answers for it.
    t.is(await call('', 'COUNTER.INCR', 'yours:n'), ':1\r\n')
    // Detached contexts have the default user, the others none.
    for (const way of ways) {
      t.is(
        await run(admin, way, 'C', 'COUNTER.PEEK', 'mine:n'),
        await run(admin, way, 'C', 'GET', 'mine:n').then(asInteger),
      )
    }
    await admin.call('ACL', 'DELUSER', 'bob')
  })

  it('other module: who calls is not told by the id of a client, which may be of an earlier call', async (t, server) => {
    const admin = await server.client()
    await admin.call('ACL', 'SETUSER', 'bob', 'on', 'nopass', '~*', '-@all', '+calling.run', '+ferrite.call')
    const bob = await server.client({ username: 'bob', password: '', enableReadyCheck: false })
    // The context of a blocked client has its id, and leaves it to the pool.
    for (let round = 0; round < 5; round++) {
      t.is(await run(admin, 'thread', '!', 'COUNTER.ADD', 'n', '1'), `:${String(2 * round + 1)}\r\n`)
      t.is(await run(bob, 'now', '!', 'COUNTER.ADD', 'n', '1'), `:${String(2 * round + 2)}\r\n`)
      await run(admin, 'thread', '', 'COUNTER.PEEK', 'n')
      t.regex(await run(bob, 'now', 'C', 'FERRITE.CALL', 'COUNTER.PEEK', 'n'), /^-NOPERM/)
    }
    await admin.call('ACL', 'SETUSER', 'bob', '+counter.peek', '+get', '+eval')
    t.is(await run(bob, 'now', 'C', 'FERRITE.CALL', 'COUNTER.PEEK', 'n'), ':10\r\n')
    t.is(await bob.eval("return redis.call('FERRITE.CALL', 'COUNTER.PEEK', KEYS[1])", 1, 'n').catch(String), 10)
    await admin.call('ACL', 'DELUSER', 'bob')
  })

  it('other module: in MULTI and in scripts, with and without K', async (t, server) => {
    const client = await server.client()
    for (const format of program.version.startsWith('7.0') ? ['!'] : ['!', 'K!']) {
      await client.del('n')
      const replies = await client
        .multi()
        .set('n', 5)
        .call('CALLING.RUN', 'now', format, 'COUNTER.ADD', 'n', '1')
        .call('CALLING.RUN', 'now', format, 'COUNTER.INCR', 'n')
        .call('CALLING.RUN', 'now', format, 'COUNTER.REFUSING', 'n')
        .call('CALLING.RUN', 'now', format, 'CALLER.SET', 'n', 'x')
        .get('n')
        .exec()
      t.deepEqual(
        replies?.map(([, reply]) => String(reply).replace(/^(-ERR \S+).*/s, '$1')),
        ['OK', ':6\r\n', ':7\r\n', "-ERR 'counter.refusing'", "-ERR 'set'", '7'],
      )
      const script = `return redis.call('CALLING.RUN', 'now', ARGV[1], 'COUNTER.ADD', KEYS[1], '1')`
      t.is(await client.eval(script, 1, 'n', format), ':8\r\n')
    }
    t.deepEqual(await settled(client), [])
    await assertIdle(t, server)
  })

  it('other module: called from a key event, also from one of the plugin itself', async (t, server) => {
    const client = await server.client()
    t.is(await run(client, 'notify', '!', 'COUNTER.ADD', 'n', '5'), 'settled')
    t.deepEqual(await untilSettled(client, 1), [':5\r\n'])
    t.is(await run(client, 'notify', '!', 'COUNTER.REFUSING', 'n'), 'settled')
    t.regex((await untilSettled(client, 1))[0] ?? '', /^-ERR 'counter.refusing' cannot run/)
    await assertIdle(t, server)
  })

  it('other module: many at once from threads, timers and clients on one key lose no update', async (t, server) => {
    const clients = await Promise.all(Array.from({ length: 12 }, () => server.client()))
    const [first] = clients as [Redis, ...Redis[]]
    const rounds = 30
    const work = clients.map(async (client, n) => {
      const way = [...ways, 'client'][n % 5] ?? ''
      let done = 0
      for (let i = 0; i < rounds; i++) {
        const reply =
          way === 'client'
            ? await messageOf(client.call('COUNTER.ADD', 'hot', '1'))
            : await run(client, way, '!', 'COUNTER.ADD', 'hot', '1')
        if (/^:\d+\r\n$|^no error but \d+$/.test(reply)) done++
        else t.regex(reply, /TRYAGAIN|TIMEOUT/)
      }
      return done
    })
    const sum = (await Promise.all(work)).reduce((a, b) => a + b)
    t.log(`${String(sum)} of ${String(clients.length * rounds)} were done`)
    t.is(await first.get('hot'), String(sum))
    t.true(sum > 0)
    await assertIdle(t, server)
  })

  it('other module: what it has done by ! is in the AOF, commit and all, and nothing else', async (t, server) => {
    const client = await server.client()
    await run(client, 'now', '!', 'COUNTER.MOVE', 'a', 'b', '3')
    await run(client, 'timer', '!', 'COUNTER.INCR', 'a')
    await run(client, 'detached', '!', 'COUNTER.INCR', 'b')
    const own = (await readAof(server.folder)).slice(-6).map((words) => words.join(' ').toUpperCase())
    t.deepEqual(own, ['MULTI', 'SET A -3', 'SET B 3', 'EXEC', 'INCR A', 'INCR B'])
    const before = await client.call('DEBUG', 'DIGEST')
    await client.call('DEBUG', 'LOADAOF')
    t.deepEqual(await client.call('DEBUG', 'DIGEST'), before)
  })

  if (program.version.startsWith('7.0')) return

  it('other module: with K a plugin command blocks, and answers when it is done', async (t, server) => {
    const [opener, ...clients] = await Promise.all(Array.from({ length: 5 }, () => server.client()))
    for (const [command, reply] of [
      [['SLOW.WAIT', 'gate'], /^\$\d+\r\npassed /],
      [['SLOW.SET', 'k', 'v', 'gate'], /^\+OK/],
      [['SLOW.READ', 'k', 'gate'], /^\$1\r\nv/],
      [['SLOW.APPEND', 'k', 'w', 'gate'], /^\$2\r\nvw/],
    ] as const) {
      for (const [n, way] of ways.entries()) {
        await opener?.set('k', 'v')
        const gate = `${command[0]} ${way}`
        const words = command.map((word) => (word === 'gate' ? gate : word))
        const answer = run(clients[n] as Redis, way, 'K!', ...words)
        await until(async () => (await opener?.call('SLOW.WAITING', gate)) === 1, { what: gate })
        await opener?.call('SLOW.OPEN', gate)
        t.regex(await answer, reply, gate)
      }
    }
    await assertIdle(t, server)
  })

  it('other module: with K a command that only reads does not crash Valkey 9, which looks for a connection', async (t, server) => {
    const client = await server.client()
    for (const way of ways) {
      t.is(await run(client, way, 'K', 'COUNTER.PEEK', 'n'), ':0\r\n')
      await run(client, 'thread', '', 'COUNTER.PEEK', 'n')
      t.is(await run(client, 'now', 'KC', 'COUNTER.PEEK', 'n'), ':0\r\n')
    }
    // And a client that tracks keys is told from others as ever.
    await client.call('HELLO', '3')
    await client.call('CLIENT', 'TRACKING', 'ON')
    const before = await figure(client, 'commands_sync')
    t.is(await client.call('COUNTER.PEEK', 'n'), 0)
    t.is(await figure(client, 'commands_sync'), before + 1)
    await client.call('CLIENT', 'TRACKING', 'OFF')
    t.is(await client.call('COUNTER.PEEK', 'n'), 0)
    t.is(await figure(client, 'commands_sync'), before + 1)
  })

  it('other module: with K guarded commands of a hot key wait in turn', async (t, server) => {
    const clients = await Promise.all(Array.from({ length: 20 }, () => server.client()))
    const rounds = 20
    await Promise.all(
      clients.map(async (client, n) => {
        for (let i = 0; i < rounds; i++) {
          t.regex(await run(client, ways[n % 4] ?? '', 'K!', 'COUNTER.ADD', 'hot', '1'), /^:\d+\r\n$/)
        }
      }),
    )
    t.is(await clients[0]?.get('hot'), String(clients.length * rounds))
    await assertIdle(t, server)
  })

  // Other servers crash when the promise of any module's blocking command is aborted.
  if (program.product === 'redis' && compareVersions(program.version, '8.6') >= 0)
    it('other module: a promise that is aborted cancels the request, and leaves its queue', async (t, server) => {
      const client = await server.client()
      for (const command of [
        ['SLOW.WAIT', 'gate'],
        ['SLOW.SET', 'k', 'never', 'gate'],
        ['SLOW.APPEND', 'k', 'never', 'gate'],
        ['COUNTER.ADD', 'k', '1'],
      ]) {
        t.is(String(await client.call('CALLING.ABORT', 'K!', ...command)), 'aborted')
      }
      await assertIdle(t, server)
      t.is(await client.exists('k'), 0)
      t.is(await client.call('COUNTER.ADD', 'k', '1'), 1)
    })

  it('other module: with K in MULTI nothing blocks, and nothing stays behind', async (t, server) => {
    const client = await server.client()
    const replies = await client
      .multi()
      .call('CALLING.RUN', 'now', 'K!', 'SLOW.APPEND', 'k', 'x', 'never')
      .call('CALLING.RUN', 'now', 'K!', 'COUNTER.ADD', 'n', '1')
      .exec()
    t.regex(String(replies?.[0]?.[1]), /^-TIMEOUT/)
    t.is(String(replies?.[1]?.[1]), ':1\r\n')
    await assertIdle(t, server)
  })

  it('other module: who waits by K is told when the host dies', async (t, server) => {
    const clients = await Promise.all(ways.map(() => server.client()))
    const answers = ways.map((way, n) =>
      run(clients[n] as Redis, way, 'K!', ...(n % 2 ? ['SLOW.WAIT', 'dying'] : ['SLOW.APPEND', 'k', 'x', 'dying'])),
    )
    const client = await server.client()
    // Those on one key come one after the other.
    await until(async () => Number(await client.call('SLOW.WAITING', 'dying')) === 3, { what: 'all to wait' })
    process.kill(await figure(client, 'host_pid'), 'SIGKILL')
    for (const answer of answers) t.regex(await answer, /^-UNAVAILABLE /)
    await assertIdle(t, server)
    await server.pluginsActive()
  })
})
