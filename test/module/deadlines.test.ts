// Deadlines of requests that nobody answers, and CLIENT UNBLOCK, for commands that are guarded and that are not.
import test from 'ava'
import type { Redis } from 'ioredis'
import {
  fixturePlugin,
  forEachServer,
  shareServers,
  startServer,
  until,
  withSettings,
  type TestServer,
} from '../helpers/index.js'

async function inFlight(server: TestServer): Promise<number> {
  return Number(/ferrite_inflight:(\d+)/.exec(await server.cli('info', 'ferrite'))?.[1])
}

async function errorOf(reply: Promise<unknown>): Promise<string> {
  return await reply.then(
    (value) => `no error but ${String(value)}`,
    (err: unknown) => (err instanceof Error ? err.message : String(err)),
  )
}

shareServers(test, { plugins: [fixturePlugin('slow')] }, (it) => {
  it('deadline: a short one is kept though longer ones wait already', async (t, server) => {
    const [first, second, third] = [await server.client(), await server.client(), await server.client()]
    const long = errorOf(first.call('SLOW.SET', 'long', 'value', 'long'))
    await until(async () => (await inFlight(server)) === 1)
    const late = "TIMEOUT 'slow.set' did not answer in time"
    await withSettings(await server.client(), { 'ferrite.request-timeout': 200 }, async () => {
      t.is(await errorOf(second.call('SLOW.SET', 'a', 'value', 'never')), late)
      const pair = [second, third].map((client, i) => errorOf(client.call('SLOW.SET', `b${i}`, 'value', 'never')))
      t.deepEqual(await Promise.all(pair), [late, late])
    })
    t.is(await inFlight(server), 1, 'those that timed out are gone')
    t.is(await second.call('SLOW.OPEN', 'long'), 1)
    t.is(await long, 'no error but OK')
    t.is(await second.exists('a', 'b0', 'b1'), 0)
  })

  it('deadline: of guarded commands, of the one that runs and the one that waits for its turn', async (t, server) => {
    const [first, second] = [await server.client(), await server.client()]
    const append = (client: Redis, i: number): Promise<string> =>
      errorOf(client.call('SLOW.APPEND', 'guarded', 'a', `never${i}`))
    const both = (): Promise<readonly string[]> => Promise.all([first, second].map(append))
    const texts = await withSettings(await server.client(), { 'ferrite.request-timeout': 300 }, both)
    for (const text of texts) t.is(text, "TIMEOUT 'slow.append' did not answer in time")
    await until(async () => (await inFlight(server)) === 0)
    t.is(await first.get('guarded'), null)
  })

  it('deadline: CLIENT UNBLOCK ends a request', async (t, server) => {
    const [first, second] = [await server.client(), await server.client()]
    const id = String(await first.client('ID'))
    const plain = errorOf(first.call('SLOW.WAIT', 'unblocked'))
    await until(async () => (await inFlight(server)) === 1)
    t.is(await second.client('UNBLOCK', id), 1)
    t.is(await plain, "UNBLOCKED 'slow.wait' was unblocked")
    const guarded = errorOf(first.call('SLOW.APPEND', 'unblocked', 'a', 'unblocked'))
    await until(async () => (await inFlight(server)) === 1)
    t.is(await second.client('UNBLOCK', id, 'ERROR'), 1)
    t.regex(await guarded, /^UNBLOCKED/)
    await until(async () => (await inFlight(server)) === 0)
  })

  it('deadline: one that passes just before a conflict is kept in the run that follows', async (t, server) => {
    const [first, second, third] = [await server.client(), await server.client(), await server.client()]
    const begun = performance.now() // scripts of Redis 7.0 have no clock
    await first.eval('for i = 1, 2e7 do end', 0)
    const turnsPerMs = 2e7 / (performance.now() - begun)
    const busy = (name: string, ms: number): string => `redis.call('SET', KEYS[1], 'changed')
      redis.log(redis.LOG_WARNING, '${name} runs')
      for i = 1, ${Math.round(ms * turnsPerMs)} do end`
    const once = await withSettings(second, { 'ferrite.request-timeout': 1000 }, async () => {
      const reply = errorOf(first.call('SLOW.ONCE', 'once', '100'))
      await until(async () => (await inFlight(server)) === 1)
      return { reply }
    })
    // The answer arrives during the first script, so that the second runs between its arrival and the reply.
    const scripts = [second.eval(busy('the first script', 600), 1, 'other')]
    await server.logged('the first script runs')
    scripts.push(third.eval(busy('the second script', 800), 1, 'once'))
    await Promise.all(scripts)
    // TRYAGAIN: Redis 7.0 runs it again at once. A machine too slow for the race sees it served before the conflict.
    t.regex(await once.reply, /^TIMEOUT|^TRYAGAIN|^no error but OK$/)
    await until(async () => (await inFlight(server)) === 0)
  })
})

forEachServer(
  test,
  'FERRITE.PING: Redis 7.0 gave no reply when the answer came with the deadline',
  async (t, program) => {
    const config = { 'enable-debug-command': 'yes' }
    await using server = await startServer({ server: program, plugins: [fixturePlugin('slow')], config })
    const [client, other, third] = [await server.client(), await server.client(), await server.client()]
    const host = Number(/ferrite_host_pid:(\d+)/.exec(await client.info('ferrite'))?.[1])
    process.kill(host, 'SIGSTOP')
    const pong = client.call('FERRITE.PING')
    await until(async () => (await other.info('clients')).includes('blocked_clients:1\r'), { what: 'a blocked client' })
    // While the server does one thing, the host's answer and the next thing arrive, which takes until after the deadline.
    const busy = [other.call('DEBUG', 'SLEEP', '0.5'), third.call('DEBUG', 'SLEEP', '1.2')]
    process.kill(host, 'SIGCONT')
    t.true(Object.keys((await pong) as object).length > 0)
    t.deepEqual(await Promise.all(busy), ['OK', 'OK'])
  },
)
