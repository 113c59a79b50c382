// The circuit breaker of hooks that clients wait for.
import type { Redis } from 'ioredis'
import test from 'ava'
import { fixturePlugin, messageOf, shareServers, until } from '../helpers/index.js'

const open =
  /^UNAVAILABLE hook breakers\/\w+ was late \d+ times in a row: it is asked again in \d+ ms; the command was /

async function info(client: Redis, hook: string, field: string): Promise<unknown> {
  const fields = (await client.call('FERRITE.HOOK', 'INFO', `breakers/${hook}`)) as unknown[]
  return fields[fields.indexOf(field) + 1]
}

/** Commands that each miss their deadline, one after the other, until the breaker trips. */
async function trip(client: Redis, hook: string): Promise<void> {
  await client.call('BREAKERS.LATE', 1)
  await client.call('FERRITE.HOOK', 'RESET', `breakers/${hook}`)
  const late = async (): Promise<boolean> => {
    await client.set(`${hook}:1`, 'x').catch(() => undefined)
    return (await info(client, hook, 'breaker')) !== 'closed'
  }
  await until(late, { what: 'the breaker to trip' })
}

shareServers(test, { plugins: [fixturePlugin('breakers')], since: '7.2' }, (it) => {
  it('trips after deadlines missed in a row, probes, and closes when the hook answers', async (t, server) => {
    const client = await server.client()
    await trip(client, 'deny')
    t.is(await info(client, 'deny', 'timeouts'), 3)
    t.is(await info(client, 'deny', 'breaker-trips'), 1)
    await server.logged('hook breakers/deny was late 3 times in a row: for 500 ms its commands are refused')
    // It is open now, or a slow machine has let the time pass and one command probes: it is late again.
    const denied = async (): Promise<boolean> => open.test(await messageOf(client.set('deny:1', 'x')))
    t.true(await until(denied, { what: 'a command that is refused unasked' }))
    t.is(await client.exists('deny:1'), 0)
    await client.call('BREAKERS.LATE', 0)
    const lets = async (): Promise<boolean> =>
      await client.set('deny:1', 'x').then(
        () => true,
        () => false,
      )
    t.true(await until(lets, { what: 'a probe that is answered' }))
    t.is(await info(client, 'deny', 'breaker'), 'closed')
    await server.logged('hook breakers/deny answers in time again')
    t.is(await client.set('deny:1', 'y'), 'OK')
  })

  it('lets commands go on unasked with onFailure allow', async (t, server) => {
    const client = await server.client()
    await trip(client, 'allow')
    const asked = Number(await info(client, 'allow', 'asked'))
    for (let n = 0; n < 100; n++) t.is(await client.set('allow:1', String(n)), 'OK')
    t.true(Number(await info(client, 'allow', 'asked')) < asked + 100)
    await client.call('BREAKERS.LATE', 0)
    const asks = async (): Promise<boolean> => (await client.set('allow:1', 'x').catch(() => 'asked')) === 'asked'
    t.true(await until(asks, { what: 'the hook to be asked again' }))
  })

  it('counts no other failures: a client could bring them about', async (t, server) => {
    const client = await server.client()
    for (let n = 0; n < 10; n++)
      t.regex(await messageOf(client.set('throws:1', 'x')), /^ERR hook breakers\/throws failed/)
    t.is(await info(client, 'throws', 'breaker'), 'closed')
  })

  it('there is none with `breaker: false`', async (t, server) => {
    const client = await server.client()
    await client.call('BREAKERS.LATE', 1)
    for (let n = 0; n < 12; n++) t.regex(await messageOf(client.set('none:1', 'x')), /^TIMEOUT /)
    t.is(await info(client, 'none', 'breaker'), 'closed')
  })

  it('FERRITE.HOOK RESET closes it', async (t, server) => {
    const client = await server.client()
    await trip(client, 'deny')
    await client.call('FERRITE.HOOK', 'RESET', 'breakers/deny')
    t.is(await info(client, 'deny', 'breaker'), 'closed')
    t.is(await info(client, 'deny', 'breaker-trips'), 0)
    t.regex(await messageOf(client.set('deny:1', 'x')), /^TIMEOUT /)
  })

  it('after hooks that are waited for have one, too', async (t, server) => {
    const client = await server.client()
    await trip(client, 'after')
    const withheld = async (): Promise<boolean> => open.test(await messageOf(client.set('after:2', 'x')))
    t.true(await until(withheld, { what: 'a reply that is withheld unasked' }))
    t.is(await client.get('after:2'), 'x', 'the command was run')
  })
})
