// The lane of a request closes while the server performs the request's declared reads: a read finds an expired key, and
// another module answers that event with a plugin's command, which takes the host along.
import test, { type ExecutionContext } from 'ava'
import type { Redis } from 'ioredis'
import { forEachServer, messageOf, startServer, testModule, until } from '../helpers/index.js'
import type { ServerProgram } from '#lib/servers/server-version.js'
import { assertLives, figure, havoc, served } from './faults.js'

const modules = [await testModule('calling')]
const key = 'calling:event'

/** The next read of the key finds it expired, which ends the host, from within. */
async function arm(client: Redis): Promise<void> {
  const milliseconds = async (): Promise<number> => {
    const [seconds, micros] = await client.time()
    return Number(seconds) * 1000 + Number(micros) / 1000
  }
  await client.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0')
  await client.set(key, 'x', 'PX', 1)
  const set = await milliseconds()
  await client.call('CALLING.RUN', 'later', '', 'HAVOC.KILL', 'SIGKILL')
  await until(async () => (await milliseconds()) > set + 1, { what: 'the key to have expired' })
}

function eachServer(title: string, body: (t: ExecutionContext, client: Redis, other: Redis) => Promise<void>): void {
  forEachServer(test, `faults: the host ends within the first reads of ${title}`, async (t, program: ServerProgram) => {
    await using server = await startServer({ server: program, plugins: [havoc], modules })
    const client = await server.client()
    const other = await server.client()
    await body(t, client, other)
    assertLives(t, server)
    t.is(await served(other, 'HAVOC.PING'), 'pong')
    t.is(await served(client, 'HAVOC.ADD', key), 1)
    t.is(await figure(client, 'inflight'), 0)
    t.is(await figure(client, 'host_restarts'), 1)
  })
}

const gone = /^UNAVAILABLE /

eachServer('a command', async (t, client) => {
  await arm(client)
  t.regex(await messageOf(client.call('HAVOC.READ', key)), gone)
})

eachServer('a guarded command', async (t, client) => {
  await arm(client)
  t.regex(await messageOf(client.call('HAVOC.ADD', key)), gone)
})

eachServer('a command in MULTI', async (t, client) => {
  await arm(client)
  const replies = await client.multi().call('HAVOC.ADD', key).exec()
  t.regex(replies?.[0]?.[0]?.message ?? '', gone)
})

eachServer('commands that wait for their turn', async (t, client, other) => {
  const id = String(await client.client('ID'))
  await other.set(key, 'wait')
  const first = messageOf(client.call('HAVOC.ADD', key))
  await until(async () => (await figure(other, 'inflight')) === 1)
  const waiting = [other.duplicate(), other.duplicate()]
  const replies = waiting.map((one) => messageOf(one.call('HAVOC.ADD', key)))
  await until(async () => (await figure(other, 'inflight')) === 3)
  await arm(other)
  await other.call('CLIENT', 'UNBLOCK', id)
  t.regex(await first, /^UNBLOCKED /)
  for (const reply of replies) t.regex(await reply, gone)
  for (const one of waiting) one.disconnect()
})
