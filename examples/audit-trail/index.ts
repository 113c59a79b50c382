import {
  after,
  before,
  definePlugin,
  on,
  RespError,
  setting,
  settings,
  type Json,
  type PluginContext,
} from 'ferrite-plugins/sdk'
import { withoutSecrets } from './secrets.js'

const config = settings({
  stream: setting.string({ default: 'audit:commands', summary: 'Key of the stream' }),
  length: setting.integer({ default: 10_000, min: 1, summary: 'Entries that the stream keeps' }),
})

const kName = 'audit-trail'
/** An event that the plugin sends to itself, for two reasons: while the server waits for a hook nothing can be written, and
 * a hook of a command writes into the database of its client, whereas the trail is in one. */
const kEntry = 'audit-trail.entry'
const kMaxWord = 200
const blockingWrites = [
  ...['BLPOP', 'BRPOP', 'BLMPOP', 'BLMOVE', 'BRPOPLPUSH'],
  ...['BZPOPMIN', 'BZPOPMAX', 'BZMPOP', 'XREADGROUP'],
]

type Fields = Readonly<Record<string, string | number>>

async function record(ctx: PluginContext, fields: Fields): Promise<void> {
  const { stream, length } = config.of(ctx)
  await ctx.redis.xadd(stream, 'MAXLEN', '=', length, '*', ...Object.entries(fields).flat())
}

const cut = (word: string): string => (word.length > kMaxWord ? `${word.slice(0, kMaxWord)}...` : word)

/** The keys, as the server finds them; values are data of others and stay out of the trail. */
async function keysOf(ctx: PluginContext, name: string, args: readonly Buffer[]): Promise<string> {
  try {
    const keys = await ctx.call('COMMAND', 'GETKEYS', name, ...args)
    return Array.isArray(keys) ? keys.map((key) => cut(String(key))).join(' ') : ''
  } catch {
    return '' // a command without keys, such as FLUSHALL
  }
}

function isFields(payload: Json | Buffer | undefined): payload is Fields {
  return typeof payload === 'object' && payload !== null && !Buffer.isBuffer(payload) && !Array.isArray(payload)
}

export default definePlugin({
  name: kName,
  config,
  permissions: { keys: { rw: ['audit:*'] } },
  hooks: {
    writes: after({
      command: '@write',
      async handler(ctx, cmd, result) {
        const { reply, durationUs } = result
        const outcome = reply instanceof RespError ? reply.code : 'ok'
        const keys = await keysOf(ctx, cmd.name, cmd.args)
        const about = { user: ctx.user, client: ctx.clientId, db: ctx.db, time: ctx.now }
        if (ctx.dropped > 0) ctx.log.warn({ missed: ctx.dropped }, 'commands are missing in the trail')
        ctx.emit(kEntry, { ...about, command: cmd.name, keys, outcome, us: durationUs })
      },
    }),

    // No after hook is told of these: only the server itself can run them.
    asked: before({
      command: ['@admin', ...blockingWrites],
      priority: 1000, // after those who may deny or change it
      onFailure: 'allow', // an operator can get at a server whose plugins are in trouble
      handler(ctx, cmd) {
        const words = withoutSecrets(
          cmd.name,
          cmd.args.map((word) => word.toString()),
        )
        const about = { user: ctx.user, client: ctx.clientId, db: ctx.db, time: ctx.now }
        ctx.emit(kEntry, { ...about, command: cmd.name, words: cut(words.map(cut).join(' ')), outcome: 'asked' })
        return cmd.continue()
      },
    }),
    record: on({
      event: kEntry,
      ownEvents: true,
      async handler(ctx, payload, event) {
        // Anybody may emit an event of this name; only the plugin's own ones count.
        if (event.plugin !== kName || !isFields(payload)) return
        if (ctx.dropped > 0) ctx.log.warn({ missed: ctx.dropped }, 'entries are missing in the trail')
        await record(ctx, payload)
      },
    }),
  },
})
