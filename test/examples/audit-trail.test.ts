import test from 'ava'
import type { Redis } from 'ioredis'
import { example, messageOf, shareServers, until } from '../helpers/index.js'

type Entry = Readonly<Record<string, string>>

/** The trail as objects, without what other tests and the preparation of this one have left. */
async function trail(client: Redis): Promise<readonly Entry[]> {
  const rows = await client.xrange('audit:commands', '-', '+')
  const entries = rows.map(([, fields]) =>
    Object.fromEntries(fields.flatMap((name, at) => (at % 2 === 0 ? [[name, fields[at + 1] ?? '']] : []))),
  )
  return entries.filter(({ command }) => command !== 'FLUSHALL')
}

async function untilTrail(client: Redis, length: number): Promise<readonly Entry[]> {
  return await until(
    async () => {
      const entries = await trail(client)
      return entries.length >= length ? entries : undefined
    },
    { what: `${length} entries in the trail` },
  )
}

const pick = (entries: readonly Entry[], ...names: readonly string[]): string[] =>
  entries.map((entry) => names.map((name) => entry[name] ?? '').join('|'))

shareServers(test, { plugins: [example('audit-trail')], since: '7.2' }, (it) => {
  it('audit-trail: who wrote what, when, how long it took, and whether it failed', async (t, server) => {
    const admin = await server.client()
    await admin.call('ACL', 'SETUSER', 'ann', 'on', '>pw', '~*', '+@all')
    await untilTrail(admin, 1)
    const ann = await server.client({ username: 'ann', password: 'pw', db: 1 })
    const begun = Date.now()
    await ann.set('a', 'a value of somebody')
    await ann.mset('b', '1', 'c', '2')
    await ann.get('a')
    t.regex(await messageOf(ann.lpush('a', 'x')), /^WRONGTYPE/)
    await ann.multi().incr('n').del('b').exec()
    await ann.eval("return redis.call('SET', KEYS[1], '1')", 1, 'script')
    const entries = (await untilTrail(admin, 7)).slice(1)
    t.deepEqual(pick(entries, 'user', 'db', 'command', 'keys', 'outcome'), [
      'ann|1|SET|a|ok',
      'ann|1|MSET|b c|ok',
      'ann|1|LPUSH|a|WRONGTYPE',
      'ann|1|INCR|n|ok',
      'ann|1|DEL|b|ok',
      'ann|1|SET|script|ok',
    ])
    const id = String(await ann.client('ID'))
    for (const { client, time, us } of entries.slice(0, 5)) {
      t.is(client, id)
      t.true(Number(time) >= begun - 1000 && Number(time) <= Date.now() + 1000)
      t.true(Number(us) >= 0)
    }
    t.false(JSON.stringify(entries).includes('a value of somebody'))
  })

  it('audit-trail: administration and blocking writes are there before they run, without secrets', async (t, server) => {
    const client = await server.client()
    await client.config('SET', 'masterauth', 'hunter2', 'maxmemory', '0')
    await client.config('GET', 'maxmemory')
    await client
      .call('ACL', 'SETUSER', 'bob', 'on', '>hunter2', '<hunter3', `#${'ab'.repeat(32)}`, '~b:*', '+get')
      .catch(() => undefined)
    await client.rpush('list', 'x')
    await client.blpop('list', 1)
    const entries = await untilTrail(client, 5)
    const asked = entries.filter(({ outcome }) => outcome === 'asked')
    t.deepEqual(pick(asked, 'user', 'command', 'words'), [
      'default|CONFIG|SET masterauth (hidden) maxmemory 0',
      'default|CONFIG|GET maxmemory',
      'default|ACL|SETUSER bob on (hidden) (hidden) (hidden) ~b:* +get',
      'default|BLPOP|list 1',
    ])
    t.false(/hunter|abab/.test(JSON.stringify(entries)))
    await client.config('SET', 'masterauth', '')
  })

  it('audit-trail: the password of MIGRATE is in no entry', async (t, server) => {
    const client = await server.client()
    await client.set('mine', '1')
    for (const auth of [
      ['AUTH', 'hunter2'],
      ['AUTH2', 'ann', 'hunter2'],
    ]) {
      await messageOf(client.call('MIGRATE', '127.0.0.1', '1', '', '0', '10', ...auth, 'KEYS', 'mine'))
    }
    await client.set('end', '1')
    const entries = await until(
      async () => {
        const all = await trail(client)
        return all.some(({ keys }) => keys === 'end') ? all : undefined
      },
      { what: 'the last write in the trail' },
    )
    t.true(entries.some(({ command }) => command === 'MIGRATE'))
    t.false(JSON.stringify(entries).includes('hunter2'))
  })

  it('audit-trail: nobody else can put an entry into it by an event', async (t, server) => {
    const client = await server.client()
    await client.call('FERRITE.EMIT', 'audit-trail.entry', '{"user":"ann","command":"FORGED"}')
    await client.set('end', '1')
    await until(async () => (await trail(client)).some(({ keys }) => keys === 'end'), {
      what: 'the write in the trail',
    })
    t.false(JSON.stringify(await trail(client)).includes('FORGED'))
  })
})
