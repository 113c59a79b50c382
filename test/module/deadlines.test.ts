// Deadlines of requests that nobody answers, and CLIENT UNBLOCK, for commands that are guarded and that are not.
import test from 'ava'
import { fixturePlugin, shareServers, until, type TestServer } from '../helpers/index.js'

async function inFlight(server: TestServer): Promise<number> {
  return Number(/ferrite_inflight:(\d+)/.exec(await server.cli('info', 'ferrite'))?.[1])
}

async function setTimeouts(server: TestServer, ms: number): Promise<void> {
  await server.cli('config', 'set', 'ferrite.request-timeout', String(ms))
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
    await setTimeouts(server, 60_000)
    const long = errorOf(first.call('SLOW.SET', 'long', 'value', 'long'))
    await until(async () => (await inFlight(server)) === 1)
    await setTimeouts(server, 200)
    const late = "TIMEOUT 'slow.set' did not answer in time"
    t.is(await errorOf(second.call('SLOW.SET', 'a', 'value', 'never')), late)
    const pair = [second, third].map((client, i) => errorOf(client.call('SLOW.SET', `b${i}`, 'value', 'never')))
    t.deepEqual(await Promise.all(pair), [late, late])
    t.is(await inFlight(server), 1, 'those that timed out are gone')
    t.is(await second.call('SLOW.OPEN', 'long'), 1)
    t.is(await long, 'no error but OK')
    t.is(await second.exists('a', 'b0', 'b1'), 0)
  })

  it('deadline: of guarded commands, of the one that runs and the one that waits for its turn', async (t, server) => {
    const [first, second] = [await server.client(), await server.client()]
    await setTimeouts(server, 300)
    const both = [first, second].map((client, i) => errorOf(client.call('SLOW.APPEND', 'guarded', 'a', `never${i}`)))
    for (const text of await Promise.all(both)) t.is(text, "TIMEOUT 'slow.append' did not answer in time")
    await until(async () => (await inFlight(server)) === 0)
    t.is(await first.get('guarded'), null)
  })

  it('deadline: CLIENT UNBLOCK ends a request', async (t, server) => {
    await setTimeouts(server, 60_000)
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
})
