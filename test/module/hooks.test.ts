// Hooks before commands, through a real server and unchanged clients.
import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import type { Redis } from 'ioredis'
import {
  fixturePlugin,
  forEachServer,
  messageOf,
  RawClient,
  shareServers,
  startServer,
  testModule,
  until,
} from '../helpers/index.js'

const modules = [await testModule('calling')]

const plugins = [fixturePlugin('guards')]

const refused = /; the command was not run$/

/** EXEC's replies, or the message of what refused the transaction. */
async function exec(client: Redis, ...commands: string[][]): Promise<unknown> {
  const queued = client.multi()
  for (const [name = '', ...args] of commands) queued.call(name, ...args)
  try {
    return (await queued.exec())?.map(([error, reply]) => error?.message ?? reply)
  } catch (error) {
    const { message, previousErrors } = error as Error & { previousErrors?: Error[] }
    return [message, ...(previousErrors ?? []).map((one) => one.message)]
  }
}

/** The reply, or the message of the error. */
async function outcome(asked: Promise<unknown>): Promise<string> {
  return await asked.then(String, (error: unknown) => (error as Error).message)
}

async function seen(client: Redis): Promise<unknown> {
  return await client.call('GUARDS.SEEN')
}

shareServers(test, { plugins, modules, since: '7.2' }, (it) => {
  it('continue: the command runs as without a hook', async (t, server) => {
    const client = await server.client()
    t.is(await client.set('user:1', 'short', 'EX', '100'), 'OK')
    t.is(await client.get('user:1'), 'short')
    t.is(await client.ttl('user:1'), 100)
    t.is(await client.set('user:1', 'again', 'NX'), null)
    t.is(await client.set('user:1', 'third', 'GET'), 'short')
  })

  it('deny: any code and text, and nothing runs', async (t, server) => {
    const client = await server.client()
    t.is(await messageOf(client.set('user:2', 'far too long')), 'TOOBIG user too large')
    t.is(await client.exists('user:2'), 0)
    t.is(await client.set('other:2', 'far too long'), 'OK', 'its key does not match')
  })

  it('rewrite: feeds the next hook in the order of priority', async (t, server) => {
    const client = await server.client()
    await client.set('upper:1', 'abc', 'PX', '50000')
    t.is(await client.get('upper:1'), 'ABC!')
    t.true((await client.pttl('upper:1')) > 0)
  })

  it('reply: answers without running the command, in both protocols', async (t, server) => {
    const client = await server.client()
    t.deepEqual(await client.call('GET', 'answer:1'), ['from', 'hook', 'key', 'answer:1'])
    const resp3 = await server.client({ protocol: 3, replyMapping: 'resp3' } as object)
    t.deepEqual(await resp3.call('GET', 'answer:1'), { from: 'hook', key: 'answer:1' })
  })

  it('category: every write with a key that matches, any of its keys', async (t, server) => {
    const client = await server.client()
    await client.call('GUARDS.SEEN')
    await client.mset('x', '1', 'watch:a', '2')
    await client.hset('watch:h', 'f', 'v')
    await client.get('watch:a')
    await client.select(3)
    await client.del('watch:b')
    t.deepEqual(await seen(client), [
      ['default', 0, 'MSET', 'x', '1', 'watch:a', '2'],
      ['default', 0, 'HSET', 'watch:h', 'f', 'v'],
      ['default', 3, 'DEL', 'watch:b'],
    ])
  })

  it('bug: keys of commands of which the server tells modules nothing (MSETEX) are keys', async (t, server) => {
    const client = await server.client()
    const [known] = (await client.call('COMMAND', 'INFO', 'MSETEX')) as unknown[]
    if (known === null) {
      t.pass('this server has no MSETEX')
      return
    }
    await client.call('GUARDS.SEEN')
    await client.call('MSETEX', '2', 'other', '1', 'watch:x', '2', 'EX', '100')
    await client.call('MSETEX', '1', 'other', 'watch:not-a-key')
    t.deepEqual(await seen(client), [['default', 0, 'MSETEX', '2', 'other', '1', 'watch:x', '2', 'EX', '100']])
    await client.call('ACL', 'SETUSER', 'msetter', 'on', '>pw', '~own:*', '+@all')
    using raw = await RawClient.connect(server.port)
    t.regex(await raw.text('AUTH', 'msetter', 'pw').then(() => raw.text('MSETEX', '1', 'watch:x', '3')), /^-NOPERM /)
    t.is(await client.get('watch:x'), '2')
  })

  it('bug: the database is the one that the transaction or script has selected', async (t, server) => {
    const client = await server.client()
    await client.call('GUARDS.SEEN')
    await exec(client, ['SELECT', '3'], ['DEL', 'watch:b'])
    await client.call('SELECT', '0')
    await client.eval("redis.call('select', 4) redis.call('del', 'watch:b')", 0)
    await client.eval("redis.call('del', 'watch:b')", 0)
    const databases = ((await seen(client)) as unknown[][]).map(([, db]) => db)
    t.deepEqual(databases, [3, 4, 0])
  })

  it('native errors: arity, syntax and WRONGTYPE are the server’s own', async (t, server) => {
    const client = await server.client()
    t.regex(await messageOf(client.call('SET', 'user:3')), /^ERR wrong number of arguments for 'set' command$/)
    t.regex(await messageOf(client.call('SET', 'user:3', 'a', 'XY')), /^ERR syntax error$/)
    await client.lpush('user:list', 'a')
    t.regex(await messageOf(client.append('user:list', 'b')), /^WRONGTYPE /)
  })

  it('failure: a hook that is late denies with onFailure deny, and is not heard with allow', async (t, server) => {
    const client = await server.client()
    const late = await messageOf(client.set('late:1', 'x'))
    t.regex(late, /^TIMEOUT 'hook guards\/late' did not answer in time/)
    t.regex(late, refused)
    t.is(await client.exists('late:1'), 0)
    t.is(await client.set('lenient:1', 'x'), 'OK')
    t.is(await client.get('lenient:1'), 'x')
  })

  it('failure: a handler that throws denies, and its message stays in the log', async (t, server) => {
    const client = await server.client()
    t.regex(await messageOf(client.set('throws:1', 'x')), /^ERR hook guards\/throws failed \(id [0-9a-f]{8}\); /)
    await server.logged('on purpose')
    t.is(await client.exists('throws:1'), 0)
  })

  it('a handler can ask the server as the client’s user', async (t, server) => {
    const client = await server.client()
    const answers = []
    for (let n = 0; n < 5; n++) {
      answers.push(await outcome(client.set(`quota:${n}`, 'x')))
    }
    t.deepEqual(answers, ['OK', 'OK', 'OK', 'QUOTA used up', 'QUOTA used up'])
  })

  it('pipelines keep their order', async (t, server) => {
    const client = await server.client()
    const pipeline = client.pipeline()
    for (let n = 0; n < 100; n++) pipeline.set('user:p', String(n)).get('user:p').set('user:q', 'far too long indeed')
    const replies = (await pipeline.exec()) ?? []
    const expected = Array.from({ length: 100 }, (_, n) => ['OK', String(n), 'TOOBIG user too large']).flat()
    t.deepEqual(
      replies.map(([error, reply]) => error?.message ?? reply),
      expected,
    )
  })

  it('scripts: a rewrite that made a command longer crashed Valkey 9', async (t, server) => {
    const client = await server.client()
    const script = `local r = {}
      for i = 1, 20 do r[#r + 1] = redis.call('SET', KEYS[1], ARGV[1]); r[#r + 1] = redis.call('PTTL', KEYS[1]) > 0 end
      return r`
    const twenty = (first: unknown, next: unknown, expires: unknown): unknown[] =>
      Array.from({ length: 20 }, (_, n) => [n === 0 ? first : next, expires]).flat()
    t.deepEqual(await client.eval(script, 1, 'longer:2', '2'), twenty('OK', 'OK', 1), 'two words more')
    t.deepEqual(await client.eval(script, 1, 'longer:3', '3'), twenty(null, '3', 1), 'three words more')
    t.regex(await messageOf(client.eval(script, 1, 'longer:1', '1')), /ERR syntax error/, 'one word more')
    const counts = "local r = {}; for i = 1, 20 do r[i] = redis.pcall('DBSIZE').err end; return r"
    const denied = (await client.eval(counts, 0)) as string[]
    t.is(denied.length, 20)
    for (const text of denied) t.regex(text, /UNCOUNTED nobody counts here/)
  })

  it('scripts: hooks saw the user of the last hooked command, not the script’s', async (t, server) => {
    const admin = await server.client()
    for (const name of ['bob', 'ivy']) await admin.acl('SETUSER', name, 'on', 'nopass', '~*', '+@all')
    const bob = await server.client({ username: 'bob', password: 'x' })
    const ivy = await server.client({ username: 'ivy', password: 'x', db: 5 })
    const script = "return redis.pcall('INCR', KEYS[1])"
    t.regex(await messageOf(bob.incr('mine')), /^NOTBOB /)
    t.is(await ivy.eval(script, 1, 'mine'), 1)
    await ivy.set('watch:ivy', 'x')
    t.regex(await messageOf(bob.eval(script, 1, 'mine')), /NOTBOB bob may not count/)
    t.deepEqual(await exec(ivy, ['EVAL', script, '1', 'mine']), [2])
    t.regex(String(await exec(bob, ['EVAL', script, '1', 'mine'])), /NOTBOB/)
    await seen(admin)
    await ivy.eval("return redis.call('SET', KEYS[1], 'x')", 1, 'watch:s')
    t.deepEqual(await seen(admin), [['ivy', 5, 'SET', 'watch:s', 'x']])
  })

  it('scripts: a client with tracking is told of what longer commands have read', async (t, server) => {
    using tracking = await RawClient.connect(server.port, 3)
    await tracking.text('CLIENT', 'TRACKING', 'ON')
    await tracking.text('EVAL', "return redis.call('GET', KEYS[1])", '1', 'longread:1')
    const client = await server.client()
    await client.set('longread:1', 'x')
    t.regex(await tracking.text('ECHO', 'x'), /invalidate[^]*longread:1/)
  })

  it('MULTI: hooks are asked when a command is queued; a denied one ends the transaction', async (t, server) => {
    const client = await server.client()
    t.deepEqual(await exec(client, ['SET', 'upper:m', 'abc'], ['GET', 'upper:m'], ['GET', 'answer:m']), [
      'OK',
      'ABC!',
      ['from', 'hook', 'key', 'answer:m'],
    ])
    const ended = (await exec(client, ['SET', 'm1', '1'], ['SET', 'user:m', 'far too long'])) as string[]
    t.regex(ended[0] ?? '', /^EXECABORT/)
    t.regex(ended[1] ?? '', /TOOBIG user too large/)
    t.is(await client.exists('m1', 'user:m'), 0)
    const alone = (await exec(client, ['SET', 'solo:m', '1'])) as string[]
    t.regex(alone[1] ?? '', /DENIED hook guards\/no-multi/)
    t.is(await client.set('solo:m', '1'), 'OK')
  })

  it('scripts: redis.call is hooked too', async (t, server) => {
    const client = await server.client()
    const set = "return redis.call('SET', KEYS[1], ARGV[1])"
    t.is(await client.eval(set, 1, 'upper:s', 'abc'), 'OK')
    t.is(await client.get('upper:s'), 'ABC!')
    t.regex(await messageOf(client.eval(set, 1, 'user:s', 'far too long')), /TOOBIG user too large/)
    t.is(await client.exists('user:s'), 0)
    const guarded = "return redis.pcall('SET', KEYS[1], ARGV[1])['err']"
    t.regex(String(await client.eval(guarded, 1, 'user:s', 'far too long')), /TOOBIG user too large/)
  })

  for (const way of ['now', 'timer', 'thread', 'detached']) {
    it(`other modules: their calls are hooked too, from ${way}`, async (t, server) => {
      const client = await server.client()
      const run = async (...words: string[]): Promise<string> =>
        String(await client.call('CALLING.RUN', way, '!E', ...words))
      t.is(await run('SET', 'user:o', 'short'), '+OK\r\n')
      t.regex(await run('SET', 'user:o', 'far too long'), /^-TOOBIG user too large/)
      t.is(await run('SET', 'upper:o', 'abc'), '+OK\r\n')
      t.is(await client.get('user:o'), 'short')
      t.is(await client.get('upper:o'), 'ABC!')
    })
  }

  it('commands that a module cannot run in their place are asked about while the server waits', async (t, server) => {
    const client = await server.client()
    t.is(await client.config('SET', 'hz', '12'), 'OK')
    t.is(await messageOf(client.config('SET', 'maxmemory-samples', '7')), 'NOTNOW samples stay')
  })

  it('client tracking: no stale value, and the hook is asked', async (t, server) => {
    const client = await server.client({ protocol: 3 } as object)
    await client.call('CLIENT', 'TRACKING', 'ON')
    t.is(await client.set('user:t', 'short'), 'OK')
    t.is(await messageOf(client.set('user:t', 'far too long')), 'TOOBIG user too large')
  })

  it('users: a hook is for those that it names, and rights are the client’s own', async (t, server) => {
    const admin = await server.client()
    await admin.call('ACL', 'SETUSER', 'bob', 'on', '>pw', '+@all', '-append', '~*', '&*')
    await admin.call('ACL', 'SETUSER', 'eve', 'on', '>pw', '+@all', '~other:*', '&*')
    const bob = await server.client({ username: 'bob', password: 'pw' })
    const eve = await server.client({ username: 'eve', password: 'pw' })
    t.is(await messageOf(bob.incr('n')), 'NOTBOB bob may not count')
    t.is(await admin.incr('n'), 1)
    t.is(await bob.set('user:bob', 'short'), 'OK')
    t.is(await messageOf(bob.set('user:bob', 'far too long')), 'TOOBIG user too large')
    t.regex(await messageOf(bob.append('user:bob', 'x')), /^NOPERM .*'append'/)
    t.regex(await messageOf(eve.set('user:eve', 'x')), /^NOPERM/)
    t.is(await eve.set('other:eve', 'x'), 'OK')
    await admin.call('ACL', 'DELUSER', 'bob', 'eve')
  })

  it('wrappers: a client that names one gets nothing', async (t, server) => {
    const client = await server.client()
    const names = ((await client.call('COMMAND', 'LIST')) as string[]).filter((name) => name.startsWith('_ferrite.'))
    t.true(names.length > 20)
    for (const name of names) {
      t.regex(await messageOf(client.call(name, 'SET', 'user:w', 'far too long')), /^ERR/)
      t.regex(await messageOf(client.call(name, '0123456789abcdef', 'SET', 'user:w', 'x')), /^ERR/)
    }
    t.is(await client.exists('user:w'), 0)
  })

  it('FERRITE.HOOK: lists, describes and resets', async (t, server) => {
    const client = await server.client()
    await client.call('FERRITE.HOOK', 'RESET')
    await messageOf(client.set('user:f', 'far too long'))
    await client.set('user:f', 'short')
    const info = (await client.call('FERRITE.HOOK', 'INFO', 'guards/size')) as unknown[]
    const pairs = Array.from({ length: info.length / 2 }, (_, i) => [String(info[2 * i]), info[2 * i + 1]] as const)
    const fields = new Map(pairs)
    t.like(Object.fromEntries(fields), {
      name: 'guards/size',
      state: 'up',
      asked: 2,
      denied: 1,
      failed: 0,
      priority: 100,
    })
    t.deepEqual(fields.get('commands'), ['SET', 'APPEND', 'GETSET'])
    t.regex(await messageOf(client.call('FERRITE.CALL', 'hook guards/size', 'x')), /cannot be run through FERRITE.CALL/)
    t.regex(await client.info('ferrite'), /^ferrite_hook_guards\/size:calls=2,failed=0,refused=1,/m)
    t.regex(await messageOf(client.call('FERRITE.HOOK', 'INFO', 'nobody')), /expected <plugin>\/<hook>/)
    t.is(((await client.call('FERRITE.HOOK', 'LIST')) as unknown[]).length, 15)
  })
})

/** Stops the host until the test ends: it can answer nothing any more. */
async function stopHost(t: ExecutionContext, client: Redis): Promise<void> {
  const pid = Number(/ferrite_host_pid:(\d+)/.exec(await client.info('ferrite'))?.[1])
  process.kill(pid, 'SIGSTOP')
  t.teardown(() => {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // it has ended
    }
  })
  await until(async () => (await readFile(`/proc/${pid}/stat`, 'utf8')).includes(') T '))
}

forEachServer(
  test,
  'hooks: fail-closed ones deny before the host is up, also right after a start',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins })
    const client = await server.client()
    await client.set('user:1', 'short')
    await server.restart('SIGTERM')
    // The first commands reach the server before its host can have started.
    const first = await server.client()
    const early = await outcome(first.set('user:1', 'far too long'))
    t.regex(early, /^(UNAVAILABLE hook guards\/size: |TOOBIG )/)
    t.is(await first.set('lenient:1', 'x'), 'OK')
    await until(async () => (await messageOf(first.set('user:1', 'far too long'))) === 'TOOBIG user too large')
    await stopHost(t, first)
    t.regex(await messageOf(first.set('user:1', 'short')), /^TIMEOUT 'hook guards\/size'/)
    t.is(await first.set('lenient:1', 'y'), 'OK')
    t.is(await first.set('other', 'z'), 'OK')
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'hooks: an unauthenticated client reaches no plugin',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins })
    const admin = await server.client()
    await admin.call('GUARDS.SEEN')
    const before = await server.client()
    await admin.config('SET', 'requirepass', 'secret')
    for (const words of [
      ['SET', 'watch:1', 'x'],
      ['SET', 'user:1', 'far too long'],
      ['CONFIG', 'SET', 'maxmemory-samples', '7'],
    ]) {
      t.regex(await server.cli(...words), /^(NOAUTH|UNAVAILABLE)/)
    }
    t.is(await before.set('watch:2', 'x'), 'OK', 'it had come before there was a password')
    t.is(await server.cli('-a', 'secret', '--no-auth-warning', 'SET', 'watch:3', 'x'), 'OK')
    t.deepEqual(await seen(admin), [
      ['default', 0, 'SET', 'watch:2', 'x'],
      ['default', 0, 'SET', 'watch:3', 'x'],
    ])
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'hooks: on Redis 7.0 a plugin with command hooks says why they do not work',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins })
    await server.logged('hooks of commands need Redis 7.2')
    const client = await server.client()
    t.is(await client.set('user:1', 'far too long'), 'OK')
    t.deepEqual(await client.call('GUARDS.SEEN'), [])
  },
  { before: '7.2' },
)

forEachServer(
  test,
  'hooks: a hundred for one command are all asked, also while the server waits',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins: [fixturePlugin('crowded')] })
    const client = await server.client()
    t.is(await messageOf(client.set('k', 'v')), 'LAST the last one was asked')
    t.regex(await messageOf(client.eval("return redis.call('SET', 'k', 'v')", 0)), /LAST the last one was asked/)
    t.is(await client.exists('k'), 0)
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'hooks: a server without COMMAND says that no hook is asked',
  async (t, program) => {
    const config = [['rename-command', 'COMMAND', '']] as const
    await using server = await startServer({ server: program, plugins, config, waitForPlugins: false })
    await server.logged("no hook is asked: hooks of commands need the server's COMMAND")
    const client = await server.client({ enableReadyCheck: false })
    t.is(await client.set('user:1', 'far too long'), 'OK')
  },
  { since: '7.2' },
)
