// What watches a server sees the client's commands and their effects, once: MONITOR, SLOWLOG, INFO, AOF, replicas.
import test from 'ava'
import {
  fixturePlugin,
  forEachServer,
  RawClient,
  readAof,
  shareTwins,
  startServer,
  startTwins,
  until,
  untilInStep,
  digest,
  type TestServer,
  type Words,
} from '../helpers/index.js'

const plugins = [fixturePlugin('passing')]

/** What one connection gets back for some commands, sent at once, as text. */
async function replies(server: TestServer, ...commands: readonly Words[]): Promise<string> {
  using client = await RawClient.connect(server.port)
  return (await client.askAll(...commands)).toString('latin1')
}

/** Commands of every kind: that write, read, fail, block, run in MULTI and in scripts. */
const kinds: readonly Words[] = [
  ...[
    ['SET', 'a', '1'],
    ['INCR', 'a'],
    ['GET', 'a'],
    ['GET', 'none'],
    ['SET', 'b', 'x', 'EX', '1000'],
    ['GETEX', 'b', 'PERSIST'],
  ],
  ...[
    ['GETDEL', 'b'],
    ['LPUSH', 'a', 'wrong'],
    ['INCR', 'none', 'x'],
    ['NONE', 'x'],
    ['SET', 'a', '1', 'WRONG'],
  ],
  ...[
    ['RPUSH', 'l', '1', '2', '3'],
    ['LMPOP', '1', 'l', 'LEFT'],
    ['BLPOP', 'l', '0'],
    ['LPOP', 'none'],
    ['DEL', 'none'],
  ],
  ...[
    ['MULTI'],
    ['SET', 'm', '1'],
    ['INCR', 'm'],
    ['LPUSH', 'm', 'x'],
    ['GET', 'm'],
    ['EXEC'],
    ['MULTI'],
    ['GET', 'm'],
    ['EXEC'],
  ],
  ...[['MULTI'], ['SET', 'm', '1'], ['NONE'], ['EXEC'], ['MULTI'], ['SET', 'm', '9'], ['DISCARD']],
  ...[
    ['EVAL', "redis.call('SET', KEYS[1], '1') redis.call('INCR', KEYS[1]) return redis.call('GET', KEYS[1])", '1', 's'],
  ],
  ...[
    ['EVAL', "return redis.call('LPUSH', KEYS[1], '1')", '1', 's'],
    ['EVAL', "return redis.pcall('NONE')", '0'],
  ],
  ...[
    ['XADD', 'x', '1-1', 'f', 'v'],
    ['XGROUP', 'CREATE', 'x', 'g', '0'],
    ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'x', '>'],
  ],
  ...[
    ['SADD', 'set', 'one'],
    ['SPOP', 'set'],
    ['HSET', 'h', 'f', '1'],
    ['HINCRBYFLOAT', 'h', 'f', '1.5'],
    ['INCRBYFLOAT', 'f', '0.5'],
  ],
  ...[
    ['SELECT', '2'],
    ['SET', 'two', '2'],
    ['MOVE', 'two', '3'],
    ['SELECT', '0'],
    ['PUBLISH', 'c', 'x'],
    ['RENAME', 'a', 'a2'],
    ['RENAME', 'a', 'a3'],
  ],
  ...[
    ['GETSET', 'gs', '1'],
    ['SETEX', 'se', '1000', '1'],
    ['EXPIRE', 'se', '-1'],
    ['EXPIRE', 'gs', '0'],
    ['RESTORE', 'bad', '0', 'x'],
  ],
  ...[
    ['PFADD', 'pf', 'a', 'b'],
    ['PFCOUNT', 'pf'],
    ['PFMERGE', 'pf2', 'pf'],
    ['SORT', 'l', 'STORE', 'sorted'],
    ['OBJECT', 'FREQ', 'l'],
  ],
]

/** Times of expiry are the server's clock's. */
const clockless = (words: readonly string[]): string => words.join(' ').replace(/\b1[789]\d{11}\b/g, '<time>')

shareTwins(test, { plugins, since: '7.2', aof: true }, (it) => {
  it('INFO: commandstats, errorstats, hits and misses are those of a server without hooks', async (t, twins) => {
    await twins.same(t, async (server) => {
      await server.cli('config', 'resetstat')
      await replies(server, ...kinds)
      const client = await server.client()
      const info = await client.info('everything')
      const lines = info
        .split('\r\n')
        .filter((line) => /^(errorstat_|keyspace_(hits|misses)|total_error_replies|cmdstat_)/.test(line))
      return lines
        .map((line) => line.replace(/usec(_per_call)?=[\d.]+,/g, ''))
        .filter((line) => !/^cmdstat_(_ferrite|info|flushall|config)/.test(line))
        .sort()
    })
  })

  it('AOF: has the commands that ran, once, as without hooks', async (t, twins) => {
    const both = await twins.same(t, async (server) => {
      const before = (await readAof(server.folder)).length
      await replies(server, ...kinds)
      return (await readAof(server.folder)).slice(before).map(clockless)
    })
    t.true(both.length > 30)
    t.is(await digest(twins.hooked), await digest(twins.plain))
    await twins.same(t, (server) => server.cli('debug', 'loadaof'))
    t.is(await digest(twins.hooked), await digest(twins.plain))
  })

  it('SLOWLOG: shows the client’s commands with its address, and no secrets', async (t, twins) => {
    const secret = 'hunter2'
    await twins.same(t, async (server) => {
      using admin = await RawClient.connect(server.port)
      await admin.askAll(
        ['CONFIG', 'SET', 'slowlog-log-slower-than', '0', 'slowlog-max-len', '1000'],
        ['SLOWLOG', 'RESET'],
      )
      await replies(
        server,
        ...[
          ['SET', 'k', 'v'],
          ['GET', 'k'],
          ['MULTI'],
          ['INCR', 'n'],
          ['EXEC'],
          ['EVAL', "return redis.call('INCR', 'n')", '0'],
        ],
        ...[
          ['AUTH', secret],
          ['AUTH', 'bob', secret],
          ['HELLO', '3', 'AUTH', 'bob', secret],
          ['ACL', 'SETUSER', 'bob', `>${secret}`],
        ],
        ...[
          ['CONFIG', 'SET', 'masterauth', secret],
          ['MIGRATE', '127.0.0.1', '1', 'none', '0', '100', 'AUTH', secret],
        ],
        ...[
          ['MIGRATE', '127.0.0.1', '1', 'none', '0', '100', 'AUTH2', 'bob', secret],
          ['ACL', 'DELUSER', 'bob'],
        ],
      )
      await admin.askAll(['CONFIG', 'SET', 'slowlog-log-slower-than', '-1'])
      const text = await admin.text('SLOWLOG', 'GET', '-1')
      t.false(text.includes(secret), text)
      const client = await server.client()
      const entries = (await client.call('SLOWLOG', 'GET', '-1')) as [
        number,
        number,
        number,
        string[],
        string,
        string,
      ][]
      return (
        entries
          .map(([, , , words]) => words.join(' '))
          // The module asks for settings now and then.
          .filter((words) => !/^(ECHO|CONFIG GET) /.test(words))
          .sort()
      )
    })
  })

  it('MONITOR: shows commands that ran, no secrets, and no word that a client could use', async (t, twins) => {
    const secret = 'hunter2'
    const { hooked } = twins
    const seen = await twins.same(t, async (server) => {
      const watcher = await (await server.client()).monitor()
      const lines: string[][] = []
      watcher.on('monitor', (_time: string, words: string[]) => lines.push(words))
      await replies(server, ...kinds, ['AUTH', secret], ['HELLO', '2', 'AUTH', 'bob', secret], ['SET', 'last', '1'])
      await until(() => lines.some((words) => words[1] === 'last'), { what: 'the last command' })
      watcher.disconnect()
      t.false(
        lines.flat().some((word) => word.includes(secret) || word.includes('_ferrite')),
        JSON.stringify(lines),
      )
      return lines.map((words) => words.join(' ')).filter((line) => !line.startsWith('ECHO'))
    })
    t.true(seen.length > 50)
    t.is(hooked.exit, undefined)
  })

  it('key events of clients: as without hooks, in the same order', async (t, twins) => {
    await twins.same(t, async (server) => {
      await server.cli('config', 'set', 'notify-keyspace-events', 'KEAmn')
      const events: string[] = []
      const listener = await server.client()
      await listener.psubscribe('__key*')
      listener.on('pmessage', (_pattern: string, channel: string, message: string) =>
        events.push(`${channel} ${message}`),
      )
      await replies(server, ...kinds, ['SET', 'last', '1'])
      await until(() => events.some((event) => event.endsWith('@0__:set last')), { what: 'the last event' })
      await server.cli('config', 'set', 'notify-keyspace-events', '')
      return events
    })
  })

  it('LATENCY, COMMAND COUNT of normal commands, COMMAND INFO, COMMAND DOCS, COMMAND GETKEYS: are the server’s', async (t, twins) => {
    await twins.same(t, (server) =>
      replies(
        server,
        ...[
          ['COMMAND', 'INFO', 'set', 'get', 'config|set', 'eval'],
          ['COMMAND', 'DOCS', 'set'],
          ['COMMAND', 'GETKEYS', 'MSET', 'a', '1', 'b', '2'],
        ],
        ...[
          ['COMMAND', 'GETKEYSANDFLAGS', 'LMOVE', 'a', 'b', 'LEFT', 'LEFT'],
          ['COMMAND', 'GETKEYS', 'GET'],
          ['COMMAND', 'GETKEYS', 'PING'],
        ],
      ),
    )
  })

  it('BGREWRITEAOF and DEBUG RELOAD keep all, and nothing of hooks', async (t, twins) => {
    await twins.same(t, async (server) => {
      await replies(server, ...kinds)
      const before = await digest(server)
      const client = await server.client()
      await client.call('BGREWRITEAOF')
      await until(async () => (await client.info('persistence')).includes('aof_rewrite_in_progress:0'))
      await until(async () => (await client.info('persistence')).includes('aof_rewrite_scheduled:0'))
      await client.call('DEBUG', 'LOADAOF')
      const rewritten = await digest(server)
      await client.call('DEBUG', 'RELOAD')
      return [before, rewritten, await digest(server)]
    })
  })
})

forEachServer(
  test,
  'replicas: of hooked servers get what those of others get, and ask no hook about it',
  async (t, program) => {
    await using twins = await startTwins(program, { plugins })
    const logs: string[][] = []
    for (const server of twins.servers) {
      const isHooked = server === twins.hooked
      await using replica = await startServer({
        server: program,
        replicaOf: server,
        aof: true,
        ...(isHooked ? { plugins } : { module: false }),
      })
      // A replica writes its file anew when it has synchronised: what comes meanwhile would be in its base.
      await untilInStep(server, replica)
      const rewriting = async (): Promise<boolean> => {
        const info = await replica.cli('info', 'persistence')
        return /aof_rewrite_(in_progress|scheduled):1/.test(info) || !info.includes('aof_enabled:1')
      }
      await until(async () => !(await rewriting()), { what: 'the replica to have written its file' })
      const before = (await readAof(replica.folder)).length
      await replies(server, ...kinds)
      await untilInStep(server, replica)
      t.is(await digest(replica), await digest(server))
      logs.push((await readAof(replica.folder)).slice(before).map(clockless))
      const client = await replica.client()
      // Reads on the replica are hooked there; what it got from its primary was not.
      t.is(await client.get('a2'), '2')
      if (!isHooked) continue
      const seen = (await client.call('PASSING.SEEN')) as string[][]
      const names = seen.map(([, name]) => name)
      t.true(names.includes('GET'))
      t.false(names.includes('SET'), JSON.stringify(seen))
      t.is(replica.exit, undefined)
    }
    t.deepEqual(logs[1], logs[0])
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'WAIT: does not say that a stopped replica has the hooked write before it',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins })
    await using replica = await startServer({ server: program, module: false, replicaOf: server })
    const client = await server.client()
    t.is(await client.set('k', '1'), 'OK')
    t.is(await client.wait(1, 0), 1)
    process.kill(replica.pid, 'SIGSTOP')
    try {
      for (let n = 0; n < 3; n++) {
        t.is(await client.set('k', `${n}`), 'OK')
        t.is(await client.wait(1, 100), 0, 'the replica is stopped')
      }
      t.deepEqual(await client.pipeline().incr('n').wait(1, 100).exec(), [
        [null, 1],
        [null, 0],
      ])
    } finally {
      process.kill(replica.pid, 'SIGCONT')
    }
    t.is(await client.set('k', '2'), 'OK')
    t.is(await client.wait(1, 0), 1)
  },
  { since: '7.2' },
)
