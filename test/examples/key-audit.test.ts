import test from 'ava'
import type { Redis } from 'ioredis'
import { example, forEachServer, startServer, until } from '../helpers/index.js'

const plugins = [example('key-audit')]

/** The stream's entries as objects. */
async function entries(client: Redis): Promise<Record<string, string>[]> {
  const rows = await client.xrange('audit:keys', '-', '+')
  return rows.map(([, fields]) =>
    Object.fromEntries(fields.flatMap((name, at) => (at % 2 === 0 ? [[name, fields[at + 1] ?? '']] : []))),
  )
}

forEachServer(test, 'key-audit: writes the events of user keys in their order', async (t, program) => {
  await using server = await startServer({ server: program, plugins })
  const client = await server.client()
  const begun = Date.now()
  await client.set('user:1', 'a')
  await client.set('other', 'a')
  await client.hset('user:2', 'name', 'x')
  await client.del('user:1')
  const wanted = ['set user:1', 'hset user:2', 'del user:1']
  const seen = async (): Promise<string[]> =>
    (await entries(client))
      .map(({ event, key }) => `${event ?? ''} ${key ?? ''}`)
      .filter((text) => wanted.includes(text))
  await until(async () => (await seen()).length === wanted.length, { what: 'three events in the stream' })
  t.deepEqual(await seen(), wanted)
  for (const { time, origin } of await entries(client)) {
    t.true(Math.abs(Number(time) - begun) < 60_000)
    t.is(origin, 'client')
  }
  t.false((await entries(client)).some(({ key }) => key === 'other'))
})

forEachServer(test, 'key-audit: expiry is told as such', async (t, program) => {
  await using server = await startServer({ server: program, plugins })
  const client = await server.client()
  await client.set('user:gone', 'a', 'PX', 1)
  const expired = await until(async () => (await entries(client)).find(({ event }) => event === 'expired'), {
    what: 'an expired event in the stream',
  })
  t.like(expired, { key: 'user:gone', origin: 'expire' })
})

forEachServer(test, 'key-audit: the stream stays short', async (t, program) => {
  await using server = await startServer({ server: program, plugins })
  const client = await server.client()
  // In parts, since the host keeps at most 10 000 events for a plugin that is behind.
  for (let part = 0; part < 11; part++) {
    const pipeline = client.pipeline()
    for (let n = 0; n < 1000; n++) pipeline.set(`user:${String(part)}`, n)
    pipeline.set(`user:end-${String(part)}`, 1)
    await pipeline.exec()
    const last = async (): Promise<boolean> =>
      (await client.xrevrange('audit:keys', '+', '-', 'COUNT', 5)).flat(2).includes(`user:end-${String(part)}`)
    await until(last, { what: `the last event of part ${String(part)} in the stream` })
  }
  t.is(await client.xlen('audit:keys'), 10_000)
})
