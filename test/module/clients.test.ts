// The client libraries that people use, as they come: what they make of replies, arguments, pipelines and crowds.
import { createHash } from 'node:crypto'
import test from 'ava'
import { Redis as Redis5 } from 'ioredis5'
import { createClient } from 'redis'
import { fixturePlugin, messageOf, RawClient, shareServers, until } from '../helpers/index.js'

const isLong = process.env['FERRITE_LONG'] === '1'
const plugins = ['types', 'arguments', 'counters', 'slow'].map(fixturePlugin)
const config = { 'ferrite.max-inflight': 100_000, maxclients: 20_000 }

const binary = Buffer.from([0, 0xff, 0xfe, 13, 10, 0x80, 0xc3, 0x28])
const size = 64 * 10 ** 6
const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

shareServers(test, { plugins, config }, (it) => {
  it('ioredis 6: RESP3 shapes', async (t, server) => {
    const client = await server.client({ protocol: 3, replyMapping: 'resp3' } as object)
    const ask = (kind: string): Promise<unknown> => client.call('TYPES.REPLY', kind)
    t.deepEqual(await ask('map'), { a: 1, b: 'two' })
    t.is(await ask('null'), null)
    t.is(await ask('double'), 1.5)
    t.is(await ask('inf'), Infinity)
    t.is(await ask('true'), true)
    t.deepEqual(await ask('array'), ['a', 1, null, true])
    t.is(await ask('verbatim'), 'some text')
    t.deepEqual(await ask('maps-in-maps'), { a: { b: { c: [{ d: [1.5] }] } } })
  })

  it('ioredis 6: RESP2 shapes', async (t, server) => {
    const client = await server.client({ protocol: 2 } as object)
    t.deepEqual(await client.call('TYPES.REPLY', 'map'), ['a', 1, 'b', 'two'])
    t.is(await client.call('TYPES.REPLY', 'double'), '1.5')
    t.is(await client.call('TYPES.REPLY', 'true'), 1)
    t.is(await client.call('TYPES.REPLY', 'null'), null)
    t.is(await client.call('TYPES.REPLY', 'big-number'), `1${'0'.repeat(30)}`)
  })

  it('ioredis 6: errors have their code, also inside arrays', async (t, server) => {
    const client = await server.client()
    t.is(await messageOf(client.call('TYPES.REPLY', 'error')), 'NOTFOUND no such thing')
    const items = (await client.call('TYPES.REPLY', 'error-item')) as unknown[]
    t.is(items.length, 3)
    t.regex(String(items[1]), /NOTFOUND no such item/)
  })

  it('ioredis 6: buffers in and out', async (t, server) => {
    const client = await server.client()
    t.deepEqual(await client.callBuffer('TYPES.ECHO', binary), binary)
    t.deepEqual(await client.callBuffer('TYPES.ECHO', ''), Buffer.alloc(0))
  })

  it('ioredis 6: a pipeline of native and plugin commands keeps its order', async (t, server) => {
    const client = await server.client()
    const pipeline = client.pipeline()
    for (let n = 0; n < 200; n++)
      pipeline.set('k', n).call('COUNTER.PEEK', 'k').call('COUNTER.ADD', 'k', '1000').get('k')
    const replies = (await pipeline.exec()) ?? []
    const expected = Array.from({ length: 200 }, (_, n) => ['OK', n, n + 1000, String(n + 1000)]).flat()
    t.deepEqual(
      replies.map(([error, reply]) => error?.message ?? reply),
      expected,
    )
  })

  it('ioredis 5: shapes, errors, buffers and pipelines', async (t, server) => {
    const client = new Redis5({ port: server.port, retryStrategy: null })
    t.teardown(() => client.disconnect())
    t.deepEqual(await client.call('TYPES.REPLY', 'map'), ['a', 1, 'b', 'two'])
    t.is(await client.call('TYPES.REPLY', 'double'), '1.5')
    t.is(await client.call('TYPES.REPLY', 'null'), null)
    t.is(await messageOf(client.call('TYPES.REPLY', 'error')), 'NOTFOUND no such thing')
    t.deepEqual(await client.callBuffer('TYPES.ECHO', binary), binary)
    const replies = await client.pipeline().call('COUNTER.ADD', 'k', '1').get('k').call('COUNTER.INCR', 'k').exec()
    t.deepEqual(replies, [
      [null, 1],
      [null, '1'],
      [null, 2],
    ])
    t.deepEqual(await client.multi().call('COUNTER.ADD', 'k', '1').get('k').exec(), [
      [null, 3],
      [null, '3'],
    ])
  })

  for (const resp of [2, 3] as const) {
    it(`node-redis: shapes, errors and transactions in RESP${String(resp)}`, async (t, server) => {
      const client = createClient({ url: `redis://127.0.0.1:${String(server.port)}`, RESP: resp })
      await client.connect()
      t.teardown(() => client.destroy())
      const ask = (...words: string[]): Promise<unknown> => client.sendCommand(words)
      t.deepEqual(
        JSON.parse(JSON.stringify(await ask('TYPES.REPLY', 'map'))),
        resp === 3 ? { a: 1, b: 'two' } : ['a', 1, 'b', 'two'],
      )
      t.is(await ask('TYPES.REPLY', 'null'), null)
      t.is(await ask('TYPES.REPLY', 'true'), resp === 3 ? true : 1)
      t.is(await messageOf(ask('TYPES.REPLY', 'error')), 'NOTFOUND no such thing')
      const replies = await client.multi().set('k', '5').addCommand(['COUNTER.ADD', 'k', '1']).get('k').exec()
      t.deepEqual(replies.map(String), ['OK', '6', '6'])
      const several = await Promise.all([
        client.set('k', '1'),
        ask('COUNTER.ADD', 'k', '1'),
        client.get('k'),
        ask('COUNTER.INCR', 'k'),
      ])
      t.deepEqual(several, ['OK', 2, '2', 3])
    })
  }

  it('redis-cli: prints replies in both protocols, and errors', async (t, server) => {
    t.is(await server.cli('TYPES.REPLY', 'string'), 'hello')
    t.is(await server.cli('-2', '--no-raw', 'TYPES.REPLY', 'map'), '1) "a"\n2) (integer) 1\n3) "b"\n4) "two"')
    t.is(await server.cli('-3', '--no-raw', 'TYPES.REPLY', 'map'), '1# "a" => (integer) 1\n2# "b" => "two"')
    t.is(await server.cli('-3', '--no-raw', 'TYPES.REPLY', 'double'), '(double) 1.5')
    t.is(await server.cli('-3', '--no-raw', 'TYPES.REPLY', 'true'), '(true)')
    t.is(await server.cli('-3', '--no-raw', 'TYPES.REPLY', 'null'), '(nil)')
    t.regex(await server.cli('--no-raw', 'TYPES.REPLY', 'error'), /\(error\) NOTFOUND no such thing/)
  })

  it('keys and values: any bytes, empty ones too', async (t, server) => {
    const client = await server.client()
    for (const [key, value] of [
      [binary, binary],
      [Buffer.alloc(0), Buffer.alloc(0)],
      [Buffer.from([0]), Buffer.from('x')],
    ] as const) {
      t.is(await client.call('ARGS.PUT', key, value), 'OK')
      t.deepEqual(await client.getBuffer(key), value)
      t.deepEqual(await client.callBuffer('ARGS.FETCH', key), value)
    }
    t.is(await client.dbsize(), 3)
  })

  it('keys and values: a `string` refuses invalid UTF-8 and names the argument, a `buffer` takes it', async (t, server) => {
    const client = await server.client()
    t.regex(
      await messageOf(client.call('ARGS.STRING', Buffer.from([0x61, 0xff]))),
      /^ERR argument 'text' must be text in UTF-8, got 'a\\xff'$/,
    )
    t.regex(
      await messageOf(client.call('ARGS.KEY', Buffer.from([0xff]))),
      /^ERR argument 'key' must be a key in UTF-8, got '\\xff'$/,
    )
    t.deepEqual(await client.callBuffer('ARGS.BUFFER', Buffer.from([0xff])), [1, 1, Buffer.from([0xff])])
    t.deepEqual(await client.call('ARGS.STRING', 'grüße €'), ['string', 'grüße €'])
  })

  it('arguments: every kind reaches its handler', async (t, server) => {
    const client = await server.client()
    const ask = (...words: readonly (string | number)[]): Promise<unknown> =>
      client.call(String(words[0]), ...words.slice(1))
    t.deepEqual(await ask('ARGS.INTEGER', '-10'), ['number', -10])
    // ioredis loses the last digit of larger numbers; reply-bytes.test.ts has them.
    t.deepEqual(await ask('ARGS.INTEGER', '4503599627370497'), ['number', 2 ** 52 + 1])
    t.deepEqual(await ask('ARGS.BIGINT', '-4503599627370497'), ['bigint', -(2 ** 52) - 1])
    t.deepEqual(await ask('ARGS.FLOAT', '-1.5e3'), ['number', '-1500'])
    t.is(await ask('ARGS.ENUM', 'FAST'), 'fast')
    t.deepEqual(await ask('ARGS.KEY', 'k'), ['string', 'k'])
    t.deepEqual(await ask('ARGS.REPEATED', 1, 2, 3), [1, 2, 3])
    t.deepEqual(await ask('ARGS.TOKENS', 'GET', 'a', 'get', 'b'), ['a', 'b'])
    t.deepEqual(await ask('ARGS.KEYS', 'a', 'b'), ['a', 'b'])
    t.deepEqual(await ask('ARGS.NUMKEYS', 2, 'a', 'b'), [['a', 'b'], null])
    t.deepEqual(await ask('ARGS.NUMKEYS', 1, 'a', 'b', 'c'), [['a'], ['b', 'c']])
    t.deepEqual(await client.callBuffer('ARGS.NUMKEYSBUFFER', 1, binary), [binary])
  })

  it('arguments: options in any order, with defaults, blocks and choices', async (t, server) => {
    const client = await server.client({ protocol: 3, replyMapping: 'resp3' } as object)
    const ask = (...words: string[]): Promise<unknown> => client.call('ARGS.OPTIONS', ...words)
    const none = { name: 'n', force: false, count: 10, label: null, range: null, ttl: null }
    t.deepEqual(await ask('n'), none)
    t.deepEqual(await ask('n', 'FORCE', 'COUNT', '3'), { ...none, force: true, count: 3 })
    t.deepEqual(await ask('n', 'px', '5', 'label', 'l', 'RANGE', '1', '2', 'force'), {
      ...none,
      force: true,
      label: 'l',
      range: [1, 2],
      ttl: ['px', 5],
    })
    t.deepEqual(await ask('n', 'EX', '7'), { ...none, ttl: ['ex', 7] })
  })

  it('arguments: what is wrong is said with the name of the argument', async (t, server) => {
    const client = await server.client()
    const ask = (...words: string[]): Promise<string> => messageOf(client.call(words[0] ?? '', ...words.slice(1)))
    t.regex(await ask('ARGS.INTEGER', 'x'), /^ERR argument 'value' must be an integer ≥ -10, got 'x'$/)
    t.regex(await ask('ARGS.INTEGER', '-11'), /got '-11'$/)
    t.regex(await ask('ARGS.INTEGER', '9007199254740993'), /^ERR argument 'value'/)
    t.regex(await ask('ARGS.BIGINT', '9223372036854775808'), /^ERR argument 'value' must be a 64-bit integer/)
    t.regex(await ask('ARGS.FLOAT', 'nan'), /^ERR argument 'value' must be a finite number/)
    t.regex(await ask('ARGS.ENUM', 'medium'), /^ERR argument 'mode' must be one of fast, slow, got 'medium'$/)
    t.regex(await ask('ARGS.OPTIONS', 'n', 'COUNT'), /^ERR /)
    t.regex(await ask('ARGS.OPTIONS', 'n', 'NONSENSE'), /^ERR /)
    t.regex(await ask('ARGS.OPTIONS', 'n', 'EX', '1', 'PX', '1'), /^ERR /)
    t.regex(await ask('ARGS.REPEATED', '1', '2', '3', '4', '5'), /^ERR /)
    t.regex(await ask('ARGS.NUMKEYS', '3', 'a'), /^ERR /)
  })

  it('size: an argument and a reply of 64 MB', async (t, server) => {
    const client = await server.client()
    const bytes = Buffer.alloc(size, Buffer.from(Array.from({ length: 251 }, (_, n) => n)))
    t.deepEqual(await client.callBuffer('ARGS.BUFFER', bytes.subarray(0, 10)), [1, 10, bytes.subarray(0, 10)])
    // lane-buffer is 64 MiB: an argument of 64 * 10^6 bytes just fits.
    t.is(hash((await client.callBuffer('TYPES.ECHO', bytes)) as Buffer), hash(bytes))
    const reply = (await client.callBuffer('TYPES.BYTES', String(size))) as Buffer
    t.is(reply.length, size)
    t.is(reply[size - 1], (size - 1) % 256)
  })

  it('size: a value of 64 MB through a commit and a declared read', async (t, server) => {
    const client = await server.client()
    const bytes = Buffer.alloc(size, 'ab')
    t.is(await client.call('ARGS.PUT', 'big', bytes), 'OK')
    t.is(await client.strlen('big'), size)
    t.is(hash((await client.callBuffer('ARGS.FETCH', 'big')) as Buffer), hash(bytes))
  })

  it('size: what goes beyond ferrite.lane-buffer is refused at once, and the connection lives', async (t, server) => {
    const [busy, first, second] = [await server.client(), await server.client(), await server.client()]
    await first.config('SET', 'ferrite.lane-buffer', '1mb')
    const gate = 'x'.repeat(2 * 2 ** 20)
    const done = busy.call('SLOW.BUSY', '3000')
    await until(async () => (await first.info('ferrite')).includes('ferrite_inflight:1'))
    const waits = first.call('SLOW.WAIT', gate)
    await until(async () => Number(/ferrite_queued_bytes:(\d+)/.exec(await second.info('ferrite'))?.[1]) > 2 ** 20)
    t.regex(await messageOf(second.call('SLOW.WAIT', gate)), /^OVERLOADED/)
    t.is(await second.call('TYPES.ECHO', 'x'), 'x', 'other lanes have room')
    await done
    await until(async () => (await second.call('SLOW.OPEN', gate)) === 1)
    t.is(await waits, `passed ${gate}`)
    await second.config('SET', 'ferrite.lane-buffer', '64mb')
  })

  it('crowd: concurrent clients each get their own reply', async (t, server) => {
    const count = isLong ? 10_000 : 1000
    const clients = await Promise.all(Array.from({ length: count }, () => RawClient.connect(server.port)))
    t.teardown(() => clients.forEach((client) => client[Symbol.dispose]()))
    const rounds = 3
    for (let round = 0; round < rounds; round++) {
      const replies = await Promise.all(
        clients.map((client, n) => client.text('TYPES.ECHO', `c${String(n)}r${String(round)}`)),
      )
      const wrong = replies.filter((reply, n) => !reply.endsWith(`\r\nc${String(n)}r${String(round)}\r\n`))
      t.deepEqual(wrong, [])
    }
    t.log(`${String(count)} clients, ${String(rounds)} rounds`)
    const client = await server.client()
    await until(async () => (await client.info('ferrite')).includes('ferrite_inflight:0'))
  })

  it('crowd: pipelines of many clients at once keep their order', async (t, server) => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => RawClient.connect(server.port)))
    t.teardown(() => clients.forEach((client) => client[Symbol.dispose]()))
    const ask = async (client: RawClient, n: number): Promise<boolean> => {
      const words = Array.from({ length: 100 }, (_, i) => `${String(n)}-${String(i)}`)
      const commands = words.map((word, i) => [i % 3 === 0 ? 'ECHO' : 'TYPES.ECHO', word])
      const expected = words.map((word) => `$${String(word.length)}\r\n${word}\r\n`).join('')
      return (await client.askAll(...commands)).toString() === expected
    }
    t.false((await Promise.all(clients.map(ask))).includes(false))
  })
})
