// Events that plugins and clients emit: who hears them, with what, who may emit, and where loops end.
import test from 'ava'
import type { Redis } from 'ioredis'
import { compareVersions } from '#lib/servers/server-version.js'
import { kMostWaitingEvents } from '#lib/host/event-queue.js'
import {
  fixturePlugin,
  forEachServer,
  listened,
  messageOf,
  readAof,
  shareServers,
  startServer,
  until,
  untilInStep,
  untilListened,
} from '../helpers/index.js'

const plugins = [fixturePlugin('listener'), fixturePlugin('emitter')]

/** What the listener has heard, without what comes with every event, until so many events have come. */
async function news(client: Redis, count = 1): Promise<readonly object[]> {
  const seen = await untilListened(client, 'news', (all) => all.length >= count)
  return seen.map((one) => Object.fromEntries(Object.entries(one).filter(([name]) => name !== 'now')))
}

const ofPlugin = { type: 'news', name: 'news', plugin: 'emitter', clientId: null, user: null, hops: 1, dropped: 0 }

for (const [workers, config] of [
  ['workers of their own', {}],
  ['one worker', { 'ferrite.max-lanes': 2 }],
] as const) {
  shareServers(test, { plugins, config }, (it) => {
    it(`emitted events: between plugins in ${workers}, with JSON values and bytes`, async (t, server) => {
      const client = await server.client()
      await listened(client, 'news')
      const payload = { list: [1, 'two', null, true, { three: 3.5 }], text: 'zażółć' }
      await client.call('EMITTER.EMIT', 'news', JSON.stringify(payload))
      t.deepEqual(await news(client), [{ ...ofPlugin, payload }])
      await client.call('EMITTER.EMIT', 'news')
      t.deepEqual(await news(client), [ofPlugin])
      await client.call('EMITTER.BYTES', 'news', 3)
      t.deepEqual(await news(client), [{ ...ofPlugin, bytes: 'ffffff' }])
    })

    it(`emitted events: a loop of two plugins in ${workers} is cut, and logged`, async (t, server) => {
      const client = await server.client()
      t.is(await client.call('FERRITE.EMIT', 'ping'), 1)
      const seen = await untilListened(client, 'pong', (all) => all.some((one) => one['hops'] === 7))
      t.deepEqual(
        seen.map((one) => one['hops']),
        [1, 3, 5, 7],
      )
      await server.logged(/emitter: an event hook failed hook=ping event=ping .*LOOP 'pong' is not emitted: 8 events/)
      t.is(await client.call('EMITTER.HEARD', 'ping'), 5)
    })
  })
}

shareServers(test, { plugins }, (it, program) => {
  it('emitted events: from hooks and timers', async (t, server) => {
    const client = await server.client()
    await listened(client, 'news')
    await client.set('emit:1', 1)
    t.deepEqual(await news(client), [{ ...ofPlugin, payload: { key: 'emit:1' } }])
    await client.call('EMITTER.TICK')
    t.deepEqual(await news(client), [{ ...ofPlugin, payload: 'tick' }])
  })

  it('emitted events: the emitter hears its own only where it asks to', async (t, server) => {
    const client = await server.client()
    await client.call('EMITTER.EMIT', 'own')
    await until(async () => (await client.call('EMITTER.HEARD', 'own')) === 1)
    t.is(await client.call('EMITTER.HEARD', 'others'), 0)
    t.is(await client.call('FERRITE.EMIT', 'own'), 1)
    await until(async () => (await client.call('EMITTER.HEARD', 'others')) === 1)
  })

  it('emitted events: what multiplies comes to an end', async (t, server) => {
    const client = await server.client()
    await client.call('FERRITE.EMIT', 'twice')
    // One of the client, then 2, 4, … 256.
    await until(async () => (await client.call('EMITTER.HEARD', 'twice')) === 511)
    await client.call('EMITTER.EMIT', 'own')
    await until(async () => Number(await client.call('EMITTER.HEARD', 'own')) > 0)
    t.is(await client.call('EMITTER.HEARD', 'twice'), 511)
  })

  it('emitted events: in their order', async (t, server) => {
    const client = await server.client()
    await client.call('EMITTER.MANY', 'flood', 3000)
    const seen = await untilListened(client, 'flood', (all) => all.length >= 3000)
    t.deepEqual(
      seen.map((one) => one['payload']),
      Array.from({ length: 3000 }, (_, n) => n),
    )
  })

  it('emitted events: what a slow plugin misses is counted and told', async (t, server) => {
    const client = await server.client()
    await client.call('LISTENER.HOLD')
    const count = kMostWaitingEvents + 2001 // the first one is in the handler's hands
    const sent = async (): Promise<number> =>
      Number(/ferrite_events_sent:(\d+)/.exec(await client.info('ferrite'))?.[1])
    const before = await sent()
    await client.call('EMITTER.MANY', 'flood', count)
    await until(async () => (await sent()) >= before + count)
    await client.call('LISTENER.RELEASE')
    const waited = await untilListened(client, 'flood', (all) => all.length === kMostWaitingEvents + 1)
    await client.call('FERRITE.EMIT', 'flood', 'end')
    const then = await untilListened(client, 'flood', (all) => all.some((one) => one['payload'] === 'end'))
    const dropped = [...waited, ...then].reduce((sum, one) => sum + one.dropped, 0)
    t.log(`${String(count)} events while the handler waited: ${String(dropped)} dropped and told`)
    t.true(dropped > 0)
    t.is(waited.length + then.length - 1 + dropped, count)
  })

  it('emitted events: names and payloads that are none are refused', async (t, server) => {
    const client = await server.client()
    const refusals: readonly (readonly [RegExp, ...string[]])[] = [
      [/wrong number of arguments/, 'FERRITE.EMIT'],
      [/wrong number of arguments/, 'FERRITE.EMIT', 'a', 'b', 'c'],
      [/the name of an event is a letter/, 'FERRITE.EMIT', ''],
      [/the name of an event is a letter/, 'FERRITE.EMIT', '1st'],
      [/the name of an event is a letter/, 'FERRITE.EMIT', 'two words'],
      [/the name of an event is a letter/, 'FERRITE.EMIT', 'line\r\n'],
      [/the name of an event is a letter/, 'FERRITE.EMIT', 'nul\0'],
      [/the name of an event is a letter/, 'FERRITE.EMIT', 'x'.repeat(65)],
      [/at most 1 MiB/, 'FERRITE.EMIT', 'news', 'x'.repeat(1024 * 1024 + 1)],
      [/plugin emitter failed/, 'EMITTER.EMIT', 'two words'],
      [/plugin emitter failed/, 'EMITTER.BYTES', 'news', String(1024 * 1024 + 1)],
    ]
    for (const [expected, ...words] of refusals) {
      t.regex(await messageOf(client.call(...(words as [string]))), expected, words.join(' ').slice(0, 60))
    }
    await server.logged(/RangeError: the payload of an event has at most 1048576 bytes, got 1048577/)
    await listened(client, 'news')
    t.is(await client.call('FERRITE.EMIT', 'news', 'x'.repeat(1024 * 1024)), 1)
    t.is(((await news(client))[0] as { payload: string }).payload.length, 1024 * 1024)
  })

  it('emitted events: of clients are strings, with who has sent them', async (t, server) => {
    const client = await server.client()
    // Redis 7.0 has no categories for modules' commands.
    const rule = compareVersions(program.version, '7.2') < 0 ? '+ferrite.emit' : '+@write'
    await client.call('ACL', 'SETUSER', 'editor', 'on', 'nopass', rule)
    const editor = await server.client({ username: 'editor', password: 'x', enableReadyCheck: false })
    await listened(client, 'news')
    t.is(await editor.call('FERRITE.EMIT', 'news', '{"a":1}'), 1)
    const [first] = await news(client)
    t.like(first, { plugin: null, user: 'editor', payload: '{"a":1}', hops: 0 })
    t.true((first as { clientId: number }).clientId > 0)
    t.is(await client.call('FERRITE.EMIT', 'order.paid'), 1)
    t.like((await news(client))[0], { type: 'order.paid', user: 'default', payload: undefined })
    t.is(await client.call('FERRITE.EMIT', 'nobody.listens', 'x'), 0)
  })

  it('emitted events: of clients in MULTI, in scripts, and with DISCARD', async (t, server) => {
    const client = await server.client()
    await listened(client, 'news')
    await client.multi({ pipeline: false })
    t.is(await client.call('FERRITE.EMIT', 'news', 'discarded'), 'QUEUED')
    t.is(await client.call('DISCARD'), 'OK')
    const replies = await client.multi().set('k', 1).call('FERRITE.EMIT', 'news', 'in MULTI').get('k').exec()
    t.deepEqual(replies, [
      [null, 'OK'],
      [null, 1],
      [null, '1'],
    ])
    t.is(await client.eval("return redis.call('FERRITE.EMIT', 'news', ARGV[1])", 0, 'in a script'), 1)
    const seen = (await news(client, 2)) as { payload: string; user: string }[]
    t.deepEqual(
      seen.map(({ payload, user }) => [payload, user]),
      [
        ['in MULTI', 'default'],
        ['in a script', 'default'],
      ],
    )
  })

  it('emitted events: plugins emit by ctx.emit alone', async (t, server) => {
    const client = await server.client()
    const [direct, scripted] = (await client.call('EMITTER.CALL')) as string[]
    t.regex(direct ?? '', /plugins may not call 'ferrite.emit'/)
    t.regex(scripted ?? '', /plugins emit events with ctx.emit/)
  })

  it('emitted events: FERRITE.EMIT is documented, and listed by FERRITE.HELP and FERRITE.PLUGIN INFO', async (t, server) => {
    const client = await server.client()
    const help = (await client.call('FERRITE.HELP')) as string[]
    t.true(help.some((line) => line.startsWith('FERRITE.EMIT <event> [payload] -- ')))
    t.regex(JSON.stringify(await client.call('COMMAND', 'DOCS', 'FERRITE.EMIT')), /Tells plugins of an event/)
    const info = JSON.stringify(await client.call('FERRITE.PLUGIN', 'INFO', 'listener'))
    t.true(info.includes('"event-hooks",["news","pong","flood"]'), info)
    t.true(info.includes('"server-hooks",["server","startup","end"]'), info)
    t.true(info.includes('"client-hooks",["clients","gone","slow","bad"]'), info)
  })

  it('emitted events: FERRITE.PLUGIN INFO counts what was handled, and what has failed', async (t, server) => {
    const client = await server.client()
    await client.call('FERRITE.EMIT', 'ping')
    const counted = async (): Promise<boolean> =>
      JSON.stringify(await client.call('FERRITE.PLUGIN', 'INFO', 'emitter')).includes(
        '"ping",["handled",5,"failed",1,"dropped",0]',
      )
    await until(counted)
    t.pass()
  })
})

forEachServer(
  test,
  'emitted events: who may not write may not emit',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins })
    const client = await server.client()
    await client.call('ACL', 'SETUSER', 'reader', 'on', 'nopass', '+@read', '+@fast', '-@write')
    const reader = await server.client({ username: 'reader', password: 'x', enableReadyCheck: false })
    t.regex(await messageOf(reader.call('FERRITE.EMIT', 'news')), /NOPERM/)
  },
  { since: '7.2' },
)

forEachServer(test, 'emitted events: stay on their server, and write nothing', async (t, program) => {
  await using primary = await startServer({ server: program, plugins, aof: true })
  await using replica = await startServer({ server: program, plugins, replicaOf: primary })
  const [one, other] = [await primary.client(), await replica.client()]
  await listened(other, 'news')
  t.is(await one.call('FERRITE.EMIT', 'news', 'of the primary'), 1)
  await news(one)
  await one.set('k', 1)
  await untilInStep(primary, replica)
  t.is(await other.call('FERRITE.EMIT', 'news', 'of the replica'), 1)
  const seen = (await news(other)) as { payload: string }[]
  t.deepEqual(
    seen.map(({ payload }) => payload).filter((payload) => payload !== 'setup of the emitter'),
    ['of the replica'],
  )
  t.false(JSON.stringify(await readAof(primary.folder)).includes('of the primary'))
})
