import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'ava'
import type { Redis } from 'ioredis'
import { example, shareServers, until } from '../helpers/index.js'

/** Requests by their key. */
const asked = new Map<string, number>()
/** Requests that are not answered before somebody says so. */
const held = new Map<string, ServerResponse[]>()

const service = createServer((request, response) => {
  const key = new URL(request.url ?? '', 'http://x').searchParams.get('key') ?? ''
  asked.set(key, (asked.get(key) ?? 0) + 1)
  if (key.startsWith('absent')) response.writeHead(404).end()
  else if (key.startsWith('broken')) response.writeHead(500).end('out of order')
  else if (key.startsWith('moved')) response.writeHead(302, { location: '/?key=elsewhere' }).end()
  else if (key.startsWith('huge')) response.end(Buffer.alloc(2 * 1024 * 1024))
  else if (key.startsWith('held')) held.set(key, [...(held.get(key) ?? []), response])
  else response.end(Buffer.from([0xff, 0, ...Buffer.from(key)]))
})
service.listen(0, '127.0.0.1')
await once(service, 'listening')
test.after.always(() => {
  service.closeAllConnections()
  service.close()
})

const url = `http://127.0.0.1:${String((service.address() as AddressInfo).port)}/`
const bytes = (key: string): Buffer => Buffer.from([0xff, 0, ...Buffer.from(key)])

async function counts(client: Redis): Promise<Record<string, string>> {
  return await client.hgetall('cache-aside:counts')
}

shareServers(
  test,
  {
    plugins: [example('cache-aside')],
    env: { ...process.env, CACHE_ASIDE_URL: url, CACHE_ASIDE_TIMEOUT_MS: '3000' },
    since: '7.2',
  },
  (it, { name }) => {
    // The service outlives the servers, and so do its counts.
    const own = (key: string): string => `${key}/../${name}`

    it('cache-aside: a miss is fetched, stored for a while, and answered', async (t, server) => {
      const client = await server.client()
      const key = own('a b')
      t.deepEqual(await client.getBuffer(`cached:${key}`), bytes(key))
      const ttl = await client.ttl(`cached:${key}`)
      t.true(ttl > 50 && ttl <= 60)
      t.deepEqual(await client.getBuffer(`cached:${key}`), bytes(key))
      t.is(asked.get(key), 1)
      t.deepEqual(await counts(client), { found: '1' })
      t.is(await client.get('other'), null)
      const second = await server.client({ db: 1 })
      t.deepEqual(await second.getBuffer(`cached:${key}`), bytes(key))
      t.is(await second.exists(`cached:${key}`), 1)
    })

    it('cache-aside: a user who may only read gets the value, and it is stored', async (t, server) => {
      const client = await server.client()
      await client.call('ACL', 'SETUSER', 'reader', 'on', '>pw', '~cached:*', '+get', '+info')
      const reader = await server.client({ username: 'reader', password: 'pw' })
      const key = own('read')
      t.deepEqual(await reader.getBuffer(`cached:${key}`), bytes(key))
      t.is(await client.exists(`cached:${key}`), 1)
    })

    it('cache-aside: clients that miss the same key wait for one fetch', async (t, server) => {
      const clients = await Promise.all(Array.from({ length: 5 }, () => server.client()))
      const key = own('held together')
      const replies = clients.map((client) => client.get(`cached:${key}`))
      const observer = await server.client()
      await until(async () => /blocked_clients:5\b/.test(await observer.info('clients')), {
        what: 'five clients that wait',
      })
      const [response] = await until(() => held.get(key), { what: 'the request' })
      response?.end('v')
      t.deepEqual(await Promise.all(replies), ['v', 'v', 'v', 'v', 'v'])
      t.is(asked.get(key), 1)
    })

    it('cache-aside: what a client has set meanwhile is kept', async (t, server) => {
      const [client, writer] = [await server.client(), await server.client()]
      const key = own('held back')
      const reply = client.get(`cached:${key}`)
      const [response] = await until(() => held.get(key), { what: 'the request' })
      await writer.set(`cached:${key}`, 'newer')
      response?.end('older')
      t.is(await reply, 'older')
      t.is(await client.get(`cached:${key}`), 'newer')
    })

    it('cache-aside: what the service lacks is nil, and not asked for again at once', async (t, server) => {
      const client = await server.client()
      const key = own('absent')
      t.is(await client.get(`cached:${key}`), null)
      t.is(await client.get(`cached:${key}`), null)
      t.deepEqual(await counts(client), { absent: '1' })
      await until(
        async () => {
          await client.get(`cached:${key}`)
          return asked.get(key) === 2
        },
        { what: 'the key to be asked for again' },
      )
      t.is(await client.exists(`cached:${key}`), 0)
    })

    it('cache-aside: a service that is late, broken or odd is nil and counted, and nothing hangs', async (t, server) => {
      const client = await server.client()
      for (const key of ['held for ever', 'broken', 'moved', 'huge']) {
        t.is(await client.get(`cached:${own(key)}`), null, key)
      }
      t.deepEqual(await counts(client), { timeout: '1', failed: '3' })
      t.false(asked.has('elsewhere'))
      t.is(await client.get(`cached:${own('broken')}`), null)
      t.is(asked.get(own('broken')), 2)
    })

    it('cache-aside: a client that goes away while it waits takes nothing from the others', async (t, server) => {
      const [leaving, staying] = [await server.client(), await server.client()]
      const key = own('held on')
      leaving.get(`cached:${key}`).catch(() => undefined)
      const [response] = await until(() => held.get(key), { what: 'the request' })
      const reply = staying.get(`cached:${key}`)
      leaving.disconnect()
      response?.end('v')
      t.is(await reply, 'v')
    })

    it('cache-aside: in transactions and scripts a miss stays a miss; other types are errors as ever', async (t, server) => {
      const client = await server.client()
      const key = `cached:${own('inside')}`
      t.deepEqual(await client.multi().get(key).exec(), [[null, null]])
      t.is(await client.eval("return redis.call('GET', KEYS[1])", 1, key), null)
      t.is(await client.get(Buffer.from([...Buffer.from('cached:'), 0xff])), null)
      await client.rpush(key, 'x')
      await t.throwsAsync(client.get(key), { message: /^WRONGTYPE/ })
      t.false(asked.has(own('inside')))
    })
  },
)
