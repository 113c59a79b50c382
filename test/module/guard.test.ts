// Guarded commands: read, decide in TypeScript, write, as one atomic step against everybody.
import test from 'ava'
import type { Redis } from 'ioredis'
import { example, fixturePlugin, shareServers, until, type TestServer } from '../helpers/index.js'

const isLong = process.env['FERRITE_LONG'] === '1'
const plugins = [...['counters', 'slow'].map(fixturePlugin), example('rate-limiter')]

async function clientsOf(server: TestServer, count: number): Promise<readonly Redis[]> {
  return await Promise.all(Array.from({ length: count }, () => server.client()))
}

/** Each client runs `body` so many times, one after the other; the errors of all are counted by their first word. */
async function storm(
  clients: readonly Redis[],
  times: number,
  body: (client: Redis, number: number) => Promise<unknown>,
): Promise<{ readonly replies: readonly unknown[]; readonly errors: readonly string[] }> {
  const replies: unknown[] = []
  const errors: string[] = []
  const one = async (client: Redis, from: number): Promise<void> => {
    for (let n = 0; n < times; n++) {
      try {
        replies.push(await body(client, from * times + n))
      } catch (err) {
        errors.push(err instanceof Error ? err.message : String(err))
      }
    }
  }
  await Promise.all(clients.map(one))
  return { replies, errors }
}

async function figure(client: Redis, name: string): Promise<number> {
  const figures = (await client.call('FERRITE.INFO')) as readonly unknown[]
  return Number(figures[figures.indexOf(name) + 1])
}

/** Runs `body` again and again while the others work. */
function meanwhile(body: () => Promise<unknown>): { stop: () => Promise<number> } {
  const stopping = new AbortController()
  let runs = 0
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await body()
      runs++
    }
  })()
  return {
    stop: async () => {
      stopping.abort()
      await running
      return runs
    },
  }
}

const numbersTo = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n + 1)
const ascending = (values: readonly unknown[]): readonly number[] => values.map(Number).sort((a, b) => a - b)

shareServers(test, { plugins }, (it) => {
  const times = isLong ? 1000 : 40

  it('guard: 50 clients on one hot key through a limiter: exactly the limit is allowed', async (t, server) => {
    const clients = await clientsOf(server, 50)
    const observer = await server.client()
    const before = await figure(observer, 'guard_conflicts')
    const limit = 777 // none comes back while the test runs
    const { replies, errors } = await storm(clients, times, (client) =>
      client.call('RATELIMIT.CHECK', 'hot', String(limit), '2592000000'),
    )
    t.log(`${String(replies.length)} checks`)
    t.deepEqual(errors, [])
    const allowed = replies.filter((reply) => (reply as unknown[])[1] === 1 || (reply as unknown[])[1] === true)
    t.is(allowed.length, limit)
    const conflicts = (await figure(observer, 'guard_conflicts')) - before
    t.true(conflicts < replies.length / 10, `no storm of new runs: ${String(conflicts)}`)
  })

  for (const command of ['COUNTER.ADD', 'COUNTER.ADDLATER']) {
    it(`guard: ${command} by 50 clients counts exactly, each number once`, async (t, server) => {
      const clients = await clientsOf(server, 50)
      const { replies, errors } = await storm(clients, times, (client) => client.call(command, 'n', '1'))
      t.deepEqual(errors, [])
      t.is(await clients[0]?.get('n'), String(50 * times))
      t.deepEqual(ascending(replies), numbersTo(50 * times))
    })
  }

  it('guard: commits that no batch can foresee are as exact', async (t, server) => {
    const clients = await clientsOf(server, 20)
    const each = isLong ? 100 : 15
    const { errors } = await storm(clients, each, (client) => client.call('COUNTER.TAG', 'list'))
    t.deepEqual(errors, [])
    const items = (await clients[0]?.lrange('list', 0, -1)) ?? []
    t.deepEqual(
      items,
      numbersTo(20 * each).map((n) => String(n - 1)),
    )
  })

  it('guard: no update is lost while a native client INCRs the key without pause', async (t, server) => {
    const clients = await clientsOf(server, 50)
    const [native] = await clientsOf(server, 1)
    const noise = meanwhile(async () => native?.incr('n'))
    const { replies, errors } = await storm(clients, times, (client) => client.call('COUNTER.ADD', 'n', '1000000'))
    const incremented = await noise.stop()
    t.log(`${String(replies.length)} updates against ${String(incremented)} INCRs`)
    t.deepEqual(errors, [])
    t.is(Number(await native?.get('n')), replies.length * 1_000_000 + incremented)
  })

  it('guard: an unconditional SET without pause never brings back an old value', async (t, server) => {
    const clients = await clientsOf(server, 20)
    const [native] = await clientsOf(server, 1)
    // The native client writes a base that grows; a guarded command adds 1 to what it finds. A value that goes back to
    // an older base would be an update from stale reads.
    let base = 0
    let newest = 0
    const seen: number[] = []
    const noise = meanwhile(async () => {
      base += 1_000_000
      const before = Number(await native?.getset('n', String(base)))
      seen.push(Math.floor(before / 1_000_000))
      newest = base
    })
    const { replies, errors } = await storm(clients, times, (client) => client.call('COUNTER.ADD', 'n', '1'))
    await noise.stop()
    t.deepEqual(errors, [])
    const bases = seen.slice(1)
    t.deepEqual(
      bases,
      bases.map((_, index) => index + 1),
      'each SET is followed by values of its own base',
    )
    t.true(replies.every((reply) => Number(reply) <= newest + 1_000_000))
  })

  it('guard: conflicts are counted in FERRITE.INFO, and the command runs again', async (t, server) => {
    const [slow, native] = await clientsOf(server, 2)
    if (slow === undefined || native === undefined) return t.fail()
    await native.set('k', 'a')
    const before = await figure(native, 'guard_conflicts')
    const reply = slow.call('SLOW.APPEND', 'k', '+', 'conflict')
    await until(async () => (await native.call('SLOW.WAITING', 'conflict')) === 1)
    await native.set('k', 'b')
    await native.call('SLOW.OPEN', 'conflict')
    t.is(await reply, 'b+')
    t.is(await native.get('k'), 'b+')
    t.is(await figure(native, 'guard_conflicts'), before + 1)
  })

  it('guard: without a change there is no conflict', async (t, server) => {
    const [slow, native] = await clientsOf(server, 2)
    if (slow === undefined || native === undefined) return t.fail()
    const before = await figure(native, 'guard_conflicts')
    const reply = slow.call('SLOW.APPEND', 'k', '+', 'calm')
    await until(async () => (await native.call('SLOW.WAITING', 'calm')) === 1)
    await native.set('other', 'b')
    await native.call('SLOW.OPEN', 'calm')
    t.is(await reply, '+')
    t.is(await figure(native, 'guard_conflicts'), before)
    // The second run was not needed; the fixture remembers its gate.
    await native.call('SLOW.APPEND', 'other-key', '', 'calm')
  })

  for (const [what, change] of Object.entries<(client: Redis) => Promise<unknown>>({
    DEL: (client) => client.del('k'),
    FLUSHALL: (client) => client.flushall(),
    SWAPDB: (client) => client.swapdb(0, 9),
    'a SET with the same length': (client) => client.set('k', 'b'),
    'a change of type': (client) => client.multi().del('k').rpush('k', 'x').exec(),
    'RENAME from': (client) => client.rename('k', 'away'),
    'MULTI of another client': (client) => client.multi().append('k', 'x').append('k', 'y').exec(),
    'a script of another client': (client) => client.eval("return redis.call('append', KEYS[1], 'z')", 1, 'k'),
  })) {
    it(`guard: ${what} between read and commit makes it run again`, async (t, server) => {
      const [slow, native] = await clientsOf(server, 2)
      if (slow === undefined || native === undefined) return t.fail()
      await native.set('k', 'a')
      const reply = slow.call('SLOW.APPEND', 'k', '+', what).then(String, (err: unknown) => String(err))
      await until(async () => (await native.call('SLOW.WAITING', what)) === 1)
      await change(native)
      const type = await native.type('k')
      const value = type === 'string' ? await native.get('k') : null
      await native.call('SLOW.OPEN', what)
      if (type === 'list') {
        t.regex(await reply, /^ReplyError: WRONGTYPE/)
        t.is(await native.type('k'), 'list')
      } else {
        t.is(await reply, `${value ?? ''}+`)
        t.is(await native.get('k'), `${value ?? ''}+`)
      }
    })
  }

  it('guard: a key that expires between read and commit makes it run again', async (t, server) => {
    const [slow, native] = await clientsOf(server, 2)
    if (slow === undefined || native === undefined) return t.fail()
    await native.set('k', 'old', 'PX', 400)
    const reply = slow.call('SLOW.APPEND', 'k', '+', 'expiry')
    await until(async () => (await native.call('SLOW.WAITING', 'expiry')) === 1)
    await until(async () => (await native.exists('k')) === 0)
    await native.call('SLOW.OPEN', 'expiry')
    t.is(await reply, '+')
  })

  it('guard: keys that expire all the time lose no update', async (t, server) => {
    const clients = await clientsOf(server, 20)
    const { replies, errors } = await storm(clients, isLong ? 500 : 40, (client) =>
      client.call('COUNTER.ADDEX', 'n', '1', '3'),
    )
    t.deepEqual(errors, [])
    // Each life of the key counts 1, 2, 3, … with no number twice: so every number comes at most as often as 1.
    const counts = new Map<number, number>()
    for (const reply of replies) counts.set(Number(reply), (counts.get(Number(reply)) ?? 0) + 1)
    const lives = counts.get(1) ?? 0
    t.log(`${String(replies.length)} updates in ${String(lives)} lives of the key`)
    for (const [number, count] of counts)
      t.true(count <= (counts.get(number - 1) ?? lives), `${String(number)} came ${String(count)} times`)
  })

  it('guard: two keys in opposite order do not deadlock, and nothing is lost between them', async (t, server) => {
    const clients = await clientsOf(server, 20)
    await clients[0]?.mset('a', 1000, 'b', 1000)
    const { errors } = await storm(clients, times, (client, n) =>
      n % 2 === 0 ? client.call('COUNTER.MOVE', 'a', 'b', '1') : client.call('COUNTER.MOVE', 'b', 'a', '1'),
    )
    t.deepEqual(errors, [])
    t.deepEqual(await clients[0]?.mget('a', 'b'), ['1000', '1000'])
  })

  it('guard: chains of keys in all orders do not deadlock', async (t, server) => {
    const clients = await clientsOf(server, 20)
    const keys = ['a', 'b', 'c', 'd', 'e']
    const { errors } = await storm(clients, times, (client, n) => {
      const from = keys[n % 5] ?? 'a'
      const to = keys[(n * 3 + 1) % 5] ?? 'b'
      return client.call('COUNTER.MOVE', from, to === from ? 'f' : to, '1')
    })
    t.deepEqual(errors, [])
    const values = (await clients[0]?.mget(...keys, 'f')) ?? []
    t.is(
      values.reduce((sum, value) => sum + Number(value ?? 0), 0),
      0,
    )
  })

  it('guard: the same key named twice is one key', async (t, server) => {
    const client = await server.client()
    await client.set('a', 5)
    t.deepEqual(await client.call('COUNTER.MOVE', 'a', 'a', '2'), [3, 7])
    t.is(await client.get('a'), '7')
  })

  it('guard: a waiter whose rights were taken meanwhile writes nothing', async (t, server) => {
    const [first, admin] = await clientsOf(server, 2)
    if (first === undefined || admin === undefined) return t.fail()
    await admin.acl('SETUSER', 'worker', 'on', '>pass', '~*', '+@all')
    const worker = await server.client({ username: 'worker', password: 'pass' })
    const ahead = first.call('SLOW.APPEND', 'k', 'first', 'rights')
    await until(async () => (await admin.call('SLOW.WAITING', 'rights')) === 1)
    const behind = worker.call('SLOW.APPEND', 'k', 'second', 'not reached').then(String, (err: unknown) => String(err))
    await until(async () => (await figure(admin, 'inflight')) === 2, { what: 'the second command to wait' })
    await admin.acl('SETUSER', 'worker', 'resetkeys', '~elsewhere')
    await admin.call('SLOW.OPEN', 'rights')
    t.is(await ahead, 'first')
    t.regex(await behind, /NOPERM/)
    t.is(await admin.get('k'), 'first')
    await admin.acl('DELUSER', 'worker')
  })

  it('guard: a runner whose rights were taken meanwhile writes nothing', async (t, server) => {
    const admin = await server.client()
    await admin.acl('SETUSER', 'worker', 'on', '>pass', '~*', '+@all')
    const worker = await server.client({ username: 'worker', password: 'pass' })
    const reply = worker.call('SLOW.APPEND', 'k', 'x', 'disowned').then(String, (err: unknown) => String(err))
    await until(async () => (await admin.call('SLOW.WAITING', 'disowned')) === 1)
    await admin.acl('SETUSER', 'worker', '-set')
    await admin.call('SLOW.OPEN', 'disowned')
    t.regex(await reply, /NOPERM/)
    t.is(await admin.exists('k'), 0)
    await admin.acl('DELUSER', 'worker')
    await admin.call('SLOW.APPEND', 'other-key', '', 'disowned')
  })

  it('guard: a waiter whose user was deleted meanwhile writes nothing', async (t, server) => {
    const admin = await server.client()
    await admin.acl('SETUSER', 'worker', 'on', '>pass', '~*', '+@all')
    const worker = await server.client({ username: 'worker', password: 'pass' })
    const second = worker.call('SLOW.APPEND', 'k', 'x', 'deleted').then(String, (err: unknown) => String(err))
    await until(async () => (await admin.call('SLOW.WAITING', 'deleted')) === 1)
    await admin.acl('DELUSER', 'worker')
    await admin.call('SLOW.OPEN', 'deleted')
    await second
    t.is(await admin.exists('k'), 0)
    t.is(await figure(admin, 'inflight'), 0)
    await admin.call('SLOW.APPEND', 'other-key', '', 'deleted')
  })

  it('guard: a client that leaves while it waits frees its place in the queue', async (t, server) => {
    const [first, leaver, last, other] = await clientsOf(server, 4)
    if (first === undefined || leaver === undefined || last === undefined || other === undefined) return t.fail()
    const reply = first.call('SLOW.APPEND', 'k', 'first', 'leave')
    await until(async () => (await other.call('SLOW.WAITING', 'leave')) === 1)
    const left = leaver.call('SLOW.APPEND', 'k', 'left', 'not reached').then(String, (err: unknown) => String(err))
    await until(async () => (await figure(other, 'inflight')) === 2)
    const final = last.call('SLOW.APPEND', 'k', '+last', 'leave')
    await until(async () => (await figure(other, 'inflight')) === 3)
    leaver.disconnect()
    t.regex(await left, /closed/)
    await until(async () => (await figure(other, 'inflight')) === 2)
    await other.call('SLOW.OPEN', 'leave')
    t.is(await reply, 'first')
    t.is(await final, 'first+last')
  })

  for (const form of ['TIMEOUT', 'ERROR']) {
    it(`guard: CLIENT UNBLOCK ${form} of waiters frees their places, and they write nothing`, async (t, server) => {
      const [runner, waiter, last, other] = await clientsOf(server, 4)
      if (runner === undefined || waiter === undefined || last === undefined || other === undefined) return t.fail()
      const ids = [await runner.client('ID'), await waiter.client('ID')]
      const gate = `unblock ${form}`
      const append = (client: Redis, text: string): Promise<string> =>
        client.call('SLOW.APPEND', 'k', text, gate).then(String, (err: unknown) => String(err))
      const first = append(runner, 'first')
      await until(async () => (await other.call('SLOW.WAITING', gate)) === 1)
      const second = append(waiter, 'second')
      await until(async () => (await figure(other, 'inflight')) === 2)
      const final = append(last, 'last')
      await until(async () => (await figure(other, 'inflight')) === 3)
      t.is(await other.call('CLIENT', 'UNBLOCK', String(ids[1]), form), 1)
      t.regex(await second, /^ReplyError: UNBLOCKED /)
      t.is(await figure(other, 'inflight'), 2)
      t.is(await other.call('SLOW.WAITING', gate), 1, 'who was first still runs')
      t.is(await other.call('CLIENT', 'UNBLOCK', String(ids[0]), form), 1)
      t.regex(await first, /^ReplyError: UNBLOCKED /)
      t.is(await final, 'last')
      t.is(await other.get('k'), 'last')
      t.deepEqual([await runner.ping(), await waiter.ping()], ['PONG', 'PONG'])
      t.is(await figure(other, 'inflight'), 0)
    })
  }

  it('guard: MULTI, scripts and guarded commands on one key count exactly', async (t, server) => {
    const clients = await clientsOf(server, 20)
    const ways: readonly ((client: Redis) => Promise<unknown>)[] = [
      (client) => client.call('COUNTER.ADD', 'n', '1'),
      async (client) => {
        const replies = await client.multi().call('COUNTER.ADD', 'n', '1').exec()
        const error = replies?.[0]?.[0]
        if (error) throw error
      },
      (client) => client.eval("return redis.call('COUNTER.ADD', KEYS[1], 1)", 1, 'n'),
      (client) => client.incr('n'),
    ]
    const { errors } = await storm(clients, times, (client, n) => ways[n % ways.length]?.(client) ?? Promise.resolve())
    t.deepEqual(errors, [])
    t.is(await clients[0]?.get('n'), String(20 * times))
  })
})
