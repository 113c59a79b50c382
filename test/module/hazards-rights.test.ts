// Nobody gains a right by hooks, and nobody loses one: wrappers, ACL users, passwords.
import test, { type ExecutionContext } from 'ava'
import {
  fixturePlugin,
  forEachServer,
  messageOf,
  RawClient,
  shareTwins,
  startServer,
  testModule,
  type TestServer,
  type Twins,
  type Words,
} from '../helpers/index.js'

const plugins = ['passing', 'scripted'].map(fixturePlugin)
const modules = [await testModule('calling')]

async function wrapperNames(server: TestServer): Promise<string[]> {
  const client = await server.client()
  return ((await client.call('COMMAND', 'LIST')) as string[]).filter((name) => name.startsWith('_ferrite.'))
}

/** What a user of an ACL gets for commands, on both servers: the same. */
async function sameFor(
  t: ExecutionContext,
  twins: Twins,
  rules: readonly string[],
  ...commands: Words[]
): Promise<string> {
  return await twins.same(
    t,
    async (server) => {
      await server.cli('acl', 'setuser', 'bob', 'reset', 'on', '>pw', ...rules)
      await server.cli('acl', 'log', 'reset')
      using bob = await RawClient.connect(server.port)
      const got = await bob.askAll(['AUTH', 'bob', 'pw'], ...commands)
      const client = await server.client()
      const log = (await client.call('ACL', 'LOG')) as unknown[][]
      const entries = log.map((entry) => [1, 3, 5, 7, 9].map((at) => entry[at]))
      return JSON.stringify([got.toString(), entries])
    },
    rules.join(' '),
  )
}

/** Reads and writes alone, in MULTI, in scripts and on channels. */
const commands: readonly Words[] = [
  ...[
    ['SET', 'own:1', 'v'],
    ['GET', 'own:1'],
    ['SET', 'other:1', 'v'],
    ['GET', 'other:1'],
    ['MGET', 'own:1', 'other:1'],
    ['INCR', 'own:n'],
  ],
  ...[
    ['COPY', 'own:1', 'own:2'],
    ['COPY', 'other:1', 'own:2'],
    ['COPY', 'own:1', 'other:2'],
    ['CONFIG', 'GET', 'hz'],
    ['CONFIG', 'SET', 'hz', '10'],
  ],
  ...[
    ['MULTI'],
    ['SET', 'own:1', '2'],
    ['GET', 'own:1'],
    ['EXEC'],
    ['MULTI'],
    ['SET', 'other:1', '2'],
    ['EXEC'],
    ['DBSIZE'],
    ['FLUSHALL'],
  ],
  ...[
    ['EVAL', "return redis.call('SET', 'own:1', 'x')", '0'],
    ['EVAL', "return redis.pcall('SET', 'other:1', 'x')", '0'],
    ['PUBLISH', 'own', 'x'],
  ],
  ...[
    ['PUBLISH', 'other', 'x'],
    ['SORT', 'own:l', 'BY', 'other:*'],
    ['BLPOP', 'own:l', '0.001'],
    ['BLPOP', 'other:l', '0.001'],
    ['ACL', 'WHOAMI'],
  ],
  ...[
    ['SETRANGE', 'own:1', '0', ''],
    ['GETEX', 'own:1'],
    ['GETEX', 'own:1', 'PERSIST'],
    ['XREAD', 'STREAMS', 'own:x', 'other:x', '0', '0'],
    ['KEYS', '*'],
  ],
]

shareTwins(test, { plugins, modules, since: '7.2' }, (it, program) => {
  for (const [what, rules] of Object.entries({
    'everything but some': ['+@all', '-config', '-flushall', '-acl|whoami', '~own:*', '&own'],
    'some commands': ['+echo', '+set', '+get', '+multi', '+exec', '+config|get', '~own:*', '&own'],
    categories: ['+@read', '+@connection', '+@transaction', '~*'],
    'keys to read and to write': ['+@all', '%R~own:*', '%W~other:*', '&*'],
    selectors: [
      '+echo',
      '+get',
      '~own:*',
      '(+set ~other:*)',
      '(+@write %W~own:* %R~other:*)',
      '+multi',
      '+exec',
      '+eval',
    ],
    'all but scripts': ['+@all', '-@scripting', '~*', '&*'],
    'nothing much': ['+echo', '~*'],
    everything: ['+@all', '~*', '&*'],
  })) {
    it(`ACL: a user with rights to ${what} can and cannot do what he could without hooks`, async (t, twins) => {
      await sameFor(t, twins, rules, ...commands.filter(([name]) => name !== 'KEYS'))
    })
  }

  it('ACL: no user is given a right by the module', async (t, twins) => {
    const listed = await twins.same(t, async (server) => {
      const client = await server.client()
      await client.call('ACL', 'SETUSER', 'bob', 'reset', 'on', '>pw', '+get', '~own:*')
      const bob = await server.client({ username: 'bob', password: 'pw', enableReadyCheck: false })
      await messageOf(bob.get('own:1'))
      const list = (await client.call('ACL', 'LIST')) as string[]
      return [list.filter((line) => /^user (bob|default) /.test(line)), await client.call('ACL', 'GETUSER', 'bob')]
    })
    t.false(JSON.stringify(listed).includes('ferrite'))
  })

  it('wrappers: nobody can run one, whatever he may, in whatever way', async (t, twins) => {
    const server = twins.hooked
    const names = await wrapperNames(server)
    t.true(names.length > 20)
    await server.cli('acl', 'setuser', 'bob', 'reset', 'on', '>pw', '+@all', '-set', '~*', '&*')
    await server.cli('acl', 'setuser', 'eve', 'reset', 'on', '>pw', '+@all', '~own:*', '&*')
    using bob = await RawClient.connect(server.port)
    using eve = await RawClient.connect(server.port)
    await bob.ask('AUTH', 'bob', 'pw')
    await eve.ask('AUTH', 'eve', 'pw')
    for (const name of names) {
      for (const word of [[], ['x'.repeat(16)], ['x'.repeat(32)], ['']]) {
        const words = [name, ...word, 'SET', 'other', 'stolen']
        for (const client of [bob, eve]) {
          t.regex(await client.text(...words), /^-(ERR|NOPERM)/, name)
          t.regex((await client.askAll(['MULTI'], words, ['EXEC'])).toString(), /\n-/, name)
          t.regex(await client.text('EVAL', 'return redis.call(unpack(ARGV))', '0', ...words), /^-/, name)
        }
        const admin = await server.client()
        for (const way of ['now', 'timer', 'thread', 'detached'])
          t.regex(String(await admin.call('CALLING.RUN', way, '!E', ...words)), /^-|errno/, name)
        t.regex(await messageOf(admin.call('FERRITE.CALL', ...words)), /^(ERR|NOPERM)/)
      }
    }
    t.is(await server.cli('exists', 'other'), '0')
    t.is(server.exit, undefined)
  })

  it('wrappers: no word that any client is shown opens one', async (t, twins) => {
    const server = twins.hooked
    const admin = await server.client()
    await admin.config('SET', 'slowlog-log-slower-than', '0')
    await admin.config('SET', 'latency-monitor-threshold', '1')
    const monitor = await admin.monitor()
    const seen = new Set<string>()
    monitor.on('monitor', (_time: string, words: string[]) => words.forEach((word) => seen.add(word)))
    await admin.call('ACL', 'SETUSER', 'bob', 'reset', 'on', '>pw', '+@all', '~own:*', '&*')
    using bob = await RawClient.connect(server.port)
    await bob.askAll(['AUTH', 'bob', 'pw'], ...commands.filter(([name]) => name !== 'FLUSHALL'))
    const texts = [
      ...[
        ['SLOWLOG', 'GET', '-1'],
        ['CLIENT', 'LIST'],
        ['ACL', 'LOG'],
        ['INFO', 'everything'],
        ['LATENCY', 'DOCTOR'],
        ['FERRITE.HOOK', 'LIST'],
      ],
      ...[['COMMAND', 'DOCS'], ['FERRITE.INFO'], ['MODULE', 'LIST'], ['CONFIG', 'GET', '*']],
    ].map(async ([name = '', ...args]) => JSON.stringify(await admin.call(name, ...args).catch(() => '')))
    for (const text of await Promise.all(texts)) for (const word of text.split(/[\s",:=[\]]+/)) seen.add(word)
    monitor.disconnect()
    await admin.config('SET', 'slowlog-log-slower-than', '-1')
    await admin.flushall()
    const [first = ''] = (await wrapperNames(server)).filter((name) => name.startsWith('_ferrite.n'))
    const tries = [...seen].filter((word) => word.length < 100).map((word) => [first, word, 'SET', 'other', 'stolen'])
    t.true(tries.length > 100)
    for (let at = 0; at < tries.length; at += 500) await bob.askAll(...tries.slice(at, at + 500))
    t.is(await admin.exists('other'), 0)
  })

  it('AUTH and HELLO: no hook gets their words, other commands that name a user are hooked', async (t, twins) => {
    const admin = await twins.hooked.client()
    await admin.call('PASSING.SEEN')
    await admin.call('ACL', 'SETUSER', 'bob', 'reset', 'on', '>hunter2', '+@all', '~*', '&*')
    using client = await RawClient.connect(twins.hooked.port)
    await client.askAll(
      ...[
        ['AUTH', 'hunter2'],
        ['AUTH', 'bob', 'hunter2'],
        ['HELLO', '3', 'AUTH', 'bob', 'hunter2', 'SETNAME', 'x'],
        ['auth', 'bob', 'hunter2'],
      ],
      ...[['Hello', '2', 'auth', 'bob', 'hunter2'], ['MULTI'], ['AUTH', 'bob', 'hunter2'], ['EXEC'], ['PING']],
      ['EVAL', "return redis.pcall('AUTH', 'bob', 'hunter2')", '0'],
    )
    const seen = (await admin.call('PASSING.SEEN')) as string[][]
    t.true(seen.some(([user, name]) => user === 'bob' && name === 'PING'))
    t.false(seen.some(([, name]) => name === 'AUTH' || name === 'HELLO'))
    await admin.call('ACL', 'DELUSER', 'bob')
  })

  it('AUTH in a pipeline: each command is asked about, and run, as the user of its time', async (t, twins) => {
    const commands: Words[] = [
      ...[
        ['SET', 'a', '1'],
        ['AUTH', 'bob', 'pw'],
        ['SET', 'a', '2'],
        ['SET', 'own:1', '2'],
        ['AUTH', 'eve', 'pw'],
        ['GET', 'own:1'],
        ['GET', 'a'],
      ],
      ...[
        ['RESET'],
        ['GET', 'a'],
        ['HELLO', '3', 'AUTH', 'bob', 'pw'],
        ['SET', 'a', '3'],
        ['GET', 'own:1'],
        ['AUTH', 'bob', 'wrong'],
        ['SET', 'own:1', '4'],
      ],
    ]
    await twins.same(t, async (server) => {
      await server.cli('acl', 'setuser', 'bob', 'reset', 'on', '>pw', '+@all', '~own:*')
      await server.cli('acl', 'setuser', 'eve', 'reset', 'on', '>pw', '+get', '+auth', '+reset', '~a')
      using client = await RawClient.connect(server.port)
      const got = (await client.askAll(...commands)).toString()
      await server.cli('acl', 'deluser', 'bob', 'eve')
      // Which modules there are is in the reply to HELLO.
      return got.replace(/%7\r\n[^]*?(?=-NOPERM)/, '<hello>')
    })
    const admin = await twins.hooked.client()
    const seen = (await admin.call('PASSING.SEEN')) as string[][]
    t.true(program.name !== '' && seen.some(([user, name, key]) => user === 'bob' && name === 'SET' && key === 'own:1'))
    t.false(seen.some(([user, name, key]) => user === 'bob' && name === 'SET' && key === 'a'))
  })
})

for (const how of ['requirepass', 'off'] as const) {
  forEachServer(
    test,
    `clients that have not logged in (${how}) reach no plugin, in any way`,
    async (t, program) => {
      await using server = await startServer({ server: program, plugins })
      const admin = await server.client()
      await admin.call('ACL', 'SETUSER', 'admin', 'on', '>pw', '+@all', '~*', '&*')
      const client = await server.client({ username: 'admin', password: 'pw' })
      if (how === 'off') await client.call('ACL', 'SETUSER', 'default', 'off')
      else await client.config('SET', 'requirepass', 'secret')
      await client.call('PASSING.SEEN')
      using stranger = await RawClient.connect(server.port)
      const asked: Words[] = [
        ...[
          ['SET', 'k', 'v'],
          ['GET', 'k'],
          ['MULTI'],
          ['SET', 'k', 'v'],
          ['EXEC'],
          ['EVAL', 'return 1', '0'],
          ['CONFIG', 'GET', 'hz'],
        ],
        ...[
          ['CLIENT', 'LIST'],
          ['SUBSCRIBE', 'c'],
          ['PASSING.SEEN'],
          ['FERRITE.HOOK', 'LIST'],
          ['FERRITE.CALL', 'PASSING.SEEN'],
          ['none'],
        ],
        ...(await wrapperNames(server).catch(() => [])).map((name) => [name, 'x', 'SET', 'k', 'v']),
      ]
      stranger.send(...asked, ['QUIT'])
      await stranger.closed
      const seen = (await client.call('PASSING.SEEN')) as string[][]
      t.deepEqual(
        seen.filter(([user]) => user !== 'admin'),
        [],
      )
      t.is(await client.exists('k'), 0)
    },
    { since: '7.2' },
  )
}
