import { arg, command, definePlugin, PluginError, read, shape } from 'ferrite-plugins/sdk'

/**
 * The generic cell rate algorithm keeps one number per bucket, its "theoretical arrival time" (tat): the moment at which
 * the bucket is empty again. A request moves it on by `window / max` and is refused if that leads past now + window.
 */
function takenAt(stored: string | null, now: number): number {
  const tat = Number(stored ?? 0)
  if (!Number.isFinite(tat)) throw new PluginError('WRONGTYPE', 'the key holds something else than a rate limit')
  return Math.max(tat, now)
}

/** Requests that still fit before now + window. The small addend makes up for rounding in `window / max`. */
function remaining(tat: number, now: number, max: number, window: number): number {
  return Math.max(0, Math.floor((now + window - tat) / (window / max) + 1e-6))
}

const limits = { max: arg.integer({ min: 1 }), window: arg.integer({ min: 1, max: 86_400_000 * 366 }) }

export default definePlugin({
  name: 'rate-limiter',
  commands: {
    'RATELIMIT.CHECK': command({
      summary: 'Takes COST of MAX requests per WINDOW milliseconds',
      since: '1.0.0',
      complexity: 'O(1)',
      flags: ['fast'],
      args: {
        bucket: arg.key('rw'),
        ...limits,
        cost: arg.integer({ min: 1 }).token('COST').default(1),
      },
      reads: (args) => ({ tat: read.get(args.bucket) }),
      retryOnChange: 3,
      returns: shape.map({
        allowed: shape.boolean(),
        remaining: shape.integer(),
        'retry-after-ms': shape.integer(),
        'reset-after-ms': shape.integer(),
      }),
      handler(ctx, { bucket, max, window, cost }) {
        if (cost > max) throw new PluginError('ERR', `COST ${cost} can never fit into ${max} requests per window`)
        const { now } = ctx
        const before = takenAt(ctx.reads.tat, now)
        const tat = before + (window / max) * cost
        const wait = Math.ceil(tat - now - window - 1e-6)
        if (wait > 0) {
          return {
            allowed: false,
            remaining: remaining(before, now, max, window),
            'retry-after-ms': wait,
            'reset-after-ms': Math.ceil(before - now),
          }
        }
        const reset = Math.max(1, Math.ceil(tat - now))
        ctx.commit.set(bucket, tat, 'PX', reset) // atomic, together with the reply
        return {
          allowed: true,
          remaining: remaining(tat, now, max, window),
          'retry-after-ms': 0,
          'reset-after-ms': reset,
        }
      },
    }),

    'RATELIMIT.INFO': command({
      summary: 'Tells the state of a limit without taking anything',
      since: '1.0.0',
      complexity: 'O(1)',
      flags: ['fast'],
      args: { bucket: arg.key('r'), ...limits },
      reads: (args) => ({ tat: read.get(args.bucket) }),
      returns: shape.map({ remaining: shape.integer(), 'reset-after-ms': shape.integer() }),
      handler({ reads, now }, { max, window }) {
        const tat = takenAt(reads.tat, now)
        return { remaining: remaining(tat, now, max, window), 'reset-after-ms': Math.ceil(tat - now) }
      },
    }),

    'RATELIMIT.RESET': command({
      summary: 'Forgets what was taken; replies 1 if there was anything, else 0',
      since: '1.0.0',
      complexity: 'O(1)',
      flags: ['fast'],
      args: { bucket: arg.key('rm') },
      returns: shape.integer(),
      handler: (ctx, { bucket }) => ctx.commit.del(bucket),
    }),
  },
})
