import { after, definePlugin, setting, settings, type HookContext } from 'ferrite-plugins/sdk'
import { Absent } from './absent.js'
import { ask, type Answer } from './service.js'

const { CACHE_ASIDE_URL: address = '', CACHE_ASIDE_TIMEOUT_MS: timeout = '500' } = process.env
if (address !== '' && !URL.canParse(address)) throw new TypeError(`CACHE_ASIDE_URL is no URL: '${address}'`)

const config = settings({
  url: setting.string({ default: address, summary: 'Address of the service; empty: nothing is fetched' }),
  ttl: setting.integer({ default: 60, min: 1, summary: 'Seconds that a value is kept' }),
  absentMs: setting.integer({
    default: 2000,
    min: 0,
    summary: 'For how long a key that the service lacks is not asked',
  }),
  timeoutMs: setting.integer({
    default: Number(timeout),
    min: 1,
    max: 5000,
    summary: 'How long a client waits for the service',
  }),
})

const kPrefix = 'cached:'
const kCounts = 'cache-aside:counts'

const absent = new Absent(10_000)
/** Fetches under way, by database and key: who misses the same key meanwhile waits for the same one. */
const flights = new Map<string, Promise<Answer>>()

/** Fetches, and stores what there is. Never rejects: others wait for it whose clients have nothing to do with `ctx`. */
async function fetchAndStore(ctx: HookContext, id: string, key: string): Promise<Answer> {
  const { url, ttl, absentMs, timeoutMs } = config.of(ctx)
  const answer = await ask(new URL(url), key.slice(kPrefix.length), timeoutMs)
  if (answer.kind === 'absent') absent.add(id, Date.now() + absentMs)
  if ('reason' in answer) ctx.log.warn({ key, reason: answer.reason }, `the service did not answer: ${answer.kind}`)
  try {
    const pipeline = ctx.asPlugin.redis.pipeline().hincrby(kCounts, answer.kind, 1)
    // NX: what a client has set meanwhile is newer than what was fetched.
    if (answer.kind === 'found') pipeline.set(key, answer.value, 'EX', ttl, 'NX')
    for (const [error] of await pipeline.exec()) if (error !== null) throw error
  } catch (err) {
    ctx.log.warn({ err, key }, 'what was fetched could not be stored')
  }
  return answer
}

function flightFor(ctx: HookContext, id: string, key: string): Promise<Answer> {
  const underWay = flights.get(id)
  if (underWay !== undefined) return underWay
  const flight = fetchAndStore(ctx, id, key).finally(() => flights.delete(id))
  flights.set(id, flight)
  return flight
}

export default definePlugin({
  name: 'cache-aside',
  config,
  permissions: { keys: { rw: [`${kPrefix}*`, kCounts] }, network: ['127.0.0.1', 'localhost'] },
  hooks: {
    misses: after({
      wait: true,
      command: 'GET',
      key: `${kPrefix}*`,
      timeoutMs: 10_000,
      onFailure: 'allow', // a miss stays a miss
      inTransaction: 'allow', // the server itself would wait there
      async handler(ctx, cmd, result) {
        if (result.reply !== null || config.of(ctx).url === '') return result.keep()
        const key = cmd.args[0]?.toString() ?? ''
        const id = `${ctx.db} ${key}`
        // Bytes that are no text cannot be told to the service; two such keys would look alike.
        if (key.includes('\uFFFD') || absent.has(id, Date.now())) return result.keep()
        const answer = await flightFor(ctx, id, key)
        return answer.kind === 'found' ? result.replace(answer.value) : result.keep()
      },
    }),
  },
})
