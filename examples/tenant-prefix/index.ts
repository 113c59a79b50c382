import { after, before, definePlugin, type HookContext, type HookedCommand, type Verdict } from 'ferrite-plugins/sdk'
import { readTable, type CommandTable } from './command-table.js'
import { judge } from './judge.js'
import { withoutPrefix } from './replies.js'
import names from './tenants.json' with { type: 'json' }

/** ACL users. The prefix must end where it seems to, and mean itself in a glob. */
function tenantsOf(list: readonly string[]): readonly string[] {
  const wrong = list.find((name) => !/^[A-Za-z0-9._-]+$/.test(name))
  if (wrong === undefined && list.length > 0) return list
  throw new TypeError(`tenants.json: a tenant has letters, digits, '.', '_' and '-', got ${JSON.stringify(wrong)}`)
}

const tenants = tenantsOf(names)
const prefixOf = (user: string): string => `${user}:`

let table: CommandTable | undefined

function tableNow(): CommandTable {
  if (table === undefined) throw new Error('the table of commands has not been read')
  return table
}

/** The server knows no random key of one tenant: some tries, and then the first ones that a scan finds. */
async function randomKey({ asPlugin }: HookContext, prefix: string): Promise<Buffer | null> {
  const tries = asPlugin.redis.pipeline()
  for (let n = 0; n < 20; n++) tries.randomkey()
  const isOwn = (key: unknown): key is string => typeof key === 'string' && key.startsWith(prefix)
  const found = (await tries.exec()).map(([, key]) => key).find(isOwn)
  if (found !== undefined && !found.includes('\uFFFD')) return Buffer.from(found.slice(prefix.length))
  let cursor = '0'
  do {
    const [next, keys] = await asPlugin.redis.scanBuffer(cursor, 'MATCH', `${prefix}*`, 'COUNT', 1000)
    const key = keys[Math.floor(Math.random() * keys.length)]
    if (key !== undefined) return key.subarray(prefix.length)
    cursor = next.toString()
  } while (cursor !== '0')
  return null
}

async function answerRandomKey(ctx: HookContext, cmd: HookedCommand): Promise<Verdict> {
  try {
    return cmd.reply(await randomKey(ctx, prefixOf(ctx.user)))
  } catch (err) {
    ctx.log.warn({ err }, 'no random key')
    return cmd.deny('NOPERM', 'a tenant cannot use RANDOMKEY in transactions and scripts')
  }
}

function verdictOn(ctx: HookContext, cmd: HookedCommand): Verdict | Promise<Verdict> {
  if (cmd.name === 'RANDOMKEY') return answerRandomKey(ctx, cmd)
  const judgement = judge(tableNow(), prefixOf(ctx.user), cmd.name, cmd.args)
  if (judgement.kind === 'deny') return cmd.deny('NOPERM', `a tenant cannot use ${cmd.name}, ${judgement.why}`)
  return judgement.kind === 'rewrite' ? cmd.rewrite(judgement.args) : cmd.continue()
}

/** First before, and last after: other hooks see the keys as they are in the server. */
const asked = { user: tenants, timeoutMs: 1000, priority: -1000, handler: verdictOn }

export default definePlugin({
  name: 'tenant-prefix',
  hooks: {
    commands: before(asked),
    // Hooks of all commands are not asked about it.
    watch: before({ ...asked, command: 'WATCH' }),
    replies: after({
      wait: true,
      command: ['KEYS', 'SCAN', 'LMPOP', 'ZMPOP'],
      user: tenants,
      timeoutMs: 1000,
      priority: 1000,
      handler(ctx, cmd, result) {
        const reply = withoutPrefix(prefixOf(ctx.user), cmd.name, result.reply)
        return reply === undefined ? result.keep() : result.replace(reply)
      },
    }),
  },
  async setup(ctx) {
    table = readTable(await ctx.call('COMMAND'))
  },
})
