// A cluster with a hook of everything: redirections, slots that move, rewritten keys, replicas that are read.
import test from 'ava'
import type { Redis } from 'ioredis'
import { fixturePlugin, RawClient, shareClusters, until, type TestCluster, type TestServer } from '../helpers/index.js'
import { hold, open } from './held.js'

const plugins = ['gates', 'passing'].map(fixturePlugin)

interface Place {
  readonly server: TestServer
  readonly client: Redis
  readonly id: string
}

async function placeOf(server: TestServer): Promise<Place> {
  return { server, client: await server.client(), id: await server.cli('cluster', 'myid') }
}

/** A key with this prefix that the first node serves, and its slot. */
async function keyHere(client: Redis, prefix: string): Promise<{ key: string; slot: string }> {
  for (let n = 0; ; n++) {
    const key = `{${prefix}${n}}gate:1`
    const slot = await client.cluster('KEYSLOT', key)
    if (slot <= 5460) return { key, slot: String(slot) }
  }
}

async function places(cluster: TestCluster): Promise<[Place, Place, Place]> {
  return (await Promise.all(cluster.nodes.map(placeOf))) as [Place, Place, Place]
}

shareClusters(test, { plugins, since: '7.2' }, (it) => {
  it('cluster: MOVED and CROSSSLOT are the server’s, and no hook hears of it', async (t, cluster) => {
    const [one, two] = await places(cluster)
    const { key, slot } = await keyHere(one.client, 'moved')
    await two.client.call('PASSING.SEEN')
    using raw = await RawClient.connect(two.server.port)
    const moved = `-MOVED ${slot} 127.0.0.1:${one.server.port}\r\n`
    for (const words of [
      ['SET', key, 'v'],
      ['GET', key],
      ['BLPOP', key, '0'],
      ['EVAL', "return redis.call('GET', KEYS[1])", '1', key],
    ])
      t.is(await raw.text(...words), moved)
    const [msetex] = (await two.client.call('COMMAND', 'INFO', 'MSETEX')) as unknown[]
    if (msetex !== null) t.is(await raw.text('MSETEX', '1', key, 'v'), moved, 'its keys are not told to modules')
    t.regex(await raw.text('MSET', 'a', '1', 'b', '2'), /^-CROSSSLOT /)
    const seen = (await two.client.call('PASSING.SEEN')) as string[][]
    t.deepEqual(
      seen.filter(([, name = '']) => ['SET', 'GET', 'MSET'].includes(name)),
      [],
    )
    // What is queued and what scripts do is asked about in its place, before the server looks at the slot.
    t.is((await raw.askAll(['MULTI'], ['SET', key, 'v'], ['EXEC'])).toString().split('\r\n')[1], moved.trimEnd())
    t.regex(await raw.text('EVAL', "return redis.pcall('GET', ARGV[1])", '0', key), /^-ERR .*access/)
  })

  it('cluster: a slot that moves while a hook is asked is answered with MOVED, and nothing is written', async (t, cluster) => {
    const [one, two, three] = await places(cluster)
    const { key, slot } = await keyHere(one.client, 'moving')
    const client = await one.server.client()
    const held = await hold(one.client, client, key, 'SET', key, 'v')
    for (const { client: node } of [two, one, three]) await node.call('CLUSTER', 'SETSLOT', slot, 'NODE', two.id)
    await open(one.client, key)
    t.regex(await held.answer, new RegExp(`^(MOVED ${slot} 127.0.0.1:${two.server.port}|TRYAGAIN )`))
    t.is(await two.client.exists(key), 0)
    for (const { client: node } of [one, two, three]) await node.call('CLUSTER', 'SETSLOT', slot, 'NODE', one.id)
    await until(async () => (await client.set(key, 'back').catch(() => '')) === 'OK', { what: 'the slot to be back' })
    t.is(await client.get(key), 'back')
  })

  it('cluster: ASK and ASKING while a slot is on its way', async (t, cluster) => {
    const [one, two] = await places(cluster)
    const { key, slot } = await keyHere(one.client, 'asking')
    await two.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', one.id)
    await one.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', two.id)
    try {
      using here = await RawClient.connect(one.server.port)
      using there = await RawClient.connect(two.server.port)
      t.is(await here.text('SET', key, 'v'), `-ASK ${slot} 127.0.0.1:${two.server.port}\r\n`)
      t.regex(await there.text('SET', key, 'v'), /^-MOVED /)
      t.is((await there.askAll(['ASKING'], ['SET', key, 'v'])).toString(), '+OK\r\n+OK\r\n')
      t.is((await there.askAll(['ASKING'], ['GET', key])).toString(), '+OK\r\n$1\r\nv\r\n')
      t.regex((await there.askAll(['ASKING'], ['GET', key], ['GET', key])).toString(), /^\+OK\r\n\$1\r\nv\r\n-MOVED /)
      t.is(await one.client.exists('none-of-these').catch(() => 0), 0)
      await two.client.call('CLUSTER', 'SETSLOT', slot, 'STABLE')
    } finally {
      await one.client.call('CLUSTER', 'SETSLOT', slot, 'STABLE')
      await two.client.call('CLUSTER', 'SETSLOT', slot, 'STABLE')
    }
  })

  it('cluster: a hook cannot rewrite keys to another slot', async (t, cluster) => {
    const [one] = await places(cluster)
    const { key } = await keyHere(one.client, 'rewritten')
    const other = await keyHere(one.client, 'another')
    const client = await one.server.client()
    for (const [words, allowed] of [
      [['SET', other.key, 'v'], false],
      [['MSET', key, 'v', other.key, 'v'], false],
      [['MSET', key, 'v', `${key}2`.replace('gate', 'door'), 'w'], true],
      [['ECHO', 'x'], true],
    ] as const) {
      const held = await hold(one.client, client, key, 'SET', key, 'plain')
      await open(one.client, key, 'rewrite', ...words)
      const answer = await held.answer
      t.is(answer.startsWith('no error'), allowed, `${words.join(' ')}: ${answer}`)
      if (!allowed) t.regex(answer, /slot|cannot be run/i)
    }
    t.is(await client.exists(other.key), 0)
    t.is(await client.get(key), 'v')
  })

  it('cluster: a reshard under hooked load loses nothing and doubles nothing', async (t, cluster) => {
    const [one, two] = await places(cluster)
    const client = cluster.client({ maxRedirections: 1000, retryDelayOnTryAgain: 10 })
    const keys: string[] = []
    for (let n = 0; keys.length < 6; n++) {
      if ((await one.client.cluster('KEYSLOT', `low:${n}`)) < 100) keys.push(`low:${n}`)
    }
    const state = { over: false }
    const done = new Map<string, number>()
    const work = [...keys, ...keys].map(async (key) => {
      while (!state.over) {
        await client.incr(key)
        done.set(key, (done.get(key) ?? 0) + 1)
      }
    })
    try {
      for (const [from, to] of [
        [one, two],
        [two, one],
      ] as const) {
        await from.server.cli(
          ...['--cluster', 'reshard', `127.0.0.1:${from.server.port}`, '--cluster-yes'],
          ...['--cluster-from', from.id, '--cluster-to', to.id, '--cluster-slots', '100'],
        )
      }
    } finally {
      state.over = true
      await Promise.allSettled(work)
    }
    await Promise.all(work)
    for (const [key, times] of done) t.is(await client.get(key), String(times), key)
  })
})
