import { definePlugin, onKey, setting, settings } from 'ferrite-plugins/sdk'

const config = settings({
  stream: setting.string({ default: 'audit:keys', summary: 'Key of the stream' }),
  length: setting.integer({ default: 10_000, min: 1, summary: 'Entries that the stream keeps' }),
})

export default definePlugin({
  name: 'key-audit',
  config,
  permissions: { keys: { r: ['user:*'], rw: ['audit:*'] } },
  hooks: {
    'audit-users': onKey({
      key: 'user:*',
      oldValue: true,
      async handler(ctx) {
        const { stream, length } = config.of(ctx)
        const old = ctx.old === null ? [] : ['old-type', ctx.old.type, 'old-length', ctx.old.length]
        const fields = ['event', ctx.event, 'key', ctx.keyBuffer, 'time', ctx.now, 'origin', ctx.origin, ...old]
        if (ctx.dropped > 0) ctx.log.warn({ dropped: ctx.dropped }, 'events were lost before this one')
        await ctx.redis.xadd(stream, 'MAXLEN', '=', length, '*', ...fields)
      },
    }),
  },
})
