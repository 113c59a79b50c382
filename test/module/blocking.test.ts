// A client that waits for a plugin: unblocked, timed out, gone, or with a cache to keep right.
import { createConnection } from 'node:net'
import test from 'ava'
import type { Redis } from 'ioredis'
import { fixturePlugin, messageOf, RawClient, shareServers, until, withSettings } from '../helpers/index.js'

const plugins = ['slow', 'counters', 'caller'].map(fixturePlugin)

async function untilWaiting(client: Redis, gate: string): Promise<void> {
  await until(async () => (await client.call('SLOW.WAITING', gate)) === 1, { what: `somebody to wait at ${gate}` })
}

async function inFlight(client: Redis): Promise<number> {
  return Number(/ferrite_inflight:(\d+)/.exec(await client.info('ferrite'))?.[1])
}

/** What the plugin was told: why each wait ended. */
async function untilEnded(client: Redis, gate: string): Promise<string> {
  const find = async (): Promise<string | undefined> =>
    ((await client.call('SLOW.ENDED')) as string[]).find((line) => line.startsWith(`${gate}:`))
  return await until(find, { what: `ctx.signal to fire for ${gate}` })
}

shareServers(test, { plugins }, (it) => {
  it('CLIENT UNBLOCK: ends the wait with an error, and the plugin is told', async (t, server) => {
    const [waiter, other] = [await server.client(), await server.client()]
    const id = await waiter.client('ID')
    const reply = messageOf(waiter.call('SLOW.WAIT', 'unblock'))
    await untilWaiting(other, 'unblock')
    t.is(await other.client('UNBLOCK', id), 1)
    t.regex(await reply, /^UNBLOCKED /)
    t.regex(await untilEnded(other, 'unblock'), /unblock/i)
    t.is(await waiter.ping(), 'PONG')
    t.is(await inFlight(other), 0)
  })

  it('CLIENT UNBLOCK ERROR: ends the wait with an error', async (t, server) => {
    const [waiter, other] = [await server.client(), await server.client()]
    const id = await waiter.client('ID')
    const reply = messageOf(waiter.call('SLOW.WAIT', 'unblock-error'))
    await untilWaiting(other, 'unblock-error')
    t.is(await other.call('CLIENT', 'UNBLOCK', String(id), 'ERROR'), 1)
    t.regex(await reply, /^UNBLOCKED /)
    await untilEnded(other, 'unblock-error')
    t.is(await waiter.ping(), 'PONG')
    t.is(await inFlight(other), 0)
  })

  for (const form of ['TIMEOUT', 'ERROR']) {
    it(`CLIENT UNBLOCK ${form}: ends the wait of a guarded command, which writes nothing`, async (t, server) => {
      const [waiter, other] = [await server.client(), await server.client()]
      const id = await waiter.client('ID')
      const reply = messageOf(waiter.call('SLOW.APPEND', 'k', 'x', form))
      await untilWaiting(other, form)
      t.is(await other.call('CLIENT', 'UNBLOCK', String(id), form), 1)
      t.regex(await reply, /^UNBLOCKED /)
      await other.call('SLOW.OPEN', form)
      t.is(await other.call('COUNTER.PEEK', 'k'), 0)
      t.is(await other.exists('k'), 0)
      t.is(await inFlight(other), 0)
      await other.call('SLOW.APPEND', 'other', '', form)
    })
  }

  it('CLIENT UNBLOCK: whenever it comes, the client gets one reply', async (t, server) => {
    using waiter = await RawClient.connect(server.port)
    using other = await RawClient.connect(server.port)
    const id = String(Number((await waiter.text('CLIENT', 'ID')).slice(1)))
    const kinds = { answered: 0, unblocked: 0 }
    for (let round = 0; round < 300; round++) {
      const reply = waiter.text('COUNTER.PEEK', 'k')
      for (let n = round % 7; n > 0; n--) await other.ask('PING')
      await other.ask('CLIENT', 'UNBLOCK', id, round % 2 === 0 ? 'TIMEOUT' : 'ERROR')
      const text = await reply
      if (text === ':0\r\n') kinds.answered++
      else if (/^-UNBLOCKED [^\r\n]*\r\n$/.test(text)) kinds.unblocked++
      else return t.fail(`round ${String(round)} was answered with ${JSON.stringify(text)}`)
    }
    t.log(JSON.stringify(kinds))
    t.pass()
  })

  it('timeout: timeoutMs of the command ends it with -TIMEOUT, and the plugin is told', async (t, server) => {
    const client = await server.client()
    const began = performance.now()
    t.regex(await messageOf(client.call('SLOW.TIMED', 'own')), /^TIMEOUT 'slow\.timed' did not answer in time$/)
    const took = performance.now() - began
    t.true(took >= 140, `took ${took.toFixed(0)} ms`)
    t.log(`-TIMEOUT after ${took.toFixed(0)} ms of 150`)
    await untilEnded(client, 'own')
    t.is(await inFlight(client), 0)
  })

  it('timeout: ferrite.request-timeout is for commands without one of their own', async (t, server) => {
    const client = await server.client()
    const late = (): Promise<string> => messageOf(client.call('SLOW.WAIT', 'general'))
    t.regex(await withSettings(client, { 'ferrite.request-timeout': 200 }, late), /^TIMEOUT/)
    await untilEnded(client, 'general')
    t.is(await inFlight(client), 0)
  })

  it('timeout: what a handler commits after it is not done', async (t, server) => {
    const client = await server.client()
    const late = (): Promise<string> => messageOf(client.call('SLOW.SET', 'k', 'late', 'too-late'))
    t.regex(await withSettings(client, { 'ferrite.request-timeout': 200 }, late), /^TIMEOUT/)
    t.is(await client.call('SLOW.OPEN', 'too-late'), 1)
    t.is(await client.call('SLOW.WAITING', 'too-late'), 0)
    t.is(await client.exists('k'), 0)
  })

  it('disconnect: a client that goes cancels its call', async (t, server) => {
    const [waiter, other] = [await server.client(), await server.client()]
    waiter.call('SLOW.WAIT', 'leaver').catch(() => undefined)
    await untilWaiting(other, 'leaver')
    waiter.disconnect()
    t.regex(await untilEnded(other, 'leaver'), /gone/i)
    t.is(await inFlight(other), 0)
  })

  it('disconnect: CLIENT KILL cancels as well', async (t, server) => {
    const [waiter, other] = [await server.client(), await server.client()]
    const id = await waiter.client('ID')
    waiter.call('SLOW.WAIT', 'killed').catch(() => undefined)
    await untilWaiting(other, 'killed')
    await other.client('KILL', 'ID', id)
    await untilEnded(other, 'killed')
    t.is(await inFlight(other), 0)
  })

  it('disconnect: half a thousand clients that all go leave nothing behind', async (t, server) => {
    const other = await server.client()
    const sockets = Array.from({ length: 500 }, () => createConnection({ port: server.port, host: '127.0.0.1' }))
    for (const socket of sockets) {
      socket.on('error', () => undefined)
      socket.write('SLOW.WAIT crowd\r\n')
    }
    await until(async () => (await other.call('SLOW.WAITING', 'crowd')) === 500)
    for (const socket of sockets) socket.resetAndDestroy()
    await until(async () => (await inFlight(other)) === 0, { what: 'no request in flight' })
    t.is(await other.ping(), 'PONG')
    await until(async () => /connected_clients:[1-5]\r/.test(await other.info('clients')))
  })

  it('CLIENT PAUSE WRITE: a commit waits for its end and is then done', async (t, server) => {
    const [waiter, other] = [await server.client(), await server.client()]
    const reply = waiter.call('SLOW.SET', 'k', 'v', 'paused')
    await untilWaiting(other, 'paused')
    await other.client('PAUSE', 60_000, 'WRITE')
    await other.call('SLOW.OPEN', 'paused')
    t.is(await other.call('SLOW.WAITING', 'paused'), 0)
    t.is(await other.exists('k'), 0)
    await other.client('UNPAUSE')
    t.is(await reply, 'OK')
    t.is(await other.get('k'), 'v')
  })

  it('CLIENT PAUSE WRITE: a guarded commit waits too, and looks at its reads again', async (t, server) => {
    const [waiter, other] = [await server.client(), await server.client()]
    const reply = waiter.call('SLOW.APPEND', 'k', 'x', 'paused-guard')
    await untilWaiting(other, 'paused-guard')
    await other.client('PAUSE', 60_000, 'WRITE')
    await other.call('SLOW.OPEN', 'paused-guard')
    t.is(await other.call('SLOW.WAITING', 'paused-guard'), 0)
    await other.client('UNPAUSE')
    t.is(await reply, 'x')
    t.is(await other.get('k'), 'x')
    await other.call('SLOW.APPEND', 'k', '', 'paused-guard')
  })

  it('CLIENT PAUSE ALL: a call of ctx.redis that writes waits for its end', async (t, server) => {
    const [waiter, other] = [await server.client(), await server.client()]
    await waiter.call('CALLER.GET', 'k')
    await other.client('PAUSE', 60_000, 'WRITE')
    const reply = waiter.call('CALLER.CALL', 'SET', 'k', 'v')
    await until(async () => (await inFlight(other)) === 1 || /blocked_clients:[1-9]/.test(await other.info('clients')))
    t.is(await other.exists('k'), 0)
    await other.client('UNPAUSE')
    t.is(await reply, 'OK')
    t.is(await other.get('k'), 'v')
  })

  it('tracking: a keyed command that only reads answers a tracking client with nothing stale', async (t, server) => {
    const [writer, other] = [await server.client(), await server.client()]
    using tracker = await RawClient.connect(server.port, 3)
    await tracker.ask('CLIENT', 'TRACKING', 'ON')
    for (let round = 1; round <= 50; round++) {
      await writer.set('k', `before ${String(round)}`)
      // Changed while the command runs, and once again afterwards: whatever was answered has to be invalidated.
      const writes = Promise.all([writer.set('k', `during ${String(round)}`), other.set('k', `after ${String(round)}`)])
      const first = await tracker.text('CALLER.GET', 'k')
      await writes
      await writer.set('k', `end ${String(round)}`)
      const rest = await tracker.text('PING')
      t.regex(
        `${first}${rest}`,
        /(before|during|after) \d+\r\n[^]*>2\r\n\$10\r\ninvalidate\r\n\*1\r\n\$1\r\nk\r\n/,
        `round ${String(round)}`,
      )
    }
  })

  it('tracking: such a command is answered synchronously, so that nothing can come in between', async (t, server) => {
    const other = await server.client()
    using tracker = await RawClient.connect(server.port, 3)
    await tracker.ask('CLIENT', 'TRACKING', 'ON')
    await other.set('k', '1')
    const before = Number(/ferrite_commands_sync:(\d+)/.exec(await other.info('ferrite'))?.[1])
    t.is(await tracker.text('COUNTER.PEEK', 'k'), ':1\r\n')
    t.is(Number(/ferrite_commands_sync:(\d+)/.exec(await other.info('ferrite'))?.[1]), before + 1)
    await other.set('k', '2')
    t.regex(await tracker.text('PING'), /invalidate/)
  })

  it('tracking: one whose handler waits is given up, the client keeps no value', async (t, server) => {
    const other = await server.client()
    using tracker = await RawClient.connect(server.port, 3)
    await tracker.ask('CLIENT', 'TRACKING', 'ON')
    await other.set('k', '1')
    const late = (): Promise<string> => tracker.text('SLOW.READ', 'k', 'tracked')
    t.regex(await withSettings(other, { 'ferrite.sync-timeout': 5 }, late), /^-TIMEOUT /)
    await until(async () => (await other.call('SLOW.OPEN', 'tracked')) === 1)
    t.is(await tracker.text('COUNTER.PEEK', 'k'), ':1\r\n')
  })

  it("tracking: one with inTransaction 'refuse' says why it is refused", async (t, server) => {
    const client = await server.client()
    await client.set('k', '1')
    t.is(await client.call('COUNTER.PEEKREFUSING', 'k'), 1)
    await client.call('CLIENT', 'TRACKING', 'ON')
    t.is(
      await messageOf(client.call('COUNTER.PEEKREFUSING', 'k')),
      "ERR 'counter.peekrefusing' cannot run for clients with CLIENT TRACKING, which would keep what changes while " +
        'they wait: use a connection without',
    )
    await client.call('CLIENT', 'TRACKING', 'OFF')
    t.is(await client.call('COUNTER.PEEKREFUSING', 'k'), 1)
  })

  it('tracking: in broadcast mode writes of plugins are told', async (t, server) => {
    const other = await server.client()
    using tracker = await RawClient.connect(server.port, 3)
    await tracker.ask('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'b:')
    await other.call('COUNTER.INCR', 'b:k')
    await other.call('CALLER.SET', 'b:l', 'v')
    const told = await until(async () => {
      const text = await tracker.text('PING')
      return text.includes('b:') ? text : undefined
    })
    t.regex(told, /invalidate/)
  })
})
