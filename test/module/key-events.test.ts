// Key events: which of them reach a plugin, with what, and what becomes of those that it cannot take.
import test from 'ava'
import type { Redis } from 'ioredis'
import { compareVersions } from '#lib/servers/server-version.js'
import { fixturePlugin, forEachServer, shareServers, startServer, until, untilInStep } from '../helpers/index.js'

const plugins = [fixturePlugin('watcher')]

interface Seen {
  readonly event: string
  readonly key: string
  readonly db: number
  readonly origin: string
  readonly old: string | null
  readonly dropped: number
}

/** From the shape of a map in RESP2: name, value, name, value, … */
function seenOf(item: readonly unknown[]): Seen {
  const pairs = Array.from({ length: item.length / 2 }, (_, n) => [String(item[2 * n]), item[2 * n + 1]] as const)
  return Object.fromEntries(pairs) as unknown as Seen // as the plugin wrote it
}

/** Takes from a hook what it has seen, until that is so many events. */
async function seenBy(client: Redis, hook: string, count: number): Promise<readonly Seen[]> {
  const seen: Seen[] = []
  const enough = async (): Promise<boolean> => {
    for (const item of (await client.call('WATCHER.SEEN', hook)) as unknown[][]) seen.push(seenOf(item))
    return seen.length >= count
  }
  await until(enough, { what: `${String(count)} events for the hook ${hook}` })
  return seen
}

/** All that a hook has seen, when everything has been delivered that was written before. */
async function allSeenBy(client: Redis, hook: string, marker: string): Promise<readonly Seen[]> {
  const seen: Seen[] = []
  await client.set(marker, 'end')
  while (seen.at(-1)?.key !== marker) seen.push(...(await seenBy(client, hook, 1)))
  return seen.slice(0, -1)
}

const names = (seen: readonly Seen[]): readonly string[] => seen.map(({ event, key }) => `${event} ${key}`)

/** Hooks with a handler of the host's may get what other servers' hooks left. */
async function forget(client: Redis, ...hooks: readonly string[]): Promise<void> {
  for (const hook of hooks) await client.call('WATCHER.SEEN', hook)
}

shareServers(test, { plugins }, (it, program) => {
  it('events: a prefix, in the order of the writes, and nothing else', async (t, server) => {
    const client = await server.client()
    await forget(client, 'users')
    await client
      .pipeline()
      .set('user:1', 'a')
      .set('other:1', 'a')
      .append('user:1', 'b')
      .rpush('user:2', 'x')
      .del('user:1')
      .set('user', 1)
      .exec()
    t.deepEqual(names(await allSeenBy(client, 'users', 'user:end')), [
      'set user:1',
      'append user:1',
      'rpush user:2',
      'del user:1',
    ])
  })

  it('events: globs, and several of them', async (t, server) => {
    const client = await server.client()
    await forget(client, 'globs')
    for (const key of ['a1:x', 'b2:y', 'c3:z', 'exact', 'exactly', 'a12:x']) await client.set(key, 1)
    t.deepEqual(names(await allSeenBy(client, 'globs', 'a9:end')), ['set a1:x', 'set b2:y', 'set exact'])
  })

  it('events: only those that are named', async (t, server) => {
    const client = await server.client()
    await forget(client, 'expiries')
    await client.set('gone:1', 'v', 'PX', 20)
    await client.set('gone:2', 'v')
    await client.del('gone:2')
    await until(async () => (await client.exists('gone:1')) === 0)
    const seen = await seenBy(client, 'expiries', 2)
    t.deepEqual([...names(seen)].sort(), ['del gone:2', 'expired gone:1'])
    t.is(seen.find((one) => one.event === 'expired')?.origin, 'expire')
  })

  it('events: the database', async (t, server) => {
    const client = await server.client()
    const other = await server.client({ db: 7 })
    await forget(client, 'users')
    await other.set('user:x', 1)
    const [seen] = await seenBy(client, 'users', 1)
    t.is(seen?.db, 7)
  })

  it('events: keys of any bytes', async (t, server) => {
    const client = await server.client()
    await forget(client, 'users')
    const key = Buffer.concat([Buffer.from('user:'), Buffer.from([0, 0xff, 13, 10])])
    await client.set(key, 1)
    await until(async () => {
      const [item] = (await client.callBuffer('WATCHER.SEEN', 'users')) as Buffer[][]
      return item?.[3]?.equals(key)
    })
    t.pass()
  })

  it('events: a write of the plugin itself is not delivered unless asked for', async (t, server) => {
    const client = await server.client()
    await forget(client, 'own', 'not-own')
    await client.call('WATCHER.WRITE', 'own:commit')
    await client.call('WATCHER.CALL', 'own:call')
    await client.set('own:client', 1)
    const own = await seenBy(client, 'own', 3)
    t.deepEqual(names(own), ['set own:commit', 'set own:call', 'set own:client'])
    t.deepEqual(
      own.map(({ origin }) => origin),
      ['plugin', 'plugin', 'client'],
    )
    t.deepEqual(names(await allSeenBy(client, 'not-own', 'own:end')), ['set own:client'])
  })

  it('events: writes in MULTI and scripts come after they are done, in their order', async (t, server) => {
    const client = await server.client()
    await forget(client, 'users')
    await client.multi().set('user:1', 1).incr('user:1').exec()
    await client.eval("redis.call('set', KEYS[1], 1) redis.call('del', KEYS[1])", 1, 'user:2')
    t.deepEqual(names(await allSeenBy(client, 'users', 'user:end')), [
      'set user:1',
      'incrby user:1',
      'set user:2',
      'del user:2',
    ])
  })

  it('events: expiry and eviction tell their origin', async (t, server) => {
    const client = await server.client()
    await forget(client, 'users')
    await client.set('user:victim', 'x'.repeat(200_000))
    await client.config('SET', 'maxmemory-policy', 'allkeys-random', 'maxmemory', '1')
    await until(async () => (await client.exists('user:victim')) === 0 || (await client.call('PING')) === '')
    await client.config('SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction')
    const seen = await seenBy(client, 'users', 2)
    t.true(
      seen.some((one) => one.event === 'evicted' && one.origin === 'evict'),
      JSON.stringify(seen),
    )
  })

  if (compareVersions(program.version, '8.0') >= 0) {
    const oldOf = (seen: readonly Seen[], event: string, key: string): string | null | undefined =>
      seen.find((one) => one.event === event && one.key === key)?.old

    it('events: the old value of what is overwritten, expires or is evicted', async (t, server) => {
      const client = await server.client()
      await forget(client, 'users')
      await client.rpush('user:over', 1, 2)
      await client.set('user:over', 'text')
      await client.set('user:short', 'abc', 'PX', 20)
      await until(async () => (await client.exists('user:short')) === 0)
      await client.set('user:victim', 'x'.repeat(200_000))
      await client.config('SET', 'maxmemory-policy', 'allkeys-random', 'maxmemory', '1')
      await until(async () => (await client.exists('user:victim')) === 0)
      await client.config('SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction')
      const seen = await allSeenBy(client, 'users', 'user:end')
      t.is(oldOf(seen, 'set', 'user:over'), 'list:2')
      t.is(oldOf(seen, 'expired', 'user:short'), 'string:3')
      t.is(oldOf(seen, 'evicted', 'user:victim'), 'string:200000')
    })

    it('bug: RENAME to a key that is there tells of both old values', async (t, server) => {
      const client = await server.client()
      await forget(client, 'users')
      await client.set('user:from', 'four')
      await client.rpush('user:to', 1, 2)
      await client.rename('user:from', 'user:to')
      const seen = await allSeenBy(client, 'users', 'user:end')
      t.is(oldOf(seen, 'rename_to', 'user:to'), 'list:2')
      t.is(oldOf(seen, 'rename_from', 'user:from'), 'string:4')
    })

    it('bug: an old value is not told with a later event of its key', async (t, server) => {
      const client = await server.client()
      await forget(client, 'setters')
      await client.rpush('only-set:1', 1, 2)
      await client.pipeline().del('only-set:1').set('only-set:1', 'new').exec()
      const seen = await allSeenBy(client, 'setters', 'only-set:end')
      t.deepEqual(
        seen.map(({ event, old }) => [event, old]),
        [['set', null]],
      )
    })

    it('events: the old value of what is deleted', async (t, server) => {
      const client = await server.client()
      await forget(client, 'users')
      await client.rpush('user:list', 1, 2, 3)
      await client.del('user:list')
      await client.set('user:text', 'four')
      await client.getdel('user:text')
      const seen = await allSeenBy(client, 'users', 'user:end')
      t.is(seen.find((one) => one.event === 'del' && one.key === 'user:list')?.old, 'list:3')
      t.is(seen.find((one) => one.event === 'del' && one.key === 'user:text')?.old, 'string:4')
      t.is(seen.find((one) => one.event === 'rpush')?.old, null)
    })
  }

  if (program.product === 'redis' && compareVersions(program.version, '8.2') >= 0) {
    it('bug: overwritten and type_changed are told to who names them', async (t, server) => {
      const client = await server.client()
      await forget(client, 'overwritten')
      await client.rpush('over:1', 1, 2)
      await client.set('over:1', 'text')
      await client.set('over:1', 'more')
      const seen = await seenBy(client, 'overwritten', 3)
      t.deepEqual([...names(seen)].sort(), ['overwritten over:1', 'overwritten over:1', 'type_changed over:1'])
    })
  } else {
    it('bug: a plugin that names events which the server does not have is told', async (t, server) => {
      await server.logged(/event overwritten.*is never told: this server has no such event/)
      t.pass()
    })
  }

  it('events: what a slow plugin misses is counted and told as a gap', async (t, server) => {
    const client = await server.client()
    await client.call('WATCHER.HOLD')
    await client.set('slow:first', 1)
    await seenBy(client, 'slow', 1)
    // The host keeps 10,000 events for a handler that has not come back.
    const count = 12_000
    for (let n = 0; n < count; n += 1000) {
      const pipeline = client.pipeline()
      for (let i = 0; i < 1000; i++) pipeline.set(`slow:${String(n + i)}`, 1)
      await pipeline.exec()
    }
    await client.call('WATCHER.RELEASE')
    const seen: Seen[] = []
    const marker = async (): Promise<boolean> => {
      await client.set('slow:end', 1)
      seen.push(...(await seenBy(client, 'slow', 1)))
      return seen.some(({ key }) => key === 'slow:end')
    }
    await until(marker)
    const dropped = seen.reduce((sum, one) => sum + one.dropped, 0)
    const ends = seen.filter(({ key }) => key === 'slow:end').length
    t.log(`${String(count)} events while the handler waited: ${String(dropped)} dropped and told`)
    t.true(dropped > 0)
    t.is(seen.length - ends + dropped, count, 'each event was delivered or told as dropped')
  })

  it('events: what does not fit into ferrite.lane-buffer is counted and told as a gap', async (t, server) => {
    const client = await server.client()
    await client.config('SET', 'ferrite.lane-buffer', '1mb')
    await forget(client, 'users')
    const before = Number(/ferrite_events_dropped:(\d+)/.exec(await client.info('ferrite'))?.[1])
    // One transaction is one turn of the loop: nothing is flushed meanwhile.
    const count = 30_000
    await client.eval("for i = 1, ARGV[1] do redis.call('set', KEYS[1] .. i, i) end", 1, 'user:', String(count))
    const seen = await allSeenBy(client, 'users', 'user:end')
    const info = await client.info('ferrite')
    await client.config('SET', 'ferrite.lane-buffer', '64mb')
    const dropped = Number(/ferrite_events_dropped:(\d+)/.exec(info)?.[1]) - before
    t.log(`${String(count)} events in one script: ${String(dropped)} dropped`)
    t.true(dropped > 0)
    t.is(seen.length + dropped, count)
    // allSeenBy leaves out the marker, which carries the gap unless an event before it does.
  })
})

forEachServer(test, 'events: not on replicas unless asked for, and only there', async (t, program) => {
  await using primary = await startServer({ server: program, plugins })
  await using replica = await startServer({ server: program, plugins, replicaOf: primary })
  const client = await primary.client()
  await client.set('everywhere:1', 1)
  await untilInStep(primary, replica)
  const reader = await replica.client()
  t.deepEqual(names(await seenBy(reader, 'replica', 1)), ['set everywhere:1'])
  t.deepEqual(await reader.call('WATCHER.SEEN', 'primary'), [])
  t.deepEqual(names(await seenBy(client, 'primary', 1)), ['set everywhere:1'])
})

forEachServer(test, 'events: none while the server loads its file', async (t, program) => {
  await using server = await startServer({ server: program, plugins, aof: true })
  const client = await server.client()
  const pipeline = client.pipeline()
  for (let n = 0; n < 500; n++) pipeline.set(`user:${String(n)}`, n)
  await pipeline.exec()
  await server.restart()
  await server.pluginsActive()
  const again = await server.client()
  t.is(await again.dbsize(), 500)
  t.deepEqual(names(await allSeenBy(again, 'users', 'user:end')), [])
})
