import test from 'ava'
import type { Redis } from 'ioredis'
import { example, forEachServer, startServer, until } from '../helpers/index.js'

interface Answer {
  readonly allowed: boolean
  readonly remaining: number
  readonly 'retry-after-ms': number
  readonly 'reset-after-ms': number
}

const plugins = [example('rate-limiter')]

/** A map, which ioredis gives as a flat row of names and values; booleans are numbers then. */
async function call(client: Redis, command: string, ...args: readonly (string | number)[]): Promise<unknown> {
  const row = (await client.call(command, ...args.map(String))) as unknown[]
  return Object.fromEntries(row.flatMap((name, at) => (at % 2 === 0 ? [[String(name), row[at + 1]] as const] : [])))
}

async function check(client: Redis, ...args: readonly (string | number)[]): Promise<Answer> {
  const answer = (await call(client, 'RATELIMIT.CHECK', ...args)) as Omit<Answer, 'allowed'> & { allowed: unknown }
  return { ...answer, allowed: Boolean(answer.allowed) }
}

forEachServer(test, 'rate-limiter: allows as many as it says, and tells when to come back', async (t, program) => {
  await using server = await startServer({ server: program, plugins })
  const client = await server.client()
  for (const remaining of [2, 1, 0]) {
    const answer = await check(client, 'bucket', 3, 600_000)
    t.like(answer, { allowed: true, remaining, 'retry-after-ms': 0 })
    t.true(
      answer['reset-after-ms'] > (2 - remaining) * 200_000 && answer['reset-after-ms'] <= (3 - remaining) * 200_000,
    )
  }
  const refused = await check(client, 'bucket', 3, 600_000)
  t.like(refused, { allowed: false, remaining: 0 })
  t.true(refused['retry-after-ms'] > 100_000 && refused['retry-after-ms'] <= 200_000)
  t.true(refused['reset-after-ms'] > 500_000 && refused['reset-after-ms'] <= 600_000)
  t.true((await client.pttl('bucket')) <= 600_000)
})

forEachServer(test, 'rate-limiter: COST takes several at once', async (t, program) => {
  await using server = await startServer({ server: program, plugins })
  const client = await server.client()
  t.like(await check(client, 'bucket', 10, 600_000, 'COST', 7), { allowed: true, remaining: 3 })
  t.like(await check(client, 'bucket', 10, 600_000, 'cost', 4), { allowed: false, remaining: 3 })
  t.like(await check(client, 'bucket', 10, 600_000, 'COST', 3), { allowed: true, remaining: 0 })
  await t.throwsAsync(check(client, 'bucket', 10, 600_000, 'COST', 11), { message: /^ERR COST 11 can never fit/ })
})

forEachServer(test, 'rate-limiter: requests come back as time passes', async (t, program) => {
  await using server = await startServer({ server: program, plugins })
  const client = await server.client()
  t.true((await check(client, 'bucket', 1, 1000)).allowed)
  t.false((await check(client, 'bucket', 1, 1000)).allowed)
  await until(async () => (await check(client, 'bucket', 1, 1000)).allowed, { what: 'a request to be allowed again' })
  await until(async () => (await client.exists('bucket')) === 0, { what: 'the bucket to expire' })
  t.pass()
})

forEachServer(test, 'rate-limiter: INFO takes nothing, RESET forgets', async (t, program) => {
  await using server = await startServer({ server: program, plugins })
  const client = await server.client()
  t.deepEqual<unknown, unknown>(await call(client, 'RATELIMIT.INFO', 'bucket', 5, 600_000), {
    remaining: 5,
    'reset-after-ms': 0,
  })
  await check(client, 'bucket', 5, 600_000)
  t.like(await call(client, 'RATELIMIT.INFO', 'bucket', 5, 600_000), { remaining: 4 })
  t.like(await call(client, 'RATELIMIT.INFO', 'bucket', 5, 600_000), { remaining: 4 })
  t.is(await client.call('RATELIMIT.RESET', 'bucket'), 1)
  t.is(await client.call('RATELIMIT.RESET', 'bucket'), 0)
  t.like(await call(client, 'RATELIMIT.INFO', 'bucket', 5, 600_000), { remaining: 5 })
})

forEachServer(test, 'rate-limiter: many clients on one bucket get exactly the limit', async (t, program) => {
  await using server = await startServer({ server: program, plugins })
  const clients = await Promise.all(Array.from({ length: 20 }, () => server.client()))
  const answers = await Promise.all(
    clients.flatMap((client) => Array.from({ length: 10 }, () => check(client, 'bucket', 50, 86_400_000))),
  )
  t.is(answers.filter(({ allowed }) => allowed).length, 50)
})

forEachServer(test, 'rate-limiter: wrong arguments and wrong values are told', async (t, program) => {
  await using server = await startServer({ server: program, plugins })
  const client = await server.client()
  const message = async (...args: readonly string[]): Promise<string> =>
    (await t.throwsAsync(client.call('RATELIMIT.CHECK', ...args))).message
  t.is(await message('bucket', '0', '1000'), "ERR argument 'max' must be an integer ≥ 1, got '0'")
  t.is(await message('bucket', '1', '1000', 'PRICE', '1'), "ERR syntax error, expected COST, got 'PRICE'")
  t.regex(await message('bucket', '1'), /^ERR wrong number of arguments for 'ratelimit\.check' command/i)
  await client.set('text', 'hello')
  t.is(await message('text', '1', '1000'), 'WRONGTYPE the key holds something else than a rate limit')
  await client.lpush('list', 'a')
  t.regex(await message('list', '1', '1000'), /^WRONGTYPE Operation against a key/)
})

forEachServer(test, 'rate-limiter: the server knows its keys, flags and arguments', async (t, program) => {
  await using server = await startServer({ server: program, plugins })
  const client = await server.client()
  t.deepEqual(await client.command('GETKEYS', 'RATELIMIT.CHECK', 'bucket', '1', '2'), ['bucket'])
  const [info] = (await client.command('INFO', 'RATELIMIT.CHECK')) as [unknown[]]
  t.is(info[1], -4)
  const flags = [...(info[2] as Iterable<string>)]
  t.true(flags.includes('write') && flags.includes('denyoom') && flags.includes('fast'))
  const docs = JSON.stringify(await client.command('DOCS', 'RATELIMIT.CHECK'))
  t.true(docs.includes('Takes COST of MAX requests per WINDOW milliseconds'))
  t.true(docs.includes('"token":"COST"') || docs.includes('"token","COST"'))
})
