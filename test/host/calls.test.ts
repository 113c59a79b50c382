import test from 'ava'
import { RespError, RespMap, type RespValue } from '#lib/bridge/resp.js'
import { command, definePlugin, type CommandContext } from 'ferrite-plugins/sdk'
import { hostPlugin, type LaneHost } from './lane-host.js'
import type { ExecutionContext } from 'ava'

/** Runs a handler once and gives what it returned; CALLs are answered by `answers`, by the command's name. */
async function calling(
  t: ExecutionContext,
  handler: (ctx: CommandContext) => unknown,
  answers: Record<string, RespValue> = {},
  refusal?: RespError,
): Promise<{ host: LaneHost; result: unknown; reply: RespValue; outcome: number }> {
  let result: unknown
  const definition = definePlugin({
    name: 'caller',
    commands: {
      'T.RUN': command({
        summary: 'A test',
        handler: async (ctx) => {
          result = await handler(ctx)
          return 'done'
        },
      }),
    },
  })
  const host = await hostPlugin(t, definition)
  host.peer.refusal = refusal
  host.peer.onCall = ([name = '']) => answers[name] ?? null
  const { reply, outcome } = await host.lane.invoke('T.RUN', [], { db: 2 })
  return { host, result, reply, outcome }
}

const bulk = (text: string): Buffer => Buffer.from(text)
const sent = (host: LaneHost) => host.lane.all('CALL').map(({ commands }) => commands.map((argv) => argv.map(String)))

test('calls: ctx.redis has the methods, arguments and replies of ioredis', async (t) => {
  const { host, result } = await calling(
    t,
    async (ctx) => [
      await ctx.redis.set('k', 1, 'EX', 10),
      await ctx.redis.get('k'),
      await ctx.redis.getBuffer('k'),
      await ctx.redis.hset('h', { a: 1, b: 'x' }),
      await ctx.redis.hgetall('h'),
      await ctx.redis.mget(['a', 'b']),
      await ctx.redis.incr('n'),
      await ctx.redis.get('missing-is-null').then((value) => value),
      await ctx.redis.call('ECHO', 'hi'),
    ],
    {
      SET: 'OK',
      GET: bulk('größe'),
      HSET: 2,
      HGETALL: [bulk('a'), bulk('1'), bulk('b'), bulk('x')],
      MGET: [bulk('1'), null],
      INCR: 7,
      ECHO: bulk('hi'),
    },
  )
  t.deepEqual(result, ['OK', 'größe', bulk('größe'), 2, { a: '1', b: 'x' }, ['1', null], 7, 'größe', 'hi'])
  t.deepEqual(sent(host)[0], [['SET', 'k', '1', 'EX', '10']])
  t.deepEqual(sent(host)[3], [['HSET', 'h', 'a', '1', 'b', 'x']])
})

test('calls: they are made on behalf of the request, as the plugin only when asked', async (t) => {
  const { host } = await calling(t, async (ctx) => {
    await ctx.redis.get('k')
    await ctx.asPlugin.redis.get('k')
    await ctx.call('GET', 'k')
    await ctx.asPlugin.call('GET', 'k')
  })
  const calls = host.lane.all('CALL')
  t.deepEqual(
    calls.map(({ flags }) => flags),
    [0, 4, 1, 5],
  )
  t.true(calls.every(({ requestId, plugin, db }) => requestId === 1 && plugin === 'caller' && db === 2))
})

test('calls: an error reply rejects with the code of the server, and passes to the client when nobody catches it', async (t) => {
  const { result } = await calling(t, (ctx) => ctx.redis.lpush('k', 'x').catch((error: unknown) => error), {
    LPUSH: new RespError('WRONGTYPE', 'no list'),
  })
  t.like(result, { name: 'ReplyError', code: 'WRONGTYPE', message: 'WRONGTYPE no list' })
  const { reply, outcome } = await calling(t, (ctx) => ctx.call('GET', 'k'), { GET: new RespError('NOPERM', 'no') })
  t.deepEqual([outcome, reply], [1, new RespError('NOPERM', 'no')])
})

test('calls: ctx.call is binary and typed as RESP3', async (t) => {
  const value = new RespMap([[bulk('a'), 0.5]])
  const { host, result } = await calling(t, (ctx) => ctx.call('HGETALL', Buffer.from('ff00', 'hex'), 5), {
    HGETALL: value,
  })
  t.deepEqual(result, value)
  t.deepEqual(host.lane.all('CALL')[0]?.commands, [[bulk('HGETALL'), Buffer.from('ff00', 'hex'), bulk('5')]])
})

test('calls: a pipeline is one call, a transaction one atomic call, with error and reply of each command', async (t) => {
  const { host, result } = await calling(
    t,
    async (ctx) => [
      await ctx.redis.pipeline().set('a', '1').incr('a').hgetall('h').exec(),
      await ctx.redis.multi().getBuffer('a').get('b').exec(),
      await ctx.redis.pipeline().exec(),
    ],
    { SET: 'OK', INCR: new RespError('ERR', 'not an integer'), HGETALL: [bulk('f'), bulk('v')], GET: bulk('x') },
  )
  const [pipeline, multi, empty] = result as [[Error | null, unknown][], [Error | null, unknown][], unknown[]]
  t.deepEqual([pipeline[0], pipeline[2]], [[null, 'OK'], [null, { f: 'v' }]]) // prettier-ignore
  t.like(pipeline[1]?.[0], { code: 'ERR', message: 'ERR not an integer' })
  t.deepEqual(multi, [[null, bulk('x')], [null, 'x']]) // prettier-ignore
  t.deepEqual(empty, [])
  t.deepEqual(
    host.lane.all('CALL').map(({ flags, commands }) => [flags, commands.length]),
    [
      [0, 3],
      [2, 2],
    ],
  )
})

test('calls: a refusal of the whole call rejects it', async (t) => {
  const refusal = new RespError('NOPERM', 'not yours')
  const { result } = await calling(
    t,
    (ctx) =>
      Promise.all(
        [ctx.redis.multi().set('a', '1').exec(), ctx.redis.get('x'), ctx.call('GET', 'x')].map((call) =>
          call.catch((error: unknown) => error),
        ),
      ),
    {},
    refusal,
  )
  for (const error of result as unknown[]) t.like(error, { code: 'NOPERM', text: 'not yours' })
})

test('calls: commands that need a connection of their own are refused with what to do instead', async (t) => {
  const names = [
    'subscribe',
    'psubscribe',
    'ssubscribe',
    'monitor',
    'select',
    'auth',
    'hello',
    'quit',
    'watch',
    'client',
    'reset',
  ]
  const { host, result } = await calling(t, (ctx) =>
    Promise.all(names.map((name) => ctx.redis.call(name, '1').catch((error: unknown) => error))),
  )
  for (const error of result as unknown[]) t.like(error, { code: 'FERRITE_CALL_REFUSED' })
  t.is(host.lane.all('CALL').length, 0)
})

test('calls: an argument that cannot be sent is named', async (t) => {
  const { result } = await calling(t, (ctx) =>
    ctx.call('SET', 'k', undefined as never).catch((error: unknown) => error),
  )
  t.like(result, { code: 'FERRITE_CALL_ARGUMENT' })
  t.regex((result as Error).message, /argument 2 of SET is undefined/)
})

test('calls: what is open when the lane ends is rejected', async (t) => {
  let outcome: unknown
  const definition = definePlugin({
    name: 'caller',
    commands: {
      'T.RUN': command({
        summary: 'A test',
        handler: async (ctx) => {
          outcome = await ctx.redis.get('k').catch((error: unknown) => error)
          return 1
        },
      }),
    },
  })
  const { peer, lane, own } = await hostPlugin(t, definition)
  peer.holdsCalls = true
  lane.send(lane.invokeOf('T.RUN', []))
  await lane.next('CALL')
  lane.end()
  await own.closed
  await new Promise((resolve) => setImmediate(resolve))
  t.like(outcome, { code: 'FERRITE_LANE_CLOSED' })
})
