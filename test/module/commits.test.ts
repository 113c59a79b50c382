// ctx.commit: writes that are done together with the reply, as one transaction in the append-only file and on replicas.
import { readFile } from 'node:fs/promises'
import test from 'ava'
import {
  digest,
  fixturePlugin,
  forEachServer,
  messageOf,
  readAof,
  shareServers,
  startServer,
  until,
  untilInStep,
} from '../helpers/index.js'

const plugins = ['counters', 'slow', 'caller'].map(fixturePlugin)

/** What follows a marker in the append-only file, without SELECT. */
async function aofSince(folder: string, marker: string): Promise<readonly string[]> {
  const commands = await readAof(folder)
  const from = commands.findLastIndex((words) => words[1] === marker)
  return commands
    .slice(from + 1)
    .filter(([name]) => name?.toUpperCase() !== 'SELECT')
    .map((words) => words.join(' '))
}

shareServers(test, { plugins, aof: true }, (it) => {
  it('commit: the reply of a committed command is the reply', async (t, server) => {
    const client = await server.client()
    t.is(await client.call('COUNTER.INCR', 'k'), 1)
    t.is(await client.call('COUNTER.INCR', 'k'), 2)
  })

  it('commit: results stand inside a reply', async (t, server) => {
    const client = await server.client()
    await client.set('b', 10)
    t.deepEqual(await client.call('COUNTER.BOTH', 'a', 'b'), ['text', 'both', 'first', 1, 'second', 11])
  })

  it('commit: the first failing command is the reply, and what was before it stays', async (t, server) => {
    const client = await server.client()
    await client.lpush('bad', 'x')
    t.is(
      await messageOf(client.call('COUNTER.FAILING', 'good', 'bad')),
      "WRONGTYPE Operation against a key holding the wrong kind of value (command 2 of 3 of the commit, 'INCR', those before it are done)",
    )
    t.is(await client.get('good'), 'first')
    t.is(
      await messageOf(client.call('COUNTER.BOTH', 'bad', 'good')),
      "WRONGTYPE Operation against a key holding the wrong kind of value (command 1 of 2 of the commit, 'INCR': nothing was done)",
    )
    t.is(
      await messageOf(client.call('COUNTER.INCR', 'bad')),
      'WRONGTYPE Operation against a key holding the wrong kind of value',
    )
  })

  it('commit: a failing one is written as far as it was done, as one transaction', async (t, server) => {
    const client = await server.client()
    await client.lpush('bad', 'x')
    await client.set('marker', 1)
    await messageOf(client.call('COUNTER.FAILING', 'good', 'bad'))
    const written = (await aofSince(server.folder, 'marker')).join('; ').toLowerCase()
    t.true(['set good first', 'multi; set good first; exec'].includes(written), written)
  })

  it('commit: in MULTI and scripts a failing command is named, too', async (t, server) => {
    const client = await server.client()
    await client.lpush('bad', 'x')
    const named = /^(ERR )?WRONGTYPE .*\(command 2 of 3 of the commit, 'INCR', those before it are done\)/
    const replies = await client.multi().call('COUNTER.FAILING', 'good', 'bad').set('after', '1').exec()
    t.regex(replies?.[0]?.[0]?.message ?? '', named)
    t.deepEqual(replies?.[1], [null, 'OK'])
    const script = "return redis.call('COUNTER.FAILING', KEYS[1], KEYS[2])"
    t.regex(await messageOf(client.eval(script, 2, 'good', 'bad')), named)
    t.is(await client.get('good'), 'first')
  })

  it('commit: nothing is done when the handler throws', async (t, server) => {
    const client = await server.client()
    t.is(await messageOf(client.call('COUNTER.THROWING', 'k')), 'REFUSED nothing was done')
    t.is(await client.exists('k'), 0)
  })

  it('commit: a command that is declared as reading commits nothing', async (t, server) => {
    const client = await server.client()
    t.regex(
      await messageOf(client.call('COUNTER.SNEAK', 'k')),
      /^ERR 'set' may write, but this plugin command is declared as read-only/,
    )
    t.is(await client.exists('k'), 0)
    const replies = await client.multi().call('COUNTER.SNEAK', 'k').exec()
    t.regex(replies?.[0]?.[0]?.message ?? '', /declared as read-only/)
  })

  it('commit: a thousand commands at once', async (t, server) => {
    const client = await server.client()
    t.is(await client.call('COUNTER.FILL', 'list', '1000'), 'OK')
    t.is(await client.llen('list'), 1000)
    t.is(await client.lindex('list', 999), '999')
  })

  it('commit: it is one MULTI/EXEC in the append-only file', async (t, server) => {
    const client = await server.client()
    await client.set('marker', 1)
    await client.call('COUNTER.BOTH', 'a', 'b')
    t.deepEqual(await aofSince(server.folder, 'marker'), ['MULTI', 'INCR a', 'INCR b', 'EXEC'])
  })

  it('commit: in MULTI it becomes a part of that transaction', async (t, server) => {
    const client = await server.client()
    await client.set('marker', 1)
    await client.multi().set('x', 1).call('COUNTER.BOTH', 'a', 'b').exec()
    t.deepEqual(await aofSince(server.folder, 'marker'), ['MULTI', 'set x 1', 'INCR a', 'INCR b', 'EXEC'])
  })

  it('commit: in a script its effects are written, not the script', async (t, server) => {
    const client = await server.client()
    await client.set('marker', 1)
    await client.eval("redis.call('COUNTER.BOTH', KEYS[1], KEYS[2]) redis.call('set', KEYS[1], 'end')", 2, 'a', 'b')
    t.deepEqual(
      (await aofSince(server.folder, 'marker')).map((words) => words.toLowerCase()),
      ['multi', 'incr a', 'incr b', 'set a end', 'exec'],
    )
  })

  it('commit: what failed or was refused leaves nothing in the append-only file', async (t, server) => {
    const client = await server.client()
    await client.set('marker', 1)
    await messageOf(client.call('COUNTER.THROWING', 'k'))
    await messageOf(client.call('COUNTER.SNEAK', 'k'))
    t.deepEqual(await aofSince(server.folder, 'marker'), [])
  })

  it('calls: each writing call of ctx.redis is written, multi() as one transaction', async (t, server) => {
    const client = await server.client()
    await client.set('marker', 1)
    await client.call('CALLER.SET', 'k', 'v')
    await client.call('CALLER.MULTI', 'n')
    t.deepEqual(
      (await aofSince(server.folder, 'marker'))
        .map((words) => words.toLowerCase())
        .filter((words) => words !== 'multi' && words !== 'exec'),
      ['set k v', 'incr n', 'incr n'],
    )
    const multi = (await aofSince(server.folder, 'marker')).join('; ').toLowerCase()
    t.regex(multi, /multi; incr n; incr n; exec$/)
  })

  it('commit: relative expiry is written as a point in time', async (t, server) => {
    const client = await server.client()
    await client.set('marker', 1)
    await client.call('COUNTER.EXPIRING', 'k', '100000')
    const [only, ...more] = await aofSince(server.folder, 'marker')
    t.regex(only ?? '', /^set k soon gone PXAT \d{13}$/i)
    t.deepEqual(more, [])
  })

  it('commit: all of it is there after a restart from the append-only file', async (t, server) => {
    const client = await server.client()
    await client.call('COUNTER.BOTH', 'a', 'b')
    await client.call('COUNTER.FILL', 'list', '50')
    const before = await digest(server)
    await server.restart('SIGKILL')
    t.is(await digest(server), before)
    await server.pluginsActive()
    t.is(await (await server.client()).call('COUNTER.INCR', 'a'), 2)
  })

  it('memory: a writing plugin command gets the native OOM error', async (t, server) => {
    const client = await server.client()
    await client.config('SET', 'maxmemory', '1mb', 'maxmemory-policy', 'noeviction')
    const native = await messageOf(client.set('k', 'v'))
    t.regex(native, /^OOM command not allowed/)
    t.is(await messageOf(client.call('COUNTER.INCR', 'k')), native)
    t.regex(await messageOf(client.call('CALLER.CALL', 'SET', 'k', 'v')), /^OOM /)
    t.regex(await messageOf(client.call('CALLER.COMMIT', 'SET', 'k', 'v')), /^OOM /)
    t.is(await client.call('COUNTER.PEEK', 'k'), 0, 'reading goes on')
    await client.config('SET', 'maxmemory', '0')
    t.is(await client.call('COUNTER.INCR', 'k'), 1)
  })

  it('memory: a commit that waited while memory ran out is refused', async (t, server) => {
    const client = await server.client()
    const other = await server.client()
    const reply = messageOf(client.call('SLOW.SET', 'k', 'v', 'full'))
    await until(async () => (await other.call('SLOW.WAITING', 'full')) === 1)
    await other.config('SET', 'maxmemory', '1mb', 'maxmemory-policy', 'noeviction')
    await other.call('SLOW.OPEN', 'full')
    t.regex(await reply, /^OOM /)
    t.is(await other.exists('k'), 0)
    await other.config('SET', 'maxmemory', '0')
  })

  it('replicas: with too few of them a writing plugin command gets the native NOREPLICAS', async (t, server) => {
    const client = await server.client()
    await client.config('SET', 'min-replicas-to-write', '1')
    const native = await messageOf(client.set('k', 'v'))
    t.regex(native, /^NOREPLICAS/)
    t.is(await messageOf(client.call('COUNTER.INCR', 'k')), native)
    t.regex(await messageOf(client.call('CALLER.CALL', 'SET', 'k', 'v')), /^NOREPLICAS/)
    t.regex(await messageOf(client.call('CALLER.COMMIT', 'SET', 'k', 'v')), /^NOREPLICAS/)
    await client.config('SET', 'min-replicas-to-write', '0')
    t.is(await client.call('COUNTER.INCR', 'k'), 1)
  })

  it('disk: after a failed save a writing plugin command gets the native MISCONF', async (t, server) => {
    const client = await server.client()
    await client.config('SET', 'stop-writes-on-bgsave-error', 'yes', 'save', '3600 1000000')
    await client.set('k', 1)
    await client.config('SET', 'rdb-key-save-delay', '10000000')
    await client.bgsave()
    const child = await until(async () => (await client.info('persistence')).includes('rdb_bgsave_in_progress:1'))
    t.truthy(child)
    // Setting the delay back does not reach the child; a child that is killed by SIGUSR1 counts as asked for, so kill it hard.
    const pid = await childOf(server.pid)
    process.kill(pid, 'SIGKILL')
    await until(async () => (await client.info('persistence')).includes('rdb_last_bgsave_status:err'))
    const native = await messageOf(client.set('k', 'v'))
    t.regex(native, /^MISCONF/)
    t.is(await messageOf(client.call('COUNTER.INCR', 'k')), native)
    t.regex(await messageOf(client.call('CALLER.CALL', 'SET', 'k', 'v')), /^MISCONF/)
    await client.config('SET', 'rdb-key-save-delay', '0', 'stop-writes-on-bgsave-error', 'no', 'save', '')
    t.is(await client.call('COUNTER.INCR', 'k'), 2)
  })
})

/** The pid of the saving child of a server: the one that is the same program. */
async function childOf(pid: number): Promise<number> {
  const children = (await readFile(`/proc/${String(pid)}/task/${String(pid)}/children`, 'utf8'))
    .trim()
    .split(' ')
    .map(Number)
  const own = await readFile(`/proc/${String(pid)}/comm`, 'utf8')
  for (const child of children) {
    const cmdline = await readFile(`/proc/${String(child)}/cmdline`, 'utf8')
    if (!cmdline.includes('node')) return child
  }
  throw new Error(`server ${String(pid)} (${own.trim()}) has no saving child among ${children.join(', ')}`)
}

forEachServer(
  test,
  'replica: runs reading plugin commands, refuses writing ones as native ones',
  async (t, program) => {
    await using primary = await startServer({ server: program, plugins })
    await using replica = await startServer({ server: program, plugins, replicaOf: primary })
    const client = await primary.client()
    await client.call('COUNTER.ADD', 'k', '5')
    await untilInStep(primary, replica)
    const reader = await replica.client()
    t.is(await reader.call('COUNTER.PEEK', 'k'), 5)
    t.is(await reader.call('CALLER.GET', 'k'), '5')
    const native = await messageOf(reader.set('k', 'v'))
    t.regex(native, /^READONLY/)
    t.is(await messageOf(reader.call('COUNTER.INCR', 'k')), native)
    t.regex(await messageOf(reader.call('CALLER.CALL', 'SET', 'k', 'v')), /^READONLY/)
    t.regex(await messageOf(reader.call('CALLER.COMMIT', 'SET', 'k', 'v')), /^READONLY/)
    t.is(await reader.get('k'), '5')
    t.is(await digest(replica), await digest(primary))
  },
)

forEachServer(test, 'replica: gets commits as one transaction, and nothing twice', async (t, program) => {
  await using primary = await startServer({ server: program, plugins })
  await using replica = await startServer({ server: program, replicaOf: primary, aof: true })
  const isWritten = async (): Promise<boolean> =>
    /aof_enabled:1[^]*aof_rewrite_in_progress:0[^]*aof_rewrite_scheduled:0/.test(
      await replica.cli('info', 'persistence'),
    )
  await until(isWritten, { what: 'the append-only file that the replica begins after its sync' })
  const client = await primary.client()
  await client.set('marker', 1)
  await client.call('COUNTER.BOTH', 'a', 'b')
  await client.call('COUNTER.ADD', 'a', '41')
  await untilInStep(primary, replica)
  t.is(await digest(replica), await digest(primary))
  t.deepEqual(
    (await aofSince(replica.folder, 'marker')).map((words) => words.toLowerCase()),
    ['multi', 'incr a', 'incr b', 'exec', 'set a 42'],
  )
})
