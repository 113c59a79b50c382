// Errors that are the server's own stay its own, word for word, with a hook of everything on: state, memory, disk, roles.
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import {
  fixturePlugin,
  forEachServer,
  messageOf,
  RawClient,
  shareTwins,
  startServer,
  startTwins,
  until,
  type TestServer,
  type Words,
} from '../helpers/index.js'

const plugins = [fixturePlugin('passing')]

/** A write, a read, each alone, in MULTI and in a script, and some that are neither. */
const commands: readonly Words[] = [
  ...[
    ['SET', 'k', 'v'],
    ['GET', 'k'],
    ['DEL', 'k'],
    ['INCR', 'n'],
    ['MGET', 'k', 'n'],
    ['EXPIRE', 'k', '1000'],
  ],
  ...[
    ['MULTI'],
    ['SET', 'k', 'v'],
    ['EXEC'],
    ['MULTI'],
    ['GET', 'k'],
    ['EXEC'],
    ['MULTI'],
    ['GET', 'k'],
    ['SET', 'k', '2'],
    ['EXEC'],
  ],
  ...[
    ['EVAL', "return redis.call('SET', KEYS[1], 'x')", '1', 'k'],
    ['EVAL', "return redis.call('GET', KEYS[1])", '1', 'k'],
  ],
  ...[
    ['EVAL_RO', "return redis.call('GET', KEYS[1])", '1', 'k'],
    ['PUBLISH', 'c', 'x'],
    ['PING'],
    ['BLPOP', 'l', '0.001'],
    ['PFCOUNT', 'p'],
  ],
  ...[
    ['XADD', 's', '*'],
    ['GETEX', 'k'],
    ['GETEX', 'k', 'PERSIST'],
    ['OBJECT', 'ENCODING', 'none'],
    ['FLUSHDB'],
    ['SCRIPT', 'FLUSH'],
  ],
]

async function replies(server: TestServer): Promise<string> {
  using client = await RawClient.connect(server.port)
  return (await client.askAll(...commands)).toString('latin1')
}

shareTwins(test, { plugins, since: '7.2' }, (it) => {
  it('OOM: writes that need memory are refused by the server', async (t, twins) => {
    const got = await twins.same(t, async (server) => {
      await server.cli('set', 'k', 'v')
      await server.cli('config', 'set', 'maxmemory', '1')
      try {
        return await replies(server)
      } finally {
        await server.cli('config', 'set', 'maxmemory', '0')
      }
    })
    t.true(got.startsWith('-OOM '), got)
  })

  it('NOREPLICAS: writes are refused by the server', async (t, twins) => {
    const got = await twins.same(t, async (server) => {
      await server.cli('config', 'set', 'min-replicas-to-write', '1')
      try {
        return await replies(server)
      } finally {
        await server.cli('config', 'set', 'min-replicas-to-write', '0')
      }
    })
    t.true(got.startsWith('-NOREPLICAS '), got)
  })

  it('MISCONF: writes are refused by the server after a save that failed', async (t, twins) => {
    const got = await twins.same(t, async (server) => {
      const client = await server.client()
      // Renaming a file to a folder that is not empty fails, whoever one is.
      const inTheWay = join(server.folder, 'dump.rdb')
      await rm(inTheWay, { force: true })
      await mkdir(join(inTheWay, 'full'), { recursive: true })
      await client.config('SET', 'save', '1000000 1')
      try {
        await client.call('BGSAVE')
        await until(async () => (await client.info('persistence')).includes('rdb_last_bgsave_status:err'))
        return await replies(server)
      } finally {
        await rm(inTheWay, { recursive: true })
        await client.config('SET', 'save', '')
        await client.call('SAVE')
      }
    })
    t.true(got.startsWith('-MISCONF '), got)
  })

  it('BUSY: commands are refused by the server while a script runs for long, and those that waited come after it', async (t, twins) => {
    await twins.same(t, async (server) => {
      const [admin, looping] = [await server.client(), await server.client()]
      await admin.config('SET', 'busy-reply-threshold', '50')
      const loop = messageOf(looping.eval('while true do end', 0))
      await until(async () => (await messageOf(admin.ping())).startsWith('BUSY'), { what: 'a busy server' })
      const got = [await messageOf(admin.set('k', 'v')), await messageOf(admin.get('k'))]
      got.push(await messageOf(admin.call('SCRIPT', 'KILL')))
      return [...got, (await loop).replace(/[0-9a-f]{40}/g, '<sha>'), await messageOf(admin.set('k', 'v'))]
    })
  })
})

forEachServer(
  test,
  'READONLY: a replica refuses writes itself; MASTERDOWN: a stale one refuses reads',
  async (t, program) => {
    await using primary = await startServer({ server: program, module: false })
    await primary.cli('set', 'k', 'v')
    await using one = await startServer({ server: program, module: false, replicaOf: primary })
    await using other = await startServer({ server: program, plugins, replicaOf: primary })
    const plain = await replies(one)
    t.is(await replies(other), plain)
    t.true(plain.startsWith('-READONLY '), plain)
    await primary.stop()
    for (const server of [one, other]) {
      await server.cli('config', 'set', 'replica-serve-stale-data', 'no')
      await until(async () => (await server.cli('info', 'replication')).includes('master_link_status:down'))
    }
    const stale = await replies(one)
    t.is(await replies(other), stale)
    t.regex(stale, /-MASTERDOWN /)
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'LOADING: a server that loads its data says so itself',
  async (t, program) => {
    await using twins = await startTwins(program, {
      plugins,
      config: { 'loading-process-events-interval-bytes': 1024 },
    })
    const got = await twins.same(t, async (server) => {
      const [admin, loader] = [await server.client(), await server.client()]
      await admin.call('DEBUG', 'POPULATE', '2000', 'key', '100')
      await admin.config('SET', 'key-load-delay', '1000')
      // One that was asked about just before is answered after the load.
      const asking = await Promise.all(Array.from({ length: 100 }, () => server.client()))
      const answers: string[] = []
      const loaded = loader.call('DEBUG', 'RELOAD')
      const isLoading = (): boolean => {
        const one = asking.pop()
        if (one !== undefined) void messageOf(one.get('k')).then((answer) => answers.push(answer))
        return answers.some((answer) => answer.startsWith('LOADING'))
      }
      await until(isLoading, { what: 'a loading server' })
      const early = [await messageOf(admin.set('k', 'v')), await messageOf(admin.eval('return 1', 0))]
      early.push(await messageOf(admin.config('SET', 'key-load-delay', '0')))
      await loaded
      return [...early, await messageOf(admin.set('k', 'v')), await messageOf(admin.dbsize())]
    })
    t.regex(got[0] ?? '', /^LOADING /)
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'CLUSTERDOWN: a node without slots says so itself',
  async (t, program) => {
    await using twins = await startTwins(program, { plugins, cluster: true })
    const got = await twins.same(t, replies)
    t.regex(got, /^-CLUSTERDOWN /)
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'rename-command: renamed commands are hooked, those taken away are unknown',
  async (t, program) => {
    const config = [
      ['rename-command', 'SET', 'PUT'],
      ['rename-command', 'GETDEL', ''],
      ['rename-command', 'CONFIG', 'SECRETCONFIG'],
      ['rename-command', 'MULTI', 'BEGIN'],
      ['rename-command', 'EXEC', 'COMMIT'],
      // One has the name of another.
      ['rename-command', 'INCR', 'OLDINCR'],
      ['rename-command', 'DECR', 'INCR'],
    ] as const
    const all = [...plugins, fixturePlugin('guards'), fixturePlugin('vetoes')]
    await using twins = await startTwins(program, { plugins: all, config })
    const replies = async (server: TestServer, ...words: readonly Words[]): Promise<string> => {
      using client = await RawClient.connect(server.port)
      return (await client.askAll(...words)).toString()
    }
    await twins.same(t, (server) =>
      replies(
        server,
        ...[
          ['SET', 'k', 'w'],
          ['CONFIG', 'GET', 'hz'],
          ['MULTI'],
          ['EXEC'],
          ['GETDEL', 'k'],
          ['none'],
          ['SECRETCONFIG|GET', 'hz'],
        ],
        ['EVAL', "return redis.pcall('SET', KEYS[1], '4')", '1', 'k'],
      ),
    )
    await twins.same(t, (server) =>
      replies(
        server,
        ...[
          ['PUT', 'k', 'v'],
          ['GET', 'k'],
          ['SECRETCONFIG', 'GET', 'hz'],
          ['BEGIN'],
          ['PUT', 'k', '2'],
          ['GET', 'k'],
          ['COMMIT'],
        ],
        ...[
          ['EVAL', "return redis.call('PUT', KEYS[1], '4')", '1', 'k'],
          ['put', 'k'],
          ['Put', 'k', '5', 'EX', '100'],
          ['TTL', 'k'],
        ],
      ),
    )
    // Servers that keep the last command of a connection take a word for its own name: so not on one connection.
    await twins.same(t, (server) => replies(server, ['INCR', 'k'], ['INCR']))
    await twins.same(t, (server) => replies(server, ['OLDINCR', 'k'], ['OLDINCR']))
    await twins.same(t, (server) => replies(server, ['GET', 'k']))
    // Hooks go by the server's own names.
    const client = await twins.hooked.client()
    const put = (...words: string[]): Promise<string> => messageOf(client.call('PUT', ...words))
    t.is(await put('user:1', 'far too long'), 'TOOBIG user too large')
    t.is(await messageOf(client.call('SECRETCONFIG', 'SET', 'maxmemory-samples', '7')), 'NOTNOW samples stay')
    const script = "return redis.call('PUT', KEYS[1], 'far too long')"
    t.regex(await messageOf(client.eval(script, 1, 'user:1')), /TOOBIG user too large/)
    t.is(await put('upper:1', 'abc'), 'no error but "OK"')
    t.is(await client.get('upper:1'), 'ABC!')
    await client.call('VETOES.REFUSE', 'COMMIT')
    const refused = await replies(twins.hooked, ['BEGIN'], ['PUT', 'k', '1'], ['COMMIT'], ['EXISTS', 'user:1'])
    t.regex(refused, /^\+OK\r\n\+QUEUED\r\n-EXECABORT [^\r]*\r\n:0\r\n$/)
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'rename-command: the first use of a new name is hooked, whoever it is that uses it',
  async (t, program) => {
    const config = [['rename-command', 'SET', 'PUT']] as const
    const long = ['user:1', 'far too long'] as const
    for (const words of [
      ['PUT', ...long],
      ['EVAL', "return redis.call('PUT', KEYS[1], ARGV[1])", '1', ...long],
    ] as const) {
      await using server = await startServer({ server: program, plugins: [fixturePlugin('guards')], config })
      const client = await server.client()
      // Neither wrappers' names nor others use up what is to be learnt.
      for (const name of ['_ferrite.w0', '_ferrite.n0', 'none', 'config|get']) await messageOf(client.call(name, 'x'))
      const [name, ...args] = words
      t.regex(await messageOf(client.call(name, ...args)), /TOOBIG user too large/)
      t.is(await client.exists('user:1'), 0)
    }
  },
  { since: '7.2' },
)
