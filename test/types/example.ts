// A plugin with a bit of everything: must type-check as it stands.
import { arg, before, command, definePlugin, every, onKey, read } from 'ferrite-plugins/sdk'

export default definePlugin({
  name: 'rate-limiter',
  permissions: { keys: { rw: ['gone'] } },
  commands: {
    'RATELIMIT.CHECK': command({
      summary: 'Takes COST of MAX requests per WINDOW milliseconds',
      args: {
        bucket: arg.key('rw'),
        max: arg.integer({ min: 1 }),
        window: arg.integer({ min: 1 }),
        cost: arg.integer({ min: 1 }).token('COST').default(1),
      },
      reads: (args) => ({ tat: read.get(args.bucket) }),
      retryOnChange: 3,
      handler(ctx, { bucket, max, window, cost }) {
        const from = Math.max(Number(ctx.reads.tat ?? 0), ctx.now)
        const tat = from + (window / max) * cost
        const wait = Math.ceil(tat - ctx.now - window)
        if (wait > 0) return { allowed: false, remaining: 0, retryAfterMs: wait, resetAfterMs: from - ctx.now }
        ctx.commit.set(bucket, tat, 'PX', window)
        return {
          allowed: true,
          remaining: Math.floor((-wait / window) * max),
          retryAfterMs: 0,
          resetAfterMs: tat - ctx.now,
        }
      },
    }),
  },
  hooks: {
    'no-huge-users': before({
      command: 'SET',
      key: 'user:*',
      timeoutMs: 5,
      onFailure: 'deny',
      handler: (_ctx, cmd) => (cmd.args[1]!.length > 1024 ? cmd.deny('ERR', 'user too large') : cmd.continue()),
    }),
    'count-expired': onKey({ key: 'user:*', events: ['expired'], handler: (ctx) => ctx.redis.incr('gone') }),
    report: every('1m', async (ctx) => ctx.log.info({ gone: await ctx.redis.get('gone') })),
  },
})
