// A plugin whose writes can be accounted for afterwards: every kind of write that a plugin can do.
import { arg, command, definePlugin, every, onKey, read } from 'ferrite-plugins/sdk'

let eventsSeen = 0

export default definePlugin({
  name: 'ledger',
  permissions: { keys: { rw: ['ledger:*'] } },
  commands: {
    'LEDGER.COUNT': command({
      summary: 'Adds one, by a guarded read, and replies the sum',
      args: { key: arg.key('rw') },
      reads: (args) => ({ value: read.get(args.key) }),
      retryOnChange: 20,
      handler(ctx, { key }) {
        const next = Number(ctx.reads.value ?? 0) + 1
        ctx.commit.set(key, next)
        return next
      },
    }),
    'LEDGER.LOG': command({
      summary: 'Appends an entry with the commit',
      args: { key: arg.key('rw'), entry: arg.string() },
      handler: (ctx, { key, entry }) => ctx.commit.rpush(key, entry),
    }),
    'LEDGER.DIRECT': command({
      summary: 'Appends an entry with a call of its own',
      args: { key: arg.key('rw'), entry: arg.string() },
      handler: (ctx, { key, entry }) => ctx.redis.rpush(key, entry),
    }),
    'LEDGER.SLOW': command({
      summary: 'Appends an entry with a commit that comes so many milliseconds later',
      args: { key: arg.key('rw'), entry: arg.string(), ms: arg.integer({ min: 0 }) },
      async handler(ctx, { key, entry, ms }) {
        await new Promise((resolve) => setTimeout(resolve, ms))
        return ctx.commit.rpush(key, entry)
      },
    }),
    'LEDGER.SLOWDIRECT': command({
      summary: 'Appends an entry with a call that comes so many milliseconds later',
      args: { key: arg.key('rw'), entry: arg.string(), ms: arg.integer({ min: 0 }) },
      async handler(ctx, { key, entry, ms }) {
        await new Promise((resolve) => setTimeout(resolve, ms))
        return ctx.redis.rpush(key, entry)
      },
    }),
    'LEDGER.SLOWBOTH': command({
      summary: 'Writes and reads by two calls at once, so many milliseconds later',
      args: { key: arg.key('rw'), value: arg.string(), ms: arg.integer({ min: 0 }) },
      async handler(ctx, { key, value, ms }) {
        await new Promise((resolve) => setTimeout(resolve, ms))
        return await Promise.all([ctx.redis.set(key, value), ctx.redis.get(key)])
      },
    }),
    'LEDGER.FETCH': command({
      summary: 'Reads by a call',
      args: { key: arg.key('r') },
      handler: async (ctx, { key }) => await ctx.redis.get(key),
    }),
    'LEDGER.SLOWCOUNT': command({
      summary: 'Adds one, by a guarded read, so many milliseconds later',
      args: { key: arg.key('rw'), ms: arg.integer({ min: 0 }) },
      reads: (args) => ({ value: read.get(args.key) }),
      retryOnChange: 20,
      async handler(ctx, { key, ms }) {
        await new Promise((resolve) => setTimeout(resolve, ms))
        const next = Number(ctx.reads.value ?? 0) + 1
        ctx.commit.set(key, next)
        return next
      },
    }),
    'LEDGER.GET': command({
      summary: 'Reads what LEDGER.COUNT counts',
      args: { key: arg.key('r') },
      reads: (args) => ({ value: read.get(args.key) }),
      handler: ({ reads }) => reads.value,
    }),
    'LEDGER.NEST': command({
      summary: 'Reads through another command of this plugin',
      args: { key: arg.key('r'), depth: arg.integer({ min: 0 }) },
      async handler(ctx, { key, depth }) {
        const [name, ...rest] = depth === 0 ? ['LEDGER.GET'] : ['LEDGER.NEST', String(depth - 1)]
        const reply = await ctx.call(name, key, ...rest)
        return Buffer.isBuffer(reply) ? reply.toString() : null
      },
    }),
    'LEDGER.WAIT': command({
      summary: 'Never answers',
      handler: () => new Promise<string>(() => undefined),
    }),
    'LEDGER.ECHO': command({
      summary: 'Replies its argument',
      args: { text: arg.buffer() },
      handler: (_ctx, { text }) => text,
    }),
    'LEDGER.SEEN': command({ summary: 'How many key events came', handler: () => eventsSeen }),
  },
  hooks: {
    watch: onKey({ key: 'watched:*', handler: () => eventsSeen++ }),
    /** Writes while the key `ledger:ticking` is there, so that a test can have peace. */
    tick: every('20ms', async (ctx) => {
      if ((await ctx.redis.exists('ledger:ticking')) === 1) await ctx.redis.incr('ledger:ticks')
    }),
  },
})
