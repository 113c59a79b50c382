// Hooks after commands, through a real server and unchanged clients.
import test from 'ava'
import type { Redis } from 'ioredis'
import {
  digest,
  fixturePlugin,
  forEachServer,
  messageOf,
  RawClient,
  readAof,
  shareServers,
  startServer,
  testModule,
  until,
  untilInStep,
} from '../helpers/index.js'

const modules = [await testModule('calling')]
const plugins = [fixturePlugin('observers')]
const withheld = /; the command was run, its reply is withheld$/

async function told(client: Redis): Promise<unknown> {
  return await client.call('OBSERVERS.TOLD')
}

shareServers(test, { plugins, modules, aof: true, since: '7.2' }, (it) => {
  it('told: who, where, the whole command, and what the client got', async (t, server) => {
    const client = await server.client({ db: 2 })
    await told(client)
    t.is(await client.set('told:1', 'abc'), 'OK')
    t.is(await client.get('told:1'), 'abc')
    t.is(await client.get('told:none'), null)
    await client.mset('other', '1', 'told:2', '2')
    await client.get('other')
    t.regex(await messageOf(client.lpush('told:1', 'x')), /^WRONGTYPE /)
    t.deepEqual(await told(client), [
      ['default', '2', 'resp3', 'SET', 'told:1', 'abc', '"OK"'],
      ['default', '2', 'resp3', 'GET', 'told:1', '"abc"'],
      ['default', '2', 'resp3', 'GET', 'told:none', 'null'],
      ['default', '2', 'resp3', 'MSET', 'other', '1', 'told:2', '2', '"OK"'],
      [
        'default',
        '2',
        'resp3',
        'LPUSH',
        'told:1',
        'x',
        '-WRONGTYPE Operation against a key holding the wrong kind of value',
      ],
    ])
  })

  it('told: replies are the client’s own, byte by byte, in both protocols', async (t, server) => {
    using resp2 = await RawClient.connect(server.port)
    using resp3 = await RawClient.connect(server.port, 3)
    for (const client of [resp2, resp3]) {
      await client.text('DEL', 'told:z', 'plain:z', 'told:h', 'plain:h')
      for (const prefix of ['told', 'plain']) {
        await client.text('ZADD', `${prefix}:z`, '1.5', 'a', '0.1', 'b')
        await client.text('HSET', `${prefix}:h`, 'f', 'v')
      }
      for (const command of [
        ['ZRANGE', 'z', '0', '-1', 'WITHSCORES'],
        ['ZSCORE', 'z', 'b'],
        ['HGETALL', 'h'],
        ['HRANDFIELD', 'h', '5', 'WITHVALUES'],
        ['TYPE', 'h'],
        ['EXPIRETIME', 'h'],
        ['LCS', 'none', 'told:x', 'IDX'],
        ['GET'],
      ]) {
        const [name = '', key, ...more] = command
        const words = (prefix: string): string[] => (key === undefined ? [name] : [name, `${prefix}:${key}`, ...more])
        t.is(await client.text(...words('told')), await client.text(...words('plain')), command.join(' '))
      }
    }
  })

  it('told: pipelines keep their order', async (t, server) => {
    const client = await server.client()
    await told(client)
    const pipeline = client.pipeline()
    for (let n = 0; n < 500; n++) pipeline.set('told:p', String(n)).incr('told:p')
    const replies = (await pipeline.exec())?.map(([, reply]) => reply)
    t.deepEqual(replies, Array.from({ length: 500 }, (_, n) => ['OK', n + 1]).flat())
    const seen = (await told(client)) as string[][]
    t.deepEqual(
      seen.map((each) => each.at(-1)),
      Array.from({ length: 500 }, (_, n) => ['"OK"', String(n + 1)]).flat(),
    )
  })

  it('told: a handler that throws harms nobody', async (t, server) => {
    const client = await server.client()
    t.is(await client.set('told:throws', 'x'), 'OK')
    await server.logged('an after hook failed')
    t.is(await client.set('told:after', 'x'), 'OK')
  })

  it('told: the handler acts as the plugin', async (t, server) => {
    const client = await server.client()
    await client.acl('SETUSER', 'onlyset', 'on', 'nopass', '~audited:*', '+set')
    const limited = await server.client({ username: 'onlyset', password: 'x', enableReadyCheck: false })
    await limited.set('audited:1', 'x')
    t.is(await until(async () => await client.get('audit'), { what: 'the audit' }), '1')
  })

  it('told: a sample', async (t, server) => {
    const client = await server.client()
    await client.call('OBSERVERS.SAMPLED')
    const pipeline = client.pipeline()
    for (let n = 0; n < 5000; n++) pipeline.incr('sampled:1')
    t.is((await pipeline.exec())?.at(-1)?.[1], 5000)
    const count = Number(await client.call('OBSERVERS.SAMPLED'))
    t.true(count > 300 && count < 700, `${String(count)} of 5000`) // 500, and nine standard deviations
  })

  it('MULTI: told when EXEC runs it, and waited for', async (t, server) => {
    const client = await server.client()
    await told(client)
    await client.set('secret:m', 'hidden')
    const replies = await client
      .multi()
      .set('told:m', '1')
      .incr('told:m')
      .get('secret:m')
      .lpush('told:m', 'x')
      .get('other')
      .exec()
    t.deepEqual(
      replies?.map(([error, reply]) => error?.message ?? reply),
      [
        'OK',
        2,
        ['masked', 'GET', 'for', 'default'],
        'WRONGTYPE Operation against a key holding the wrong kind of value',
        null,
      ],
    )
    t.deepEqual(
      ((await told(client)) as string[][]).map((each) => each.slice(3, -1).join(' ')),
      ['SET told:m 1', 'INCR told:m', 'LPUSH told:m x'],
    )
    await client.call('MULTI')
    await client.call('SET', 'told:discarded', '1')
    await client.call('DISCARD')
    t.deepEqual(await told(client), [], 'what was not run')
  })

  it('WATCH: a transaction that fails tells nothing', async (t, server) => {
    const [client, other] = [await server.client(), await server.client()]
    await client.watch('told:w')
    await other.set('told:w', 'changed')
    await told(client)
    t.is(await client.multi().set('told:w', 'mine').exec(), null)
    t.deepEqual(await told(client), [])
    t.is(await client.get('told:w'), 'changed')
  })

  it('scripts: told of what they call, with the script’s own replies', async (t, server) => {
    const client = await server.client()
    await told(client)
    const script = `redis.call('SET', KEYS[1], '5'); local n = redis.call('INCR', KEYS[1])
      local e = redis.pcall('LPUSH', KEYS[1], 'x'); return {n, e.err ~= nil, redis.call('GET', KEYS[1])}`
    t.deepEqual(await client.eval(script, 1, 'told:s'), [6, 1, '6'])
    t.deepEqual(
      ((await told(client)) as string[][]).map((each) => each.slice(3, 5).join(' ')),
      ['SET told:s', 'INCR told:s', 'LPUSH told:s', 'GET told:s'],
    )
    await client.set('secret:s', 'hidden')
    t.deepEqual(await client.eval("return redis.call('GET', KEYS[1])[1]", 1, 'secret:s'), 'masked')
    const readOnly = "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])"
    t.is(await client.eval(readOnly, 1, 'told:s'), '6')
  })

  it('scripts: after a command of Ferrite’s own, hooks were not told of the rest', async (t, server) => {
    const client = await server.client()
    await told(client)
    const script = "redis.call('FERRITE.EMIT', 'nobody.listens'); return redis.call('SET', KEYS[1], 'x')"
    t.is(await client.eval(script, 1, 'told:emitted'), 'OK')
    t.is(((await told(client)) as string[][]).length, 1)
  })

  it('other modules: not told of their calls, which keep to their own flags', async (t, server) => {
    const client = await server.client()
    await told(client)
    const before = (await readAof(server.folder)).length
    t.is(await client.call('CALLING.RUN', 'now', '', 'SET', 'told:o', '1'), '+OK\r\n')
    const inScript = "return redis.call('CALLING.RUN', 'now', '', 'SET', KEYS[1], '2')"
    t.is(await client.eval(inScript, 1, 'told:o'), '+OK\r\n')
    t.is(await client.set('told:mark', '1'), 'OK')
    t.deepEqual(
      ((await told(client)) as string[][]).map((each) => each.slice(3, 5).join(' ')),
      ['SET told:mark'],
    )
    const written = (await readAof(server.folder)).slice(before).filter((words) => words.includes('told:o'))
    t.deepEqual(written, [], 'a call without ! is not replicated')
  })

  it('clients with tracking: told, and no stale value', async (t, server) => {
    const client = await server.client()
    await client.set('told:t', 'old')
    using tracking = await RawClient.connect(server.port, 3)
    await tracking.text('CLIENT', 'TRACKING', 'ON')
    await told(client)
    t.is(await tracking.text('GET', 'told:t'), '$3\r\nold\r\n')
    await client.set('told:t', 'new')
    t.regex(await tracking.text('ECHO', 'x'), /invalidate[^]*told:t/)
    t.is(((await told(client)) as string[][]).length, 2)
  })

  it('subscribers: told of what RESP3 lets them run; RESP2 is left alone', async (t, server) => {
    const client = await server.client()
    using resp3 = await RawClient.connect(server.port, 3)
    await resp3.text('SUBSCRIBE', 'channel')
    await told(client)
    t.regex(await resp3.text('SET', 'told:sub', 'x'), /\+OK\r\n$/)
    t.is(((await told(client)) as string[][]).length, 1)
    const subscriber = await server.client()
    await subscriber.subscribe('channel')
    t.is(await subscriber.ping(), 'PONG')
    t.regex(await messageOf(client.call('NOSUCH')), /^ERR unknown command/)
  })

  it('wait: the reply stands, or is replaced', async (t, server) => {
    const client = await server.client()
    await client.set('secret:1', 'hidden')
    t.deepEqual(await client.call('GET', 'secret:1'), ['masked', 'GET', 'for', 'default'])
    t.is(await client.strlen('secret:1'), 6)
    using resp3 = await RawClient.connect(server.port, 3)
    t.is(await resp3.text('GET', 'secret:1'), '%2\r\n$6\r\nmasked\r\n$3\r\nGET\r\n$3\r\nfor\r\n$7\r\ndefault\r\n')
    await client.set('chain:1', 'zero')
    t.is(await client.get('chain:1'), 'zero first second', 'in the order of priority')
    t.is(await messageOf(client.incr('refused:1')), 'TOOLATE it was done')
    t.is(await client.get('refused:1'), '1', 'the command was run')
  })

  it('wait: failures withhold the reply with onFailure deny', async (t, server) => {
    const client = await server.client()
    const late = await messageOf(client.set('late:1', 'x'))
    t.regex(late, /^TIMEOUT 'hook observers\/late' did not answer in time/)
    t.regex(late, withheld)
    t.is(await client.get('late:1'), 'x')
    t.is(await client.set('lenient:1', 'x'), 'OK')
    t.regex(await messageOf(client.set('throws:1', 'x')), /^ERR hook observers\/throws failed \(id [0-9a-f]{8}\); /)
    t.regex(await messageOf(client.set('missing:1', 'x')), withheld)
    await server.logged('return result.keep() or result.replace() in every path')
  })

  it('before and after: told of the command that was run, not of one that was denied', async (t, server) => {
    const client = await server.client()
    await told(client)
    t.is(await messageOf(client.set('alias:denied', 'x')), 'NO not this one')
    t.is(await client.set('alias:both', 'x'), 'OK')
    t.is(await client.get('alias:both'), '<x>', 'a hook is waited for behind one that was asked')
    t.deepEqual(
      ((await told(client)) as string[][]).map((each) => each.slice(3).join(' ')),
      ['SET told:both x "OK"', 'GET told:both "x"'],
    )
    const replies = await client.multi().set('alias:both', 'y').get('alias:both').exec()
    t.deepEqual(
      replies?.map(([, reply]) => reply),
      ['OK', '<y>'],
    )
    t.is(((await told(client)) as string[][]).length, 2)
  })

  it('AOF: each effect once, the wrapper never', async (t, server) => {
    const client = await server.client()
    const from = (await readAof(server.folder)).length
    await client.set('told:aof', '0')
    await client.incr('told:aof')
    await client.multi().incr('told:aof').incr('told:aof').exec()
    await client.eval("redis.call('INCR', KEYS[1]); return redis.call('INCR', KEYS[1])", 1, 'told:aof')
    const words = (await readAof(server.folder))
      .slice(from)
      .map(([name = '', ...args]) => [name.toUpperCase(), ...args].join(' '))
    t.deepEqual(
      words.filter((each) => each.includes('told:aof')),
      ['SET told:aof 0', ...Array.from({ length: 5 }, () => 'INCR told:aof')],
    )
    t.false(words.some((each) => each.includes('_ferrite')))
  })

  it('FERRITE.HOOK: kinds and counts', async (t, server) => {
    const client = await server.client()
    const list = (await client.call('FERRITE.HOOK', 'LIST')) as string[][]
    const kinds = new Map(list.map((each) => [each[1], each[3]]))
    t.is(kinds.get('observers/told'), 'after')
    t.is(kinds.get('observers/mask'), 'after-wait')
    t.is(kinds.get('observers/alias'), 'before')
    await client.call('FERRITE.HOOK', 'RESET', 'observers/told')
    await client.set('told:count', '1')
    const info = (await client.call('FERRITE.HOOK', 'INFO', 'observers/told')) as unknown[]
    t.is(info[info.indexOf('asked') + 1], 1)
  })

  it('a command that cannot be observed is named in the log', async (t, server) => {
    await server.logged('hook observers/ping is never told of client|getname')
    const client = await server.client()
    await client.client('SETNAME', 'x')
    t.is(await client.client('GETNAME'), 'x')
  })
})

forEachServer(
  test,
  'after: while the host is stopped commands run, and the hook learns how many it was not told',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins, config: { 'ferrite.lane-buffer': '1mb' } })
    const client = await server.client()
    await client.set('told:0', '0')
    await told(client)
    const pid = Number(/ferrite_host_pid:(\d+)/.exec(await client.info('ferrite'))?.[1])
    process.kill(pid, 'SIGSTOP')
    const value = 'x'.repeat(100_000)
    for (let n = 0; n < 40; n++) t.is(await client.set('told:big', value), 'OK')
    process.kill(pid, 'SIGCONT')
    await until(
      async () => {
        await client.set('told:next', '1')
        const seen = (await told(client)) as string[][]
        return seen.some(([what]) => what === 'dropped')
      },
      { what: 'the hook to learn of what it missed' },
    )
    const info = (await client.call('FERRITE.HOOK', 'INFO', 'observers/told')) as unknown[]
    t.true(Number(info[info.indexOf('overloaded') + 1]) > 0)
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'after: without a host commands run, those that are waited for are withheld or stand as onFailure says',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins })
    const client = await server.client()
    await client.set('secret:1', 'hidden')
    const pid = Number(/ferrite_host_pid:(\d+)/.exec(await client.info('ferrite'))?.[1])
    process.kill(pid, 'SIGKILL')
    t.is(await client.set('told:1', 'x'), 'OK')
    const masked = await messageOf(client.get('secret:1'))
    t.regex(masked, withheld)
    t.is(await client.set('lenient:1', 'x'), 'OK')
    await until(
      async () =>
        await client.get('secret:1').then(
          () => true,
          () => false,
        ),
      { what: 'the host' },
    )
  },
  { since: '7.2' },
)

forEachServer(
  test,
  'after: replicas have what the primary has',
  async (t, program) => {
    await using primary = await startServer({ server: program, plugins })
    await using replica = await startServer({ server: program, plugins })
    await (await replica.client()).replicaof('127.0.0.1', String(primary.port))
    const client = await primary.client()
    const pipeline = client.pipeline()
    for (let n = 0; n < 300; n++) {
      pipeline.incr('told:n').lpush('told:l', String(n)).spop('told:set').sadd('told:set', String(n))
      pipeline.eval("return redis.call('INCRBYFLOAT', KEYS[1], '0.1')", 1, 'told:f')
      pipeline.call('MULTI').incr('told:n').set('told:px', 'x', 'PX', '100000').call('EXEC')
    }
    await pipeline.exec()
    await untilInStep(primary, replica)
    t.is(await digest(replica), await digest(primary))
    t.is(await client.get('told:n'), '600')
  },
  { since: '7.2' },
)
