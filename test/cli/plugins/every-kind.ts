import { arg, command, definePlugin, reply, shape } from 'ferrite-plugins/sdk'

/** What the handler got, so that a client's words can be compared with it. */
function told(args: object): string {
  return JSON.stringify(args, (_name, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
}

export default definePlugin({
  name: 'every-kind',
  permissions: { keys: { rw: ['*'] } },
  commands: {
    'KIND.REPLY': command({
      summary: 'Replies a value of each kind */ and ends no comment',
      args: { key: arg.key('r') },
      returns: shape.map({
        text: shape.string(),
        bytes: shape.buffer(),
        word: shape.literal('OK'),
        integer: shape.integer(),
        double: shape.double(),
        yes: shape.boolean(),
        big: shape.bigint(),
        nothing: shape.nullable(shape.string()),
        list: shape.array(shape.boolean()),
        names: shape.set(shape.string()),
        table: shape.record(shape.double()),
        inner: shape.map({ 'a-b': shape.integer() }),
      }),
      handler: () => ({
        text: 'né',
        bytes: Buffer.from([0xff, 0]),
        word: 'OK' as const,
        integer: 7,
        double: reply.double(2.5),
        yes: true,
        big: 2n ** 70n,
        nothing: null,
        list: [true, false],
        names: new Set(['a', 'b']),
        table: { __proto__: null, one: 1.5 } as unknown as Record<string, number>,
        inner: { 'a-b': 1 },
      }),
    }),
    'KIND.WORDS': command({
      summary: 'Tells how its arguments were understood',
      args: {
        from: arg.numkeys('r'),
        mode: arg.enum('fast', 'slow'),
        wide: arg.bigint(),
        count: arg.integer().token('COUNT').optional(),
        nx: arg.flag(),
        ttl: arg.oneOf({ ex: arg.integer().token('EX'), keep: arg.flag('KEEPTTL') }).optional(),
        get: arg.string().token('GET').multiple({ repeatToken: true }).optional(),
        limit: arg.block({ offset: arg.integer(), size: arg.integer() }).token('LIMIT').optional(),
        store: arg.key('w').token('STORE').optional(),
      },
      returns: shape.string(),
      handler: (_ctx, args) => told(args),
    }),
    'KIND.KEYS': command({
      summary: 'Takes keys, and texts behind a token',
      args: { keys: arg.key('r').multiple(), weight: arg.integer() },
      returns: shape.string(),
      handler: (_ctx, args) => told(args),
    }),
    'KIND.COPY': command({
      summary: 'Takes a number of keys, and one behind a token',
      args: { from: arg.numkeys('r'), nx: arg.flag(), store: arg.key('w').token('STORE').optional() },
      returns: shape.string(),
      handler: (_ctx, args) => told(args),
    }),
    'KIND.REST': command({
      summary: 'Takes texts behind a token, and an option that is declared after them',
      args: { key: arg.key('r'), tags: arg.string().token('TAGS').multiple().optional(), nx: arg.flag() },
      returns: shape.string(),
      handler: (_ctx, args) => told(args),
    }),
    'SESSION|SET': command({
      summary: 'Sets',
      args: { id: arg.key('w'), value: arg.buffer() },
      returns: shape.literal('OK'),
      handler(ctx, { id, value }) {
        ctx.commit.set(id, value)
        return 'OK'
      },
    }),
    'SESSION|GET': command({
      summary: 'Gets',
      args: { id: arg.key('r') },
      returns: shape.nullable(shape.string()),
      handler: async (ctx, { id }) => (await ctx.call('GET', id)) as string | null, // bytes of any kind
    }),
    CONNECT: command({ summary: 'Is named as a method of every client', handler: () => 'connected' }),
  },
})
