// What handlers, reads and replies infer. Checked by tsc alone (scripts/check-types.mjs).
import { expectTypeOf } from 'expect-type'
import {
  after,
  arg,
  before,
  command,
  cron,
  definePlugin,
  every,
  onClient,
  on,
  onKey,
  onServer,
  PluginError,
  read,
  reply,
  setting,
  settings,
  shape,
  type ClientEvent,
  type CommandContext,
  type EmittedEvent,
  type EventPayload,
  type ToldContext,
  type FinishedCommand,
  type CommandWords,
  type CommandResult,
  type FlushEvent,
  type CommitResult,
  type HookContext,
  type HookedCommand,
  type KeyEventContext,
  type NoticeContext,
  type RespValue,
  type StartupEvent,
  type ScoredMember,
  type ShapeValue,
  type TimerContext,
  type Verdict,
} from 'ferrite-plugins/sdk'

command({
  summary: 'every kind of argument',
  args: {
    key: arg.key('r'),
    raw: arg.keyBuffer('r'),
    text: arg.string(),
    bytes: arg.buffer(),
    count: arg.integer({ min: 0, max: 10 }),
    large: arg.bigint(),
    ratio: arg.float(),
    order: arg.enum('asc', 'desc'),
    items: arg.numkeys('r'),
    rawItems: arg.numkeysBuffer('r').token('RAW'),
    dry: arg.flag(),
    limit: arg.block({ offset: arg.integer(), count: arg.integer() }).token('LIMIT').optional(),
    ttl: arg
      .oneOf({ ex: arg.integer().token('EX'), at: arg.bigint().token('AT'), keep: arg.flag('KEEPTTL') })
      .optional(),
    cost: arg.integer().token('COST').default(1),
    tags: arg.string().token('TAG').multiple({ repeatToken: true }),
    pairs: arg.block({ field: arg.string(), value: arg.buffer() }).token('SET').multiple(),
  },
  handler(_ctx, args) {
    expectTypeOf(args.key).toEqualTypeOf<string>()
    expectTypeOf(args.raw).toEqualTypeOf<Buffer>()
    expectTypeOf(args.text).toEqualTypeOf<string>()
    expectTypeOf(args.bytes).toEqualTypeOf<Buffer>()
    expectTypeOf(args.count).toEqualTypeOf<number>()
    expectTypeOf(args.large).toEqualTypeOf<bigint>()
    expectTypeOf(args.ratio).toEqualTypeOf<number>()
    expectTypeOf(args.order).toEqualTypeOf<'asc' | 'desc'>()
    expectTypeOf(args.items).toEqualTypeOf<readonly string[]>()
    expectTypeOf(args.rawItems).toEqualTypeOf<readonly Buffer[]>()
    expectTypeOf(args.dry).toEqualTypeOf<boolean>()
    expectTypeOf(args.limit).toEqualTypeOf<{ readonly offset: number; readonly count: number } | undefined>()
    expectTypeOf(args.cost).toEqualTypeOf<number>()
    expectTypeOf(args.tags).toEqualTypeOf<readonly string[]>()
    expectTypeOf(args.pairs).toEqualTypeOf<readonly { readonly field: string; readonly value: Buffer }[]>()
    expectTypeOf(args.ttl?.ex).toEqualTypeOf<number | undefined>()
    expectTypeOf(args.ttl?.at).toEqualTypeOf<bigint | undefined>()
    if (args.ttl?.ex !== undefined) expectTypeOf(args.ttl.at).toEqualTypeOf<undefined>()
    return null
  },
})

command({
  summary: 'every kind of read',
  args: { key: arg.key('r'), other: arg.key('r'), field: arg.string(), keys: arg.key('r').multiple() },
  reads: ({ key, other, field, keys }) => ({
    get: read.get(key),
    getBuffer: read.getBuffer(key),
    mget: read.mget(key, other, keys),
    hget: read.hget(key, field),
    hgetall: read.hgetall(key),
    exists: read.exists(key),
    pttl: read.pttl(key),
    smembers: read.smembers(key),
    zscore: read.zscore(key, 'member'),
    scores: read.zrangeWithScores(key, 0, -1),
    lrange: read.lrangeBuffer(key, 0, -1),
  }),
  handler({ reads }) {
    expectTypeOf(reads.get).toEqualTypeOf<string | null>()
    expectTypeOf(reads.getBuffer).toEqualTypeOf<Buffer | null>()
    expectTypeOf(reads.mget).toEqualTypeOf<readonly (string | null)[]>()
    expectTypeOf(reads.hget).toEqualTypeOf<string | null>()
    expectTypeOf(reads.hgetall).toEqualTypeOf<Readonly<Record<string, string>>>()
    expectTypeOf(reads.exists).toEqualTypeOf<boolean>()
    expectTypeOf(reads.pttl).toEqualTypeOf<number>()
    expectTypeOf(reads.smembers).toEqualTypeOf<ReadonlySet<string>>()
    expectTypeOf(reads.zscore).toEqualTypeOf<number | null>()
    expectTypeOf(reads.scores).toEqualTypeOf<readonly ScoredMember[]>()
    expectTypeOf(reads.lrange).toEqualTypeOf<readonly Buffer[]>()
    return null
  },
})

command({
  summary: 'the context',
  args: { key: arg.key() },
  async handler(ctx, { key }) {
    expectTypeOf(ctx).toExtend<CommandContext>()
    expectTypeOf(ctx.now).toEqualTypeOf<number>()
    expectTypeOf(ctx.signal).toEqualTypeOf<AbortSignal>()
    expectTypeOf(ctx.resp).toEqualTypeOf<2 | 3>()
    expectTypeOf(await ctx.redis.get(key)).toEqualTypeOf<string | null>()
    expectTypeOf(await ctx.redis.getBuffer(key)).toEqualTypeOf<Buffer | null>()
    expectTypeOf(await ctx.redis.hgetall(key)).toEqualTypeOf<Record<string, string>>()
    expectTypeOf(await ctx.redis.zscore(key, 'm')).toEqualTypeOf<string | null>()
    expectTypeOf(await ctx.asPlugin.redis.incr(key)).toEqualTypeOf<number>()
    expectTypeOf(await ctx.call('GET', key)).toEqualTypeOf<RespValue>()
    expectTypeOf(ctx.commit.set(key, 1, 'PX', 10)).toEqualTypeOf<CommitResult>()
    expectTypeOf(ctx.commit.incr(key)).toEqualTypeOf<CommitResult>()
    const results = await ctx.redis.multi().set(key, 'a').incr(key).exec()
    expectTypeOf(results[0]?.[0]).toEqualTypeOf<Error | null | undefined>()
    return { value: ctx.commit.incr(key), nested: [reply.double(1), new Map([[1, 'a']]), new Set(['a'])] }
  },
})

const declared = shape.map({
  ok: shape.boolean(),
  at: shape.nullable(shape.integer()),
  names: shape.array(shape.string()),
})
expectTypeOf<ShapeValue<typeof declared>>().toEqualTypeOf<{
  readonly ok: boolean
  readonly at: number | null
  readonly names: readonly string[]
}>()
command({ summary: 'a declared reply', returns: declared, handler: () => ({ ok: true, at: null, names: ['a'] }) })
command({
  summary: 'a late one',
  returns: declared,
  handler: async () => Promise.resolve({ ok: true, at: 1, names: [] }),
})
command({
  summary: 'a result of the commit in its place',
  args: { key: arg.key() },
  returns: declared,
  handler: (ctx, { key }) => ({ ok: true, at: ctx.commit.incr(key), names: ['a'] }),
})
command({ summary: 'always fails', handler: () => new PluginError('NO', 'never') })
command({
  summary: 'an error in place of the declared reply',
  returns: shape.integer(),
  handler: () => reply.error('NO', 'never'),
})

const config = settings({
  length: setting.integer({ default: 1 }),
  mode: setting.enum(['a', 'b'], { default: 'a' }),
  names: setting.strings({ default: [] }),
})

definePlugin({
  name: 'hooks',
  config,
  hooks: {
    keys: onKey({
      handler(ctx) {
        expectTypeOf(ctx).toEqualTypeOf<KeyEventContext>()
        expectTypeOf(ctx.old?.length).toEqualTypeOf<number | undefined>()
        expectTypeOf(config.of(ctx)).toEqualTypeOf<{
          readonly length: number
          readonly mode: 'a' | 'b'
          readonly names: readonly string[]
        }>()
      },
    }),
    clients: onClient({
      events: ['connect', 'disconnect'],
      handler(ctx, event) {
        expectTypeOf(ctx).toEqualTypeOf<NoticeContext>()
        expectTypeOf(event).toEqualTypeOf<ClientEvent<'connect' | 'disconnect'>>()
        expectTypeOf(event.user).toEqualTypeOf<string | null>()
      },
    }),
    gone: onClient({
      events: ['disconnect'],
      handler: (_ctx, event) => expectTypeOf(event.type).toEqualTypeOf<'disconnect'>(),
    }),
    server: onServer({
      events: ['startup', 'flush'],
      handler(ctx, event) {
        expectTypeOf(ctx).toEqualTypeOf<NoticeContext>()
        expectTypeOf(event).toEqualTypeOf<StartupEvent | FlushEvent>()
        if (event.type === 'flush') expectTypeOf(event.db).toEqualTypeOf<number | null>()
        else expectTypeOf(event.primary).toEqualTypeOf<{ readonly host: string; readonly port: number } | null>()
      },
    }),
    role: onServer({
      events: ['role-change'],
      handler: (_ctx, { role }) => expectTypeOf(role).toEqualTypeOf<'primary' | 'replica'>(),
    }),
    paid: on({
      event: ['order.paid', 'order.refunded'],
      handler(ctx, payload, event) {
        expectTypeOf(ctx).toEqualTypeOf<NoticeContext>()
        expectTypeOf(payload).toEqualTypeOf<EventPayload>()
        expectTypeOf(event).toEqualTypeOf<EmittedEvent>()
        ctx.emit('seen', { payload: [1, null, { deep: 'x' }], none: undefined })
        ctx.emit('seen', Buffer.alloc(1))
        ctx.emit('seen')
      },
    }),
    often: every('1.5s', (ctx) => {
      expectTypeOf(ctx).toEqualTypeOf<TimerContext>()
    }),
    nightly: cron('0 3 * * *', async ({ redis }) => redis.del('a'), { timezone: 'UTC' }),
  },
  setup: async (ctx) => ctx.redis.ping(),
})

command({
  summary: 'what ctx.call gave is a reply',
  args: { key: arg.key('r') },
  handler: (ctx, { key }) => ctx.call('HGETALL', key),
})

definePlugin({
  name: 'before',
  hooks: {
    every: before({
      command: ['SET', 'CONFIG|SET', '@write'],
      key: 'user:*',
      user: 'ann',
      db: [0, 1],
      timeoutMs: 5,
      onFailure: 'allow',
      inTransaction: 'deny',
      priority: -1,
      handler(ctx, cmd) {
        expectTypeOf(ctx).toEqualTypeOf<HookContext>()
        expectTypeOf<keyof HookContext>().toEqualTypeOf<Exclude<keyof CommandContext, 'reads' | 'commit'>>()
        expectTypeOf(cmd).toEqualTypeOf<HookedCommand>()
        expectTypeOf(cmd.name).toEqualTypeOf<string>()
        expectTypeOf(cmd.args).toEqualTypeOf<readonly Buffer[]>()
        expectTypeOf(config.of(ctx).length).toEqualTypeOf<number>()
        if (cmd.args.length === 0) return cmd.rewrite(['a', 1, 2n, Buffer.alloc(0), ...cmd.args], 'PING')
        if (ctx.user === 'ann') return cmd.reply({ ok: true, at: [reply.simple('OK'), null] })
        return ctx.resp === 3 ? cmd.deny('ERR', 'no') : cmd.continue()
      },
    }),
    later: before({
      async handler(ctx, cmd) {
        const seen = await ctx.redis.get('a')
        expectTypeOf(await ctx.asPlugin.redis.incr('a')).toEqualTypeOf<number>()
        return seen === null ? cmd.continue() : cmd.reply(seen)
      },
    }),
  },
})
expectTypeOf<ReturnType<HookedCommand['continue']>>().toEqualTypeOf<Verdict>()

definePlugin({
  name: 'after',
  hooks: {
    told: after({
      command: ['SET', '@write'],
      sample: 0.5,
      handler(ctx, cmd, result) {
        expectTypeOf(ctx).toEqualTypeOf<ToldContext>()
        expectTypeOf(cmd).toEqualTypeOf<CommandWords>()
        expectTypeOf(result).toEqualTypeOf<CommandResult>()
        expectTypeOf(result.durationUs).toEqualTypeOf<number>()
      },
    }),
    waited: after({
      wait: true,
      key: 'user:*',
      timeoutMs: 5,
      onFailure: 'allow',
      inTransaction: 'allow',
      async handler(ctx, cmd, result) {
        expectTypeOf(ctx).toEqualTypeOf<HookContext>()
        expectTypeOf(cmd).toEqualTypeOf<CommandWords>()
        expectTypeOf(result).toEqualTypeOf<FinishedCommand>()
        return (await ctx.redis.get('a')) === null ? result.keep() : result.replace({ a: 1 })
      },
    }),
  },
})
