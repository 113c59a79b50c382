import test from 'ava'
import { setTimeout as delay } from 'node:timers/promises'
import { RespError, RespMap, RespSlot } from '#lib/bridge/resp.js'
import { arg, before, command, definePlugin, PluginError, read, type CommitResult } from 'ferrite-plugins/sdk'
import { until } from '../helpers/until.js'
import { hostPlugin } from './lane-host.js'

const simple = (handler: Parameters<typeof command>[0]['handler']) => command({ summary: 'A test', handler })

test('command: a reply of a synchronous handler comes back when the command is invoked', async (t) => {
  const { lane } = await hostPlugin(
    t,
    definePlugin({
      name: 'echo',
      commands: {
        'T.ECHO': command({ summary: 'Echo', args: { text: arg.string() }, handler: (_ctx, { text }) => text }),
        'T.WHO': simple((ctx) => [ctx.user, ctx.clientId, ctx.db, ctx.resp, ctx.now]),
      },
    }),
  )
  t.deepEqual(await lane.invoke('T.ECHO', ['hello']), {
    outcome: 0,
    reply: 'hello',
    commit: undefined,
    assumed: undefined,
  })
  const options = { user: 'bob', clientId: 9, db: 3, resp: 2, now: 1785000000000 } as const
  t.deepEqual((await lane.invoke('T.WHO', [], options)).reply, ['bob', 9, 3, 2, 1785000000000])
})

test('command: wrong arguments are refused as an ordinary error', async (t) => {
  const { lane } = await hostPlugin(
    t,
    definePlugin({
      name: 'args',
      commands: { 'T.INT': command({ summary: 'x', args: { n: arg.integer() }, handler: (_ctx, { n }) => n }) },
    }),
  )
  const { outcome, reply } = await lane.invoke('T.INT', ['abc'])
  t.is(outcome, 1)
  t.true(reply instanceof RespError && reply.code === 'ERR' && reply.message.includes('n'))
})

test('command: a PluginError is an error reply, any other throw a failure with a number, and the log has the stack', async (t) => {
  const { lane, log } = await hostPlugin(
    t,
    definePlugin({
      name: 'throws',
      commands: {
        'T.PLUGIN': simple(() => {
          throw new PluginError('NOFUNDS', 'balance is 0')
        }),
        'T.ERROR': simple(() => {
          throw new Error('secret detail')
        }),
        'T.NULL': simple(() => {
          // eslint-disable-next-line @typescript-eslint/only-throw-error -- what must not break the host
          throw null
        }),
        'T.LATER': simple(async () => {
          await delay(1)
          throw new Error('later')
        }),
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what must not break the host
        'T.LATER-NULL': simple(() => Promise.reject(null)),
        'T.LATER-PLUGIN': simple(() => Promise.reject(new PluginError('NOFUNDS', 'later'))),
        'T.RECURSE': simple(function recurse(ctx, args): string {
          return `${recurse(ctx, args)}.`
        }),
      },
    }),
  )
  t.deepEqual((await lane.invoke('T.PLUGIN')).reply, new RespError('NOFUNDS', 'balance is 0'))
  t.is((await lane.invoke('T.PLUGIN')).outcome, 1)
  for (const name of ['T.ERROR', 'T.NULL', 'T.LATER', 'T.LATER-NULL', 'T.RECURSE']) {
    const { outcome, reply } = await lane.invoke(name)
    t.is(outcome, 2, name)
    const message = reply instanceof RespError ? reply.message : ''
    const id = /^plugin throws failed \(id ([0-9a-f]{8})\)$/.exec(message)?.[1]
    t.truthy(id, message)
    t.true(log.some((line) => line.startsWith('<3>throws: ') && line.includes(name) && line.includes(`id=${id ?? ''}`)))
  }
  t.true(log.some((line) => line.includes('secret detail') && line.includes('command.test')))
  t.deepEqual((await lane.invoke('T.LATER-PLUGIN')).reply, new RespError('NOFUNDS', 'later'))
})

test('command: a reply that RESP cannot carry is a failure and the log says which part', async (t) => {
  const { lane, log } = await hostPlugin(
    t,
    definePlugin({
      name: 'replies',
      commands: {
        'T.UNDEFINED': simple(() => undefined as never),
        'T.NESTED': simple(() => ({ a: [1, undefined] }) as never),
      },
    }),
  )
  t.is((await lane.invoke('T.UNDEFINED')).outcome, 2)
  t.true(log.some((line) => line.includes('T.UNDEFINED cannot be answered') && line.includes('undefined')))
  t.is((await lane.invoke('T.NESTED')).outcome, 2)
  t.true(log.some((line) => line.includes('T.NESTED cannot be answered') && line.includes('reply.a[1]')))
})

test('command: results come in the order of completion and what one chunk produced leaves in one write', async (t) => {
  const waiting: (() => void)[] = []
  const { lane } = await hostPlugin(
    t,
    definePlugin({
      name: 'order',
      commands: {
        'T.NOW': simple(() => 'now'),
        'T.WAIT': simple(() => new Promise<string>((resolve) => waiting.push(() => resolve('waited')))),
        'T.RELEASE': simple(() => {
          for (const release of waiting.splice(0)) release()
          return 'released'
        }),
      },
    }),
  )
  const before = lane.chunks
  await lane.answers(...Array.from({ length: 100 }, () => lane.invokeOf('T.NOW', [])))
  t.true(lane.chunks - before <= 3, `${lane.chunks - before} chunks`)
  const slow = Array.from({ length: 100 }, () => lane.invokeOf('T.WAIT', []))
  const answers = lane.answers(...slow)
  await lane.invoke('T.NOW')
  const chunks = lane.chunks
  await lane.invoke('T.RELEASE')
  t.deepEqual(
    (await answers).map(({ reply }) => reply),
    slow.map(() => 'waited'),
  )
  t.true(lane.chunks - chunks <= 3, `${lane.chunks - chunks} chunks`)
})

test('command: commits are sent with the reply, in their order, and dropped when the handler throws', async (t) => {
  const { lane } = await hostPlugin(
    t,
    definePlugin({
      name: 'commits',
      commands: {
        'T.COMMIT': simple((ctx) => {
          const first = ctx.commit.set('k', 1.5, 'PX', 1000)
          ctx.commit.hset('h', { a: 1, b: Buffer.from('x') })
          ctx.commit.mset(new Map([['m', 'n']]))
          ctx.commit.del(['x', 'y'])
          ctx.commit.call('JSON.SET', 'doc', '$', '{}')
          return [first, ctx.commit.length]
        }),
        'T.THROW': simple((ctx) => {
          ctx.commit.set('k', '1')
          throw new PluginError('NO', 'no')
        }),
        'T.BAD': simple((ctx) => {
          ctx.commit.set('k', undefined as never)
          return 1
        }),
        'T.BADREPLY': simple((ctx) => {
          ctx.commit.set('k', '1')
          return undefined as never
        }),
      },
    }),
  )
  const { reply, commit } = await lane.invoke('T.COMMIT')
  t.deepEqual(reply, [new RespSlot(0), 5])
  t.deepEqual(commit, [
    ['SET', 'k', '1.5', 'PX', '1000'],
    ['HSET', 'h', 'a', '1', 'b', 'x'],
    ['MSET', 'm', 'n'],
    ['DEL', 'x', 'y'],
    ['JSON.SET', 'doc', '$', '{}'],
  ])
  t.is((await lane.invoke('T.THROW')).commit, undefined)
  t.like(await lane.invoke('T.BAD'), { outcome: 2, commit: undefined })
  t.like(await lane.invoke('T.BADREPLY'), { outcome: 2, commit: undefined })
})

test('command: the result of another call’s commit is no reply, and does not end the lane', async (t) => {
  let kept: CommitResult | undefined
  const { lane, log } = await hostPlugin(
    t,
    definePlugin({
      name: 'kept',
      commands: { 'T.KEPT': simple((ctx) => kept ?? (kept = ctx.commit.set('k', '1'))) },
      hooks: { kept: before({ handler: (_ctx, cmd) => cmd.reply(kept ?? null) }) },
    }),
  )
  t.deepEqual((await lane.invoke('T.KEPT')).reply, new RespSlot(0))
  t.is((await lane.invoke('T.KEPT')).outcome, 2)
  t.is((await lane.invoke('hook kept/kept', ['GET', 'k'])).outcome, 2)
  t.is(log.filter((line) => line.includes('is the result of a commit that this call has not made')).length, 2)
})

test('command: a commit after the handler has ended is an error', async (t) => {
  let late: (() => unknown) | undefined
  const { lane } = await hostPlugin(
    t,
    definePlugin({
      name: 'late',
      commands: {
        'T.LATE': simple((ctx) => {
          const { commit } = ctx
          late = () => commit.set('k', '1')
          return 1
        }),
      },
    }),
  )
  await lane.invoke('T.LATE')
  t.throws(() => late?.(), { code: 'FERRITE_COMMIT_ENDED' })
})

const counter = definePlugin({
  name: 'counter',
  commands: {
    'T.ADD': command({
      summary: 'Adds',
      args: { key: arg.key('rw'), by: arg.integer() },
      reads: (args) => ({ value: read.get(args.key) }),
      retryOnChange: 3,
      handler: (ctx, { key, by }) => {
        const sum = Number(ctx.reads.value ?? 0) + by
        if (by < 0) ctx.commit.del(key)
        else if (by > 0) ctx.commit.set(key, sum)
        return by < 0 ? 0 : sum
      },
    }),
    'T.INCR': command({
      summary: 'Increments natively',
      args: { key: arg.key('rw') },
      reads: (args) => ({ value: read.get(args.key) }),
      retryOnChange: 3,
      handler: (ctx, { key }) => ctx.commit.incr(key),
    }),
    'T.ASYNC': command({
      summary: 'Adds one, later',
      args: { key: arg.key('rw') },
      reads: (args) => ({ value: read.get(args.key) }),
      retryOnChange: 3,
      handler: async (ctx, { key }) => {
        await Promise.resolve()
        ctx.commit.set(key, Number(ctx.reads.value ?? 0) + 1)
        return Number(ctx.reads.value ?? 0)
      },
    }),
    'T.LENGTH': command({
      summary: 'Reads otherwise than by GET',
      args: { key: arg.key('rw') },
      reads: (args) => ({ length: read.strlen(args.key) }),
      retryOnChange: 3,
      handler: (ctx) => ctx.reads.length,
    }),
  },
})

const bulk = (text: string): Buffer => Buffer.from(text)

test('batch: each request reads what the commits before it made of the key', async (t) => {
  const { lane } = await hostPlugin(t, counter)
  const add = (by: string) => lane.invokeOf('T.ADD', ['k', by], { reads: [bulk('10')] })
  const answers = await lane.batch([add('1'), add('2'), add('-1'), add('5'), add('0')])
  t.deepEqual(
    answers.map(({ reply, commit, assumed }) => [reply, commit?.[0]?.join(' '), assumed]),
    [
      [11, 'SET k 11', undefined],
      [13, 'SET k 13', ['11']],
      [0, 'DEL k', ['13']],
      [5, 'SET k 5', [null]],
      [5, undefined, ['5']],
    ],
  )
})

test('batch: other keys keep their own reads, and the next batch begins afresh', async (t) => {
  const { lane } = await hostPlugin(t, counter)
  const add = (key: string, by: string, value: string) => lane.invokeOf('T.ADD', [key, by], { reads: [bulk(value)] })
  const first = await lane.batch([add('a', '1', '1'), add('b', '1', '100'), add('a', '1', '1')])
  t.deepEqual(
    first.map(({ reply }) => reply),
    [2, 101, 3],
  )
  t.like((await lane.batch([add('a', '1', '50')]))[0], { reply: 51, assumed: undefined })
  t.like(await lane.invoke('T.ADD', ['a', '1'], { reads: [bulk('7')] }), { reply: 8, assumed: undefined })
})

test('batch: a commit that cannot be foreseen ends the batch for readers of its key', async (t) => {
  const { lane } = await hostPlugin(t, counter)
  const of = (name: string, key: string, ...rest: string[]) =>
    lane.invokeOf(name, [key, ...rest], { reads: [name === 'T.LENGTH' ? 1 : bulk('1')] })
  const incr = await lane.batch([
    of('T.INCR', 'a'),
    of('T.ADD', 'b', '1'),
    of('T.ADD', 'a', '1'),
    of('T.ADD', 'c', '1'),
  ])
  t.deepEqual(
    incr.map(({ outcome }) => outcome),
    [0, 0, 3, 3],
  )
  const length = await lane.batch([of('T.ADD', 'a', '1'), of('T.LENGTH', 'a'), of('T.ADD', 'a', '1')])
  t.deepEqual(
    length.map(({ outcome }) => outcome),
    [0, 3, 3],
  )
})

test('batch: a handler that returns a promise ends the batch, and answers itself', async (t) => {
  const { lane } = await hostPlugin(t, counter)
  const of = (name: string, ...args: string[]) => lane.invokeOf(name, args, { reads: [bulk('1')] })
  const answers = await lane.batch([of('T.ADD', 'a', '1'), of('T.ASYNC', 'a'), of('T.ADD', 'a', '1')])
  t.deepEqual(
    answers.map(({ outcome, reply, assumed }) => [outcome, reply, assumed]),
    [
      [0, 2, undefined],
      [0, 2, ['2']],
      [3, null, undefined],
    ],
  )
})

test('command: the signal fires with CANCEL, open calls are rejected and the result is dropped', async (t) => {
  const seen: unknown[] = []
  const { lane, peer } = await hostPlugin(
    t,
    definePlugin({
      name: 'cancel',
      commands: {
        'T.WAIT': simple(async (ctx) => {
          ctx.signal.addEventListener('abort', () => seen.push(ctx.signal.reason))
          await ctx.redis.get('k').catch((error: unknown) => seen.push(error))
          return 1
        }),
        'T.NOW': simple(() => 1),
      },
    }),
  )
  peer.holdsCalls = true
  const invoke = lane.invokeOf('T.WAIT', [])
  lane.send(invoke)
  await lane.next('CALL')
  lane.send({ type: 'CANCEL', id: invoke.id, reason: 'client gone' })
  await until(() => seen.length === 2)
  t.deepEqual(
    seen.map((error) => (error as { code: string }).code),
    ['FERRITE_REQUEST_CANCELLED', 'FERRITE_CALL_CANCELLED'],
  )
  await lane.invoke('T.NOW')
  t.false(lane.all('RESULT').some(({ id }) => id === invoke.id))
})

test('command: the signal fires when the deadline passes, and what is answered then is not sent', async (t) => {
  let fired = 0
  const { lane } = await hostPlugin(
    t,
    definePlugin({
      name: 'deadline',
      commands: {
        'T.WAIT': simple(
          (ctx) =>
            new Promise<string>((resolve) =>
              ctx.signal.addEventListener('abort', () => {
                fired++
                resolve('late')
              }),
            ),
        ),
        'T.NOW': simple(() => 'now'),
      },
    }),
  )
  const late = lane.invokeOf('T.WAIT', [], { timeoutMs: 30 })
  lane.send(late)
  await until(() => fired === 1)
  t.like(await lane.invoke('T.NOW'), { reply: 'now' })
  // Results keep their order: one of T.WAIT would have come before that one.
  t.false(lane.received.some((message) => message.type === 'RESULT' && message.id === late.id))
})

test('lane: answers PING, and is closed by a frame that breaks the protocol', async (t) => {
  const { lane, own } = await hostPlugin(t, definePlugin({ name: 'lane', commands: { 'T.NOW': simple(() => 1) } }))
  lane.send({ type: 'PING', cookie: 2n ** 64n - 1n })
  t.is((await lane.next('PONG')).cookie, 2n ** 64n - 1n)
  lane.sendBytes(Buffer.from('0c000000630000000000000000000000', 'hex'))
  const end = await own.closed
  t.like(end.error, { code: 'FERRITE_PROTOCOL_TYPE' })
})

test('command: a map reply keeps its order and 16 MB arguments and replies go through', async (t) => {
  const { lane } = await hostPlugin(
    t,
    definePlugin({
      name: 'large',
      commands: {
        'T.MAP': simple(() => ({ b: 1, a: [true, null, 0.5] })),
        'T.BACK': command({ summary: 'x', args: { data: arg.buffer() }, handler: (_ctx, { data }) => data }),
      },
    }),
  )
  const { reply } = await lane.invoke('T.MAP')
  t.deepEqual(reply, new RespMap([[Buffer.from('b'), 1], [Buffer.from('a'), [true, null, 0.5]]])) // prettier-ignore
  const data = Buffer.alloc(16 * 1024 * 1024, 'abc')
  t.true((await lane.invoke('T.BACK', [data])).reply === data.toString())
})
