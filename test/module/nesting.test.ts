// Plugin commands that run plugin commands: each is run while the server's thread waits for the one before.
import test from 'ava'
import type { Redis } from 'ioredis'
import { fixturePlugin, shareServers, until } from '../helpers/index.js'

const messageOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    return `no error but ${JSON.stringify(await promise)}`
  } catch (err) {
    return err instanceof Error ? err.message : String(err)
  }
}

/** The reply of one command in MULTI; an error as its text. */
async function inTransaction(client: Redis, ...words: readonly string[]): Promise<unknown> {
  const [name, ...args] = words
  const replies = await client
    .multi()
    .call(name ?? '', ...args)
    .exec()
  return replies?.[0]?.[0]?.message ?? replies?.[0]?.[1]
}

shareServers(test, { plugins: [fixturePlugin('nester')] }, (it) => {
  it('nesting: a handler in MULTI reads through a command of its own lane, many times', async (t, server) => {
    const client = await server.client()
    const times = 40
    t.deepEqual(
      await inTransaction(client, 'NEST.SUM', 'k', String(times)),
      Array.from({ length: times }, (_, n) => String(n)),
    )
    t.false((await server.log()).includes('protocol error'))
  })

  it('nesting: a handler in MULTI reads through several commands of its own lane at once', async (t, server) => {
    const client = await server.client()
    const values = Array.from({ length: 5 }, (_, n) => String(n).repeat(20_000))
    t.deepEqual(await inTransaction(client, 'NEST.ALL', 'k', ...values), [...values, ...values])
    t.deepEqual(await client.call('NEST.ALL', 'k', 'a', 'b'), ['a', 'b', 'a', 'b'])
    t.false((await server.log()).includes('protocol error'))
  })

  it('nesting: a handler whose commit runs itself again and again is stopped', async (t, server) => {
    const client = await server.client()
    t.regex(
      await messageOf(client.call('NEST.LOOP', 'k')),
      /^ERR 'nest\.loop' was not run: plugin commands can run each other 8 levels deep/,
    )
    t.is(await client.get('k'), '9')
    t.is(await client.call('NEST.VALUE', 'k', 'alive'), 'alive')
  })

  it('nesting: the thread of a call ends while the call waits for it', async (t, server) => {
    const client = await server.client()
    t.regex(await messageOf(client.call('NEST.CALL', 'NEST.EXIT')), /^UNAVAILABLE/)
    const answers = async (): Promise<boolean> =>
      (await messageOf(client.call('NEST.VALUE', 'k', 'v'))) === 'no error but "v"'
    await until(answers, { what: 'the plugin is there again' })
  })
})
