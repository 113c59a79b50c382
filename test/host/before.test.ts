// Before hooks on a lane: what the module gets for each verdict, and for a handler that gives none.
import test, { type ExecutionContext } from 'ava'
import { setTimeout as delay } from 'node:timers/promises'
import { RespError } from '#lib/bridge/resp.js'
import { before, definePlugin, PluginError, reply, type BeforeOptions, type HookContext } from 'ferrite-plugins/sdk'
import { until } from '../helpers/until.js'
import { hostPlugin } from './lane-host.js'

const name = 'hook guard/check'

/** A plugin with one hook. */
function hostHook(t: ExecutionContext, handler: BeforeOptions['handler'], options: Partial<BeforeOptions> = {}) {
  return hostPlugin(t, definePlugin({ name: 'guard', hooks: { check: before({ ...options, handler }) } }))
}

const nothing = { reply: null, commit: undefined, assumed: undefined }

test('before: a hook is attached by the names of plugin and hook', async (t) => {
  const { lane } = await hostHook(t, (_ctx, cmd) => cmd.continue())
  t.deepEqual(lane.attached('guard')?.commands, [{ name, code: 0 }])
  t.deepEqual(lane.attached('guard')?.subscriptions, [])
})

test('before: the handler sees the command as the client sent it', async (t) => {
  const seen: [string, readonly Buffer[]][] = []
  const { lane } = await hostHook(t, (_ctx, cmd) => {
    seen.push([cmd.name, cmd.args])
    return cmd.continue()
  })
  await lane.invoke(name, ['config', 'set', Buffer.from([0xff, 0])])
  await lane.invoke(name, ['PING'])
  t.deepEqual(seen, [['CONFIG', [Buffer.from('set'), Buffer.from([0xff, 0])]], ['PING', []]]) // prettier-ignore
})

test('before: each verdict has its outcome', async (t) => {
  const { lane, log } = await hostHook(t, (_ctx, cmd) => {
    const [what] = cmd.args.map(String)
    if (what === 'deny') return cmd.deny('TOOBIG', 'user\r\ntoo large')
    if (what === 'rewrite') return cmd.rewrite(['key', 1, -2.5, 3n, Buffer.from([0xff]), 'ä'])
    if (what === 'rename') return cmd.rewrite([], 'PING')
    if (what === 'reply') return cmd.reply({ a: [1, null, reply.simple('OK')] })
    return cmd.continue()
  })
  t.deepEqual(await lane.invoke(name, ['Set', 'continue']), { outcome: 4, ...nothing })
  t.deepEqual(await lane.invoke(name, ['Set', 'deny']), {
    ...nothing,
    outcome: 1,
    reply: new RespError('TOOBIG', 'user too large'),
  })
  t.deepEqual(await lane.invoke(name, ['Set', 'rename']), { ...nothing, outcome: 5, reply: ['PING'] })
  t.like(await lane.invoke(name, ['Set', 'reply']), { outcome: 0 })
  const [rewritten] = await lane.answers(lane.invokeOf(name, ['Set', 'rewrite']))
  t.deepEqual(rewritten, { ...nothing, outcome: 5, reply: ['Set', 'key', '1', '-2.5', '3', '\ufffd', 'ä'] })
  const bytes = lane.all('RESULT').at(-1)?.reply.toString('latin1')
  t.is(bytes, '*7\r\n$3\r\nSet\r\n$3\r\nkey\r\n$1\r\n1\r\n$4\r\n-2.5\r\n$1\r\n3\r\n$1\r\n\xff\r\n$2\r\n\xc3\xa4\r\n')
  t.deepEqual(log, [])
})

test('before: verdicts may come later, in the order in which they are given', async (t) => {
  const waiting: (() => void)[] = []
  const { lane } = await hostHook(t, async (_ctx, cmd) => {
    if (cmd.name === 'LAST') await new Promise<void>((resolve) => waiting.push(resolve))
    if (cmd.name === 'NEXT') for (const release of waiting) release()
    return cmd.name === 'LAST' ? cmd.deny('ERR', 'late') : cmd.continue()
  })
  const invokes = ['LAST', 'NEXT'].map((each) => lane.invokeOf(name, [each]))
  const answers = await lane.answers(...invokes)
  t.deepEqual(answers.map(({ outcome }) => outcome), [1, 4]) // prettier-ignore
  t.deepEqual(lane.all('RESULT').map(({ id }) => id), [invokes[1]?.id, invokes[0]?.id]) // prettier-ignore
})

test('before: the context says who calls, and has nothing to commit with', async (t) => {
  let seen: HookContext | undefined
  const { lane } = await hostHook(t, async (ctx, cmd) => {
    seen = ctx
    await ctx.redis.get('a')
    await ctx.asPlugin.redis.get('b')
    return cmd.continue()
  })
  const invoke = lane.invokeOf(name, ['GET', 'a'], { user: 'bob', clientId: 9, db: 3, resp: 2, now: 1785000000000 })
  await lane.answers(invoke)
  t.like(seen, { user: 'bob', clientId: 9, db: 3, resp: 2, now: 1785000000000 })
  t.is(seen !== undefined && ('commit' in seen || 'reads' in seen), false)
  t.like(lane.all('CALL')[0], { requestId: invoke.id, plugin: 'guard', flags: 0 })
  t.like(lane.all('CALL')[1], { requestId: invoke.id, plugin: 'guard', flags: 4 })
})

/** Runs a hook that fails; gives what the log says of it. */
async function failureOf(t: ExecutionContext, handler: (...args: Parameters<BeforeOptions['handler']>) => unknown) {
  const { lane, log } = await hostHook(t, handler as BeforeOptions['handler'])
  const { outcome, reply: answer } = await lane.invoke(name, ['set', 'secret'])
  t.is(outcome, 2)
  const message = answer instanceof RespError ? `${answer.code} ${answer.message}` : ''
  const id = /^ERR hook guard\/check failed \(id ([0-9a-f]{8})\)$/.exec(message)?.[1]
  t.truthy(id, message)
  const entry = await until(() => log.find((line) => line.includes(`id=${id ?? ''}`)))
  t.true(entry.startsWith('<3>guard: hook check '), entry)
  t.false(log.some((line) => line.includes('secret')))
  return log.join('\n')
}

test('before: a handler that throws has failed, and the log has the stack', async (t) => {
  const failures = [
    () => {
      throw new Error('boom')
    },
    async () => {
      await delay(1)
      throw new Error('boom')
    },
  ]
  for (const handler of failures) {
    const log = await failureOf(t, handler)
    t.regex(log, /hook check failed on SET/)
    t.regex(log, /boom[^]*before\.test/)
  }
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what must not break the host
  t.regex(await failureOf(t, () => Promise.reject(null)), /hook check failed on SET/)
})

test('before: a thrown PluginError is a failure, not a denial', async (t) => {
  const log = await failureOf(t, () => {
    throw new PluginError('NOPERM', 'on Sundays')
  })
  t.regex(log, /hook check failed on SET with an error reply; only cmd\.deny\(\) refuses the command/)
  t.regex(log, /on Sundays/)
})

test('before: a missing verdict is a failure, and the log says what came instead', async (t) => {
  t.regex(await failureOf(t, () => undefined), /gave no verdict on SET: got nothing; return cmd\.continue\(\)/)
  t.regex(await failureOf(t, () => Promise.resolve('OK')), /gave no verdict on SET: got a string; return/)
  t.regex(await failureOf(t, (_ctx, cmd) => () => cmd.continue()), /gave no verdict on SET: got a function; return/)
  t.regex(await failureOf(t, () => ({ kind: 'continue' })), /gave no verdict on SET: got an object; return/)
})

test('before: a verdict that cannot be sent is a failure', async (t) => {
  const wrong = undefined as never
  t.regex(
    await failureOf(t, (_ctx, cmd) => cmd.reply({ a: [1, wrong] })),
    /cannot answer SET: reply\.a\[1\] is undefined/,
  )
  t.regex(await failureOf(t, (_ctx, cmd) => cmd.rewrite(['a', wrong])), /argument 2 of SET is undefined/)
  t.regex(await failureOf(t, (_ctx, cmd) => cmd.rewrite([], 'CONFIG|SET')), /'CONFIG\|SET' is no name of a command/)
  t.regex(await failureOf(t, (_ctx, cmd) => cmd.rewrite([], '')), /'' is no name of a command/)
  t.regex(await failureOf(t, (_ctx, cmd) => cmd.deny('no', 'x')), /error code .*no.* is not valid/)
})

test('before: a hook that nobody waits for any more is told, and its verdict dropped', async (t) => {
  const reasons: unknown[] = []
  const { lane } = await hostHook(t, async (ctx, cmd) => {
    if (cmd.name === 'PING') return cmd.continue()
    await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
    reasons.push(ctx.signal.reason)
    return cmd.deny('ERR', 'too late')
  })
  const invoke = lane.invokeOf(name, ['SET'])
  lane.send(invoke, { type: 'CANCEL', id: invoke.id, reason: 'client gone' })
  await until(() => reasons.length === 1)
  t.is((await lane.invoke(name, ['PING'])).outcome, 4)
  t.deepEqual(lane.all('RESULT').map(({ outcome }) => outcome), [4]) // prettier-ignore
})

test('before: a hook of a plugin that has ended fails', async (t) => {
  const { lane, runtime, plugin } = await hostHook(t, (_ctx, cmd) => cmd.continue())
  runtime.detach(plugin, 'it is to end')
  await lane.next('DETACH')
  const { outcome, reply: answer } = await lane.invoke(name, ['SET'])
  t.is(outcome, 2)
  t.deepEqual(answer, new RespError('ERR', 'the plugin does not serve this any more'))
})
