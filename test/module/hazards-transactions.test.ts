// MULTI, scripts and commands that block, on a server with a hook of everything and on one without.
import test from 'ava'
import {
  fixturePlugin,
  messageOf,
  RawClient,
  shareTwins,
  until,
  type TestServer,
  type Words,
} from '../helpers/index.js'

const plugins = ['passing', 'vetoes'].map(fixturePlugin)

/** What one connection gets back for some commands, sent at once, as text. */
async function replies(server: TestServer, ...commands: readonly Words[]): Promise<string> {
  using client = await RawClient.connect(server.port)
  return (await client.askAll(...commands)).toString('latin1')
}

/** Waits until some clients are blocked. INFO would count its own client, which waits for the hook. */
async function untilBlocked(server: TestServer, count: number): Promise<void> {
  const client = await server.client()
  const blocked = async (): Promise<number> => String(await client.client('LIST')).match(/ flags=\w*b/g)?.length ?? 0
  await until(async () => (await blocked()) === count, { what: `${count} blocked clients` })
}

shareTwins(test, { plugins, since: '7.2', aof: true }, (it) => {
  it('MULTI, EXEC, DISCARD, WATCH: as without a hook', async (t, twins) => {
    await twins.same(t, (server) =>
      replies(
        server,
        ...[['MULTI'], ['SET', 'a', '1'], ['INCR', 'a'], ['LPUSH', 'a', 'x'], ['GET', 'a'], ['EXEC'], ['GET', 'a']],
        ...[['MULTI'], ['SET', 'a', '5'], ['DISCARD'], ['GET', 'a'], ['EXEC'], ['DISCARD'], ['MULTI'], ['EXEC']],
        ...[['WATCH', 'a'], ['SET', 'a', '6'], ['MULTI'], ['SET', 'a', '7'], ['EXEC'], ['GET', 'a'], ['UNWATCH']],
        ...[['WATCH', 'a'], ['GET', 'a'], ['MULTI'], ['SET', 'a', '7'], ['EXEC'], ['WATCH', 'a'], ['SET', 'a', '8']],
        ...[['UNWATCH'], ['MULTI'], ['SET', 'a', '9'], ['EXEC'], ['MULTI'], ['NONE'], ['SET', 'a', '10'], ['EXEC']],
        ...[['MULTI'], ['SET', 'a'], ['EXEC'], ['MULTI'], ['MULTI'], ['WATCH', 'b'], ['SET', 'a', '11'], ['EXEC']],
        ...[
          ['MULTI'],
          ['CONFIG', 'GET', 'hz'],
          ['CLIENT', 'GETNAME'],
          ['PUBLISH', 'c', 'x'],
          ['SELECT', '1'],
          ['EXEC'],
        ],
        ...[['SET', 'k', 'db1'], ['MULTI'], ['FLUSHALL'], ['SAVE'], ['EXEC'], ['DBSIZE']],
      ),
    )
  })

  for (const how of ['EXPIRED', 'DELETED', 'FLUSHED']) {
    it(`WATCH: a key that is ${how} by another ends the transaction`, async (t, twins) => {
      await twins.same(t, async (server) => {
        using one = await RawClient.connect(server.port)
        using two = await RawClient.connect(server.port)
        await one.askAll(['SET', 'a', '1'], ['WATCH', 'a'])
        const words = { EXPIRED: ['PEXPIREAT', 'a', '1'], DELETED: ['DEL', 'a'], FLUSHED: ['FLUSHALL'] }[how] ?? []
        return [
          await two.text(...words),
          (await one.askAll(['MULTI'], ['SET', 'b', '1'], ['EXEC'])).toString(),
          await two.text('EXISTS', 'b'),
        ]
      })
    })
  }

  it('EXEC: a hook that refuses it ends the transaction, and nothing runs', async (t, twins) => {
    const { hooked } = twins
    using client = await RawClient.connect(hooked.port)
    await client.ask('VETOES.REFUSE', 'EXEC')
    const got = await client.askAll(
      ['MULTI'],
      ['SET', 'a', '1'],
      ['INCR', 'n'],
      ['EXEC'],
      ['GET', 'a'],
      ['EXISTS', 'n'],
    )
    t.regex(got.toString(), /^\+OK\r\n\+QUEUED\r\n\+QUEUED\r\n-EXECABORT [^\r]*\r\n\$-1\r\n:0\r\n$/)
    await client.ask('VETOES.REFUSE', '')
    t.regex((await client.askAll(['EXEC'], ['SET', 'b', '1'])).toString(), /^-ERR EXEC without MULTI\r\n\+OK\r\n$/)
    t.is((await client.askAll(['MULTI'], ['SET', 'a', '1'], ['EXEC'])).toString(), '+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n')
  })

  for (const name of ['MULTI', 'WATCH', 'DISCARD', 'RESET']) {
    it(`${name}: a hook that names it can refuse it`, async (t, twins) => {
      using client = await RawClient.connect(twins.hooked.port)
      await client.ask('VETOES.REFUSE', name)
      const before = name === 'DISCARD' ? [['MULTI'], ['SET', 'a', '1']] : []
      const after = name === 'DISCARD' ? [['EXEC']] : []
      const got = await client.askAll(...before, [name, ...(name === 'WATCH' ? ['k'] : [])], ...after)
      t.regex(got.toString(), /-[^\r]*VETO[^\r]*\r\n(-EXECABORT [^\r]*\r\n)?$/)
      using other = await RawClient.connect(twins.hooked.port)
      await other.ask('VETOES.REFUSE', '')
      t.is(await other.text('EXISTS', 'a'), ':0\r\n')
    })
  }

  it('EVAL, EVAL_RO, EVALSHA, FCALL, FCALL_RO: errors, flags and replies', async (t, twins) => {
    const noWrites = "#!lua flags=no-writes\nreturn redis.call('SET', KEYS[1], 'x')"
    const plain = "#!lua\nreturn redis.call('SET', KEYS[1], 'x')"
    const library = `#!lua name=lib
      redis.register_function('write', function(keys, args) return redis.call('SET', keys[1], args[1]) end)
      redis.register_function{function_name='read', callback=function(keys) return redis.call('GET', keys[1]) end, flags={'no-writes'}}
      redis.register_function{function_name='sneak', callback=function(keys) return redis.call('SET', keys[1], '') end, flags={'no-writes'}}`
    await twins.same(t, (server) =>
      replies(
        server,
        ...[
          ['EVAL', noWrites, '1', 'a'],
          ['EVAL', plain, '1', 'a'],
          ['EVAL_RO', plain, '1', 'a'],
        ],
        ...[['EVAL_RO', "return redis.call('GET', KEYS[1])", '1', 'a']],
        ...[['EVAL', "return redis.call('LPUSH', KEYS[1], 'x')", '1', 'a']],
        ...[['EVAL', "return redis.pcall('LPUSH', KEYS[1], 'x')['err']", '1', 'a']],
        ...[
          ['EVAL', "return redis.pcall('SET', KEYS[1])", '1', 'a'],
          ['EVAL', "return redis.pcall('NONE')", '0'],
        ],
        ...[['EVAL', "return {redis.call('TIME')[1] ~= nil, redis.call('MSET', 'b', '1', 'c', '2')}", '0']],
        ...[
          ['EVAL', "return redis.pcall('SUBSCRIBE', 'c')", '0'],
          ['EVAL', "return redis.pcall('MULTI')", '0'],
        ],
        ...[
          ['EVAL', "return redis.pcall('BLPOP', 'none', '0')", '0'],
          ['EVAL', "return redis.call('WAIT', '1', '0')", '0'],
        ],
        ...[
          ['EVAL', "return redis.pcall('AUTH', 'x')", '0'],
          ['EVAL', "return redis.pcall('CONFIG', 'GET', 'hz')", '0'],
        ],
        ...[
          ['EVAL', "return redis.acl_check_cmd('SET', 'a', 'b')", '0'],
          ['SCRIPT', 'LOAD', "return redis.call('GET', 'b')"],
        ],
        ...[
          ['EVALSHA', 'ffffffffffffffffffffffffffffffffffffffff', '0'],
          ['FUNCTION', 'LOAD', 'REPLACE', library],
        ],
        ...[
          ['FCALL', 'write', '1', 'f', 'v'],
          ['FCALL', 'read', '1', 'f'],
          ['FCALL_RO', 'read', '1', 'f'],
          ['FCALL', 'sneak', '1', 'f'],
        ],
        ...[
          ['FCALL_RO', 'write', '1', 'f', 'v'],
          ['MULTI'],
          ['FCALL', 'write', '1', 'f', 'w'],
          ['EVAL', plain, '1', 'f'],
          ['EXEC'],
        ],
        ...[
          ['GET', 'f'],
          ['FUNCTION', 'DELETE', 'lib'],
          ['FCALL', 'read', '1', 'f'],
        ],
      ),
    )
  })

  it('scripts that write nothing run on a full server, and those that write are refused', async (t, twins) => {
    await twins.same(t, async (server) => {
      const set = "return redis.call('SET', KEYS[1], 'x')"
      await server.cli('config', 'set', 'maxmemory', '1')
      const got = await replies(
        server,
        ...[
          ['EVAL', set, '1', 'a'],
          ['EVAL', `#!lua\n${set}`, '1', 'a'],
          ['EVAL', `#!lua flags=allow-oom\n${set}`, '1', 'a'],
        ],
        ...[
          ['EVAL', "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])", '1', 'a'],
          ['MULTI'],
          ['SET', 'b', '1'],
          ['EXEC'],
        ],
      )
      await server.cli('config', 'set', 'maxmemory', '0')
      return got
    })
  })

  it('commands that would block, in MULTI and in scripts', async (t, twins) => {
    const commands = [
      ...[
        ['BLPOP', 'l', '0'],
        ['BRPOP', 'l', '0'],
        ['BLMOVE', 'l', 'm', 'LEFT', 'RIGHT', '0'],
        ['BLMPOP', '0', '1', 'l', 'LEFT'],
      ],
      ...[
        ['BZPOPMIN', 'z', '0'],
        ['BZMPOP', '0', '1', 'z', 'MIN'],
        ['XREAD', 'BLOCK', '0', 'STREAMS', 'x', '$'],
      ],
      ...[
        ['WAIT', '0', '0'],
        ['WAITAOF', '0', '0', '0'],
        ['XREAD', 'BLOCK', '0', 'STREAMS', 'x', '0'],
      ],
    ]
    await twins.same(t, (server) =>
      replies(
        server,
        ['RPUSH', 'l', 'a', 'b'],
        ['ZADD', 'z', '1', 'm'],
        ['XADD', 'x', '1-1', 'f', 'v'],
        ['MULTI'],
        ...commands,
        ['EXEC'],
      ),
    )
    await twins.same(t, (server) =>
      replies(
        server,
        ...[['RPUSH', 'l', 'a'], ['MULTI'], ...commands, ['EXEC']],
        ...commands.map((words) => ['EVAL', 'return redis.pcall(unpack(ARGV))', '0', ...words]),
      ),
    )
  })

  it('commands that block: served in their order, timed out, unblocked, killed', async (t, twins) => {
    await twins.same(t, async (server) => {
      const waiting = [
        ...[
          ['BLPOP', 'l', '0'],
          ['BRPOP', 'none', 'l', '0'],
          ['BLMOVE', 'l', 'm', 'LEFT', 'RIGHT', '0'],
          ['BLPOP', 'm', '0'],
        ],
        ...[
          ['BZPOPMAX', 'z', '0'],
          ['XREAD', 'BLOCK', '0', 'STREAMS', 'x', '$'],
          ['BRPOPLPUSH', 'o', 'p', '0'],
        ],
      ]
      const clients = await Promise.all(waiting.map(() => RawClient.connect(server.port)))
      const answers: Promise<string>[] = []
      for (const [n, words] of waiting.entries()) {
        answers.push((clients[n] as RawClient).text(...words))
        await untilBlocked(server, n + 1)
      }
      using pusher = await RawClient.connect(server.port)
      const got = await pusher.askAll(
        ...[
          ['RPUSH', 'l', 'a', 'b', 'c', 'd'],
          ['ZADD', 'z', '1', 'm'],
          ['XADD', 'x', '1-1', 'f', 'v'],
        ],
        ...[['MULTI'], ['RPUSH', 'o', 'gone'], ['DEL', 'o'], ['RPUSH', 'o', 'there'], ['EXEC']],
        ['BLPOP', 'none', '0.01'],
      )
      const served = await Promise.all(answers)
      const left = await pusher.askAll(
        ['LRANGE', 'l', '0', '-1'],
        ['LRANGE', 'm', '0', '-1'],
        ['LRANGE', 'p', '0', '-1'],
      )
      const [client, killed] = clients as [RawClient, RawClient]
      const id = (await client.text('CLIENT', 'ID')).slice(1, -2)
      const unblocked = client.text('BLPOP', 'none', '0')
      await untilBlocked(server, 1)
      const freed = [await pusher.text('CLIENT', 'UNBLOCK', id, 'ERROR'), await unblocked]
      const other = (await killed.text('CLIENT', 'ID')).slice(1, -2)
      const dead = messageOf(killed.text('BLPOP', 'none', '0'))
      await untilBlocked(server, 1)
      freed.push(await pusher.text('CLIENT', 'KILL', 'ID', other), await dead)
      for (const one of clients) one[Symbol.dispose]()
      return [got.toString(), served, left.toString(), freed]
    })
  })

  it('WAIT and WAITAOF: count the hooked write before them', async (t, twins) => {
    await twins.same(t, (server) =>
      replies(
        server,
        ['SET', 'k', 'v'],
        ['WAITAOF', '1', '0', '10000'],
        ['INCR', 'n'],
        ['WAITAOF', '1', '0', '10000'],
        ['WAIT', '0', '10'],
      ),
    )
  })

  it('OBJECT, DUMP, SORT, COPY: what looks at a value looks at the one that is there', async (t, twins) => {
    await twins.same(t, (server) =>
      replies(
        server,
        ...[
          ['SET', 'k', 'text'],
          ['OBJECT', 'ENCODING', 'k'],
          ['APPEND', 'k', 'x'],
          ['OBJECT', 'ENCODING', 'k'],
          ['SET', 'k', 'x'.repeat(100)],
        ],
        ...[
          ['OBJECT', 'ENCODING', 'k'],
          ['OBJECT', 'REFCOUNT', 'k'],
          ['DUMP', 'k'],
          ['RPUSH', 'l', '3', '1', '2'],
          ['OBJECT', 'ENCODING', 'l'],
        ],
        ...[
          ['SORT', 'l', 'STORE', 'm'],
          ['LRANGE', 'm', '0', '-1'],
          ['COPY', 'l', 'o'],
          ['OBJECT', 'ENCODING', 'o'],
          ['DUMP', 'o'],
        ],
        ...[
          ['GETEX', 'k', 'PERSIST'],
          ['SETRANGE', 'k', '2', 'yy'],
          ['GETRANGE', 'k', '0', '5'],
          ['STRLEN', 'k'],
          ['TYPE', 'o'],
        ],
      ),
    )
  })

  it('OBJECT ENCODING: a number that was set after a hook is kept as text, and counts as a number', async (t, twins) => {
    const client = await twins.hooked.client()
    await client.set('k', '12')
    t.is(await client.object('ENCODING', 'k'), 'embstr')
    t.is(await client.incr('k'), 13)
    t.is(await client.object('ENCODING', 'k'), 'int')
  })
})
