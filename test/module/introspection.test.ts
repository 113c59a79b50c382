// Plugin commands in COMMAND, in ACLs and in the server's own figures: as native ones.
import test from 'ava'
import type { Redis } from 'ioredis'
import { fixturePlugin, messageOf, RawClient, shareServers, until } from '../helpers/index.js'

const plugins = ['counters', 'arguments', 'slow', 'types'].map(fixturePlugin)

interface CommandInfo {
  readonly name: string
  readonly arity: number
  readonly flags: readonly string[]
  readonly keys: readonly [number, number, number]
  readonly categories: readonly string[]
  readonly subcommands: readonly string[]
}

async function infoOf(client: Redis, name: string): Promise<CommandInfo | null> {
  const [entry] = (await client.call('COMMAND', 'INFO', name)) as readonly (readonly unknown[] | null)[]
  if (entry === null || entry === undefined) return null
  const [lower, arity, flags, first, last, step, categories, , , subcommands] = entry
  return {
    name: String(lower),
    arity: Number(arity),
    flags: (flags as string[]).map(String).sort(),
    keys: [Number(first), Number(last), Number(step)],
    categories: (categories as string[]).map(String).sort(),
    subcommands: ((subcommands as unknown[][] | undefined) ?? []).map(([one]) => String(one)),
  }
}

async function keysOf(client: Redis, ...words: readonly string[]): Promise<unknown> {
  return await client.call('COMMAND', 'GETKEYS', ...(words as [string]))
}

shareServers(test, { plugins }, (it, program) => {
  const hasCategories = program.version !== '7.0.15'

  it('COMMAND INFO: arity, flags, keys and categories of a writing command', async (t, server) => {
    const info = await infoOf(await server.client(), 'counter.add')
    t.is(info?.arity, 3)
    t.deepEqual(info?.keys, [1, 1, 1])
    for (const flag of ['write', 'denyoom', 'module']) t.true(info?.flags.includes(flag), flag)
    if (hasCategories) for (const category of ['@write', '@slow']) t.true(info?.categories.includes(category), category)
  })

  it('COMMAND INFO: a reading command is flagged as one', async (t, server) => {
    const info = await infoOf(await server.client(), 'counter.peek')
    t.true(info?.flags.includes('readonly'))
    t.false(info?.flags.includes('write'))
    if (hasCategories) t.true(info?.categories.includes('@read'))
  })

  it('COMMAND INFO: optional arguments make the arity negative', async (t, server) => {
    const client = await server.client()
    t.is((await infoOf(client, 'args.options'))?.arity, -2)
    t.is((await infoOf(client, 'args.keys'))?.arity, -2)
    t.is((await infoOf(client, 'args.repeated'))?.arity, -3)
  })

  it('COMMAND INFO: subcommands belong to their container', async (t, server) => {
    const client = await server.client()
    t.deepEqual([...((await infoOf(client, 'args.session'))?.subcommands ?? [])].sort(), [
      'ARGS.SESSION|GET',
      'ARGS.SESSION|SET',
    ])
    const set = await infoOf(client, 'args.session|set')
    t.is(set?.arity, 4)
    t.deepEqual(set?.keys, [2, 2, 1])
  })

  it('COMMAND DOCS: summary, arguments and their kinds, as a map in RESP3', async (t, server) => {
    const client = await server.client({ protocol: 3, replyMapping: 'resp3' } as object)
    const docs = (await client.call('COMMAND', 'DOCS', 'args.options')) as Record<string, Record<string, unknown>>
    const doc = docs['ARGS.OPTIONS']
    t.is(doc?.['summary'], 's')
    const args = doc?.['arguments'] as Record<string, unknown>[]
    t.deepEqual(
      args.map((one) => [one['name'], one['type'], one['token'] ?? null]),
      [
        ['name', 'string', null],
        ['force', 'pure-token', 'FORCE'],
        ['count', 'integer', 'COUNT'],
        ['label', 'string', 'LABEL'],
        ['range', 'block', 'RANGE'],
        ['ttl', 'oneof', null],
      ],
    )
    t.deepEqual(
      (args[4]?.['arguments'] as Record<string, unknown>[]).map((one) => one['name']),
      ['from', 'to'],
    )
    t.true(doc?.['module'] === 'ferrite')
  })

  it('COMMAND DOCS: a key argument names its key spec', async (t, server) => {
    const client = await server.client({ protocol: 3, replyMapping: 'resp3' } as object)
    const docs = (await client.call('COMMAND', 'DOCS', 'counter.move')) as Record<string, Record<string, unknown>>
    const args = docs['COUNTER.MOVE']?.['arguments'] as Record<string, unknown>[]
    t.deepEqual(
      args.map((one) => [one['name'], one['type'], one['key_spec_index'] ?? null]),
      [
        ['from', 'key', 0],
        ['to', 'key', 1],
        ['amount', 'integer', null],
      ],
    )
  })

  it('COMMAND GETKEYS: all keys of a call', async (t, server) => {
    const client = await server.client()
    t.deepEqual(await keysOf(client, 'COUNTER.MOVE', 'a', 'b', '1'), ['a', 'b'])
    t.deepEqual(await keysOf(client, 'ARGS.KEYS', 'a', 'b', 'c'), ['a', 'b', 'c'])
    t.deepEqual(await keysOf(client, 'ARGS.NUMKEYS', '2', 'a', 'b', 'rest'), ['a', 'b'])
    t.deepEqual(await keysOf(client, 'ARGS.SESSION', 'SET', 'a', 'v'), ['a'])
    t.regex(await messageOf(keysOf(client, 'TYPES.ECHO', 'x')), /The command has no key arguments/)
  })

  it('COMMAND GETKEYSANDFLAGS: what is done to each key', async (t, server) => {
    const client = await server.client()
    t.deepEqual(await client.call('COMMAND', 'GETKEYSANDFLAGS', 'COUNTER.ADD', 'a', '1'), [
      ['a', ['RW', 'access', 'update']],
    ])
    t.deepEqual(await client.call('COMMAND', 'GETKEYSANDFLAGS', 'COUNTER.PEEK', 'a'), [['a', ['RO', 'access']]])
    const replaced = (await client.call('COMMAND', 'GETKEYSANDFLAGS', 'ARGS.PUT', 'a', 'v')) as [string, string[]][]
    const flags = replaced.flatMap(([, ofKey]) => ofKey)
    t.true(flags.includes('OW') || flags.includes('RW'), flags.join(' '))
    t.false(flags.includes('access'))
  })

  it('COMMAND LIST FILTERBY: module, category and pattern', async (t, server) => {
    const client = await server.client()
    const ofModule = (await client.call('COMMAND', 'LIST', 'FILTERBY', 'MODULE', 'ferrite')) as string[]
    for (const name of ['COUNTER.ADD', 'ARGS.SESSION', 'TYPES.REPLY']) t.true(ofModule.includes(name), name)
    const byPattern = (await client.call('COMMAND', 'LIST', 'FILTERBY', 'PATTERN', 'COUNTER.*')) as string[]
    t.true(byPattern.includes('COUNTER.PEEK'))
    if (!hasCategories) return
    const writing = (await client.call('COMMAND', 'LIST', 'FILTERBY', 'ACLCAT', 'write')) as string[]
    t.true(writing.includes('COUNTER.ADD'))
    t.false(writing.includes('COUNTER.PEEK'))
  })

  it('arity: too few and too many words get the native error', async (t, server) => {
    using client = await RawClient.connect(server.port)
    const native = /^-ERR wrong number of arguments for 'counter\.add' command\r\n$/i
    t.regex(await client.text('COUNTER.ADD', 'k'), native)
    t.regex(await client.text('COUNTER.ADD', 'k', '1', '2'), native)
    t.regex(
      await client.text('ARGS.SESSION', 'SET', 'k'),
      /^-ERR wrong number of arguments for 'args\.session\|set' command/i,
    )
  })

  it('subcommands: run by two words, in any case; unknown ones are told as native ones', async (t, server) => {
    const client = await server.client()
    t.is(await client.call('ARGS.SESSION', 'SET', 'k', 'v'), 'OK')
    t.is(await client.call('args.session', 'sEt', 'k', 'w'), 'OK')
    t.deepEqual(await client.call('Args.Session', 'get', 'k'), ['get', 'k'])
    t.regex(await messageOf(client.call('ARGS.SESSION', 'DROP', 'k')), /^ERR unknown subcommand 'DROP'/i)
    t.regex(await messageOf(client.call('ARGS.SESSION')), /^ERR wrong number of arguments/)
  })

  it('ACL: a command has to be allowed by name', async (t, server) => {
    const admin = await server.client()
    await admin.acl('SETUSER', 'worker', 'on', '>pass', '~*', '-@all', '+counter.peek', '+get')
    const worker = await server.client({ username: 'worker', password: 'pass', enableReadyCheck: false })
    t.is(await worker.call('COUNTER.PEEK', 'k'), 0)
    t.regex(await messageOf(worker.call('COUNTER.ADD', 'k', '1')), /^NOPERM/)
    await admin.acl('DELUSER', 'worker')
  })

  it('ACL: the inner commands have to be allowed as well', async (t, server) => {
    const admin = await server.client()
    await admin.acl('SETUSER', 'worker', 'on', '>pass', '~*', '-@all', '+counter.add', '+counter.peek')
    const worker = await server.client({ username: 'worker', password: 'pass', enableReadyCheck: false })
    t.regex(await messageOf(worker.call('COUNTER.PEEK', 'k')), /^NOPERM/)
    await admin.acl('SETUSER', 'worker', '+get')
    t.is(await worker.call('COUNTER.PEEK', 'k'), 0)
    t.regex(await messageOf(worker.call('COUNTER.ADD', 'k', '1')), /^NOPERM/)
    await admin.acl('DELUSER', 'worker')
  })

  if (hasCategories) {
    it('ACL: categories hold plugin commands', async (t, server) => {
      const admin = await server.client()
      await admin.acl('SETUSER', 'worker', 'on', '>pass', '~*', '-@all', '+@read')
      const worker = await server.client({ username: 'worker', password: 'pass', enableReadyCheck: false })
      t.is(await worker.call('COUNTER.PEEK', 'k'), 0)
      t.regex(await messageOf(worker.call('COUNTER.ADD', 'k', '1')), /^NOPERM/)
      await admin.acl('SETUSER', 'worker', '+@write')
      t.is(await worker.call('COUNTER.ADD', 'k', '1'), 1)
      await admin.acl('DELUSER', 'worker')
    })
  }

  it('ACL: key patterns, with reading and writing apart', async (t, server) => {
    const admin = await server.client()
    await admin.acl('SETUSER', 'worker', 'on', '>pass', '+@all', '%R~read:*', '%RW~both:*', '%W~write:*')
    const worker = await server.client({ username: 'worker', password: 'pass', enableReadyCheck: false })
    t.is(await worker.call('COUNTER.PEEK', 'read:k'), 0)
    t.is(await worker.call('COUNTER.ADD', 'both:k', '1'), 1)
    t.regex(await messageOf(worker.call('COUNTER.ADD', 'read:k', '1')), /^NOPERM/)
    t.regex(await messageOf(worker.call('COUNTER.PEEK', 'write:k')), /^NOPERM/)
    t.is(await worker.call('ARGS.PUT', 'write:k', 'v'), 'OK')
    t.regex(await messageOf(worker.call('COUNTER.PEEK', 'other')), /^NOPERM/)
    await admin.acl('DELUSER', 'worker')
  })

  it('ACL: selectors', async (t, server) => {
    const admin = await server.client()
    await admin.acl(
      'SETUSER',
      'worker',
      'on',
      '>pass',
      '-@all',
      '(+counter.peek +get ~p:*)',
      '(+counter.add +get +set ~a:*)',
    )
    const worker = await server.client({ username: 'worker', password: 'pass', enableReadyCheck: false })
    t.is(await worker.call('COUNTER.PEEK', 'p:k'), 0)
    t.is(await worker.call('COUNTER.ADD', 'a:k', '2'), 2)
    t.regex(await messageOf(worker.call('COUNTER.PEEK', 'a:k')), /^NOPERM/)
    await admin.acl('DELUSER', 'worker')
  })

  it('ACL: a subcommand can be allowed alone', async (t, server) => {
    const admin = await server.client()
    await admin.acl('SETUSER', 'worker', 'on', '>pass', '~*', '-@all', '+args.session|get')
    const worker = await server.client({ username: 'worker', password: 'pass', enableReadyCheck: false })
    t.deepEqual(await worker.call('ARGS.SESSION', 'GET', 'k'), ['get', 'k'])
    t.regex(await messageOf(worker.call('ARGS.SESSION', 'SET', 'k', 'v')), /^NOPERM/)
    await admin.acl('DELUSER', 'worker')
  })

  it('ACL: a commit may touch only keys of the caller', async (t, server) => {
    const admin = await server.client()
    await admin.acl('SETUSER', 'worker', 'on', '>pass', '+@all', '~mine:*')
    const worker = await server.client({ username: 'worker', password: 'pass', enableReadyCheck: false })
    t.regex(await messageOf(worker.call('COUNTER.ELSEWHERE', 'mine:k', 'theirs:k')), /^NOPERM/)
    t.is(await admin.exists('theirs:k'), 0)
    t.is(await worker.call('COUNTER.ELSEWHERE', 'mine:k', 'mine:other'), 'OK')
    await admin.acl('DELUSER', 'worker')
  })

  it('AUTH: an unauthenticated client gets NOAUTH', async (t, server) => {
    const admin = await server.client()
    await admin.config('SET', 'requirepass', 'secret')
    using client = await RawClient.connect(server.port)
    client.send(['COUNTER.PEEK', 'k'], ['FERRITE.INFO'], ['AUTH', 'secret'])
    t.is(await client.text('COUNTER.PEEK', 'k'), '-NOAUTH Authentication required.\r\n'.repeat(2) + '+OK\r\n:0\r\n')
    await admin.config('SET', 'requirepass', '')
  })

  it('SLOWLOG and commandstats: show the time of the plugin', async (t, server) => {
    const client = await server.client()
    await client.config('SET', 'slowlog-log-slower-than', '20000')
    await client.config('RESETSTAT')
    await client.slowlog('RESET')
    t.is(await client.call('SLOW.BUSY', '60'), 'OK')
    const [entry] = (await client.slowlog('GET', '1')) as readonly (readonly unknown[])[]
    t.deepEqual(entry?.[3], ['SLOW.BUSY', '60'])
    t.true(Number(entry?.[2]) >= 60_000, `slowlog says ${String(entry?.[2])} µs`)
    const stats = /cmdstat_SLOW\.BUSY:calls=(\d+),usec=(\d+)/.exec(await client.info('commandstats'))
    t.is(stats?.[1], '1')
    t.true(Number(stats?.[2]) >= 60_000, `commandstats says ${String(stats?.[2])} µs`)
    await client.config('SET', 'slowlog-log-slower-than', '10000')
  })

  it('commandstats: guarded commands are counted, their time is in INFO ferrite', async (t, server) => {
    const client = await server.client()
    const other = await server.client()
    await client.config('RESETSTAT')
    const reply = client.call('SLOW.APPEND', 'k', 'x', 'timed')
    await until(async () => (await other.call('SLOW.WAITING', 'timed')) === 1)
    await other.call('SLOW.BUSY', '40')
    await other.call('SLOW.OPEN', 'timed')
    await reply
    // Valkey counts any module's command that is blocked on a key twice: when it blocks and when it is served.
    const calls = /cmdstat_SLOW\.APPEND:calls=(\d+),/.exec(await client.info('commandstats'))?.[1]
    t.is(calls, program.product === 'valkey' ? '2' : '1')
    // What a client waits that is blocked on a key is not in commandstats and SLOWLOG (servers since 7.2), so ours must tell.
    const longest = Number(/ferrite_command_slow\.append:.*max_us=(\d+)/.exec(await client.info('ferrite'))?.[1])
    t.true(longest >= 40_000, `INFO ferrite says ${String(longest)} µs`)
    await client.call('SLOW.APPEND', 'k', 'x', 'timed')
  })

  it('LATENCY HISTOGRAM: knows plugin commands', async (t, server) => {
    const client = await server.client()
    await client.config('RESETSTAT')
    await client.call('SLOW.BUSY', '5')
    t.regex(JSON.stringify(await client.call('LATENCY', 'HISTOGRAM', 'slow.busy')), /SLOW\.BUSY.*calls.*1/)
  })

  it('commandstats: failed and rejected calls are counted', async (t, server) => {
    const client = await server.client()
    await client.config('RESETSTAT')
    await messageOf(client.call('COUNTER.THROWING', 'k'))
    await messageOf(client.call('COUNTER.ADD', 'k'))
    const info = await client.info('commandstats')
    t.regex(info, /cmdstat_COUNTER\.THROWING:.*failed_calls=1/)
    t.regex(info, /cmdstat_COUNTER\.ADD:.*rejected_calls=1/)
    t.regex(await client.info('errorstats'), /errorstat_REFUSED:count=1/)
  })

  it('MONITOR: shows the command of the client once', async (t, server) => {
    const monitor = await (await server.client()).monitor()
    const lines: string[] = []
    monitor.on('monitor', (_time: string, args: string[]) => lines.push(args.join(' ')))
    const client = await server.client()
    await client.call('COUNTER.ADD', 'watched', '1')
    await client.echo('end')
    await until(() => lines.includes('echo end'))
    monitor.disconnect()
    t.is(lines.filter((line) => line === 'COUNTER.ADD watched 1').length, 1)
  })

  it('INFO ferrite: names plugins, lanes and commands', async (t, server) => {
    const client = await server.client()
    await client.call('COUNTER.PEEK', 'k')
    const info = await client.info('ferrite')
    t.regex(info, /ferrite_host:up/)
    t.regex(info, /ferrite_plugin_counters:version=0\.0\.0,state=active/)
    t.regex(info, /ferrite_command_counter\.peek:calls=[1-9]/)
    t.regex(info, /ferrite_lane_\d+:label=/)
  })

  it('INFO ferrite: every line can be parsed, whatever the names', async (t, server) => {
    const client = await server.client()
    await client.call('ARGS:COLON')
    await client.call('ARGS.SESSION', 'GET', 'k')
    const lines = (await client.info('ferrite')).trimEnd().split('\r\n').slice(1)
    const fields = new Map(lines.map((line) => line.split(':') as [string, string]))
    t.is(fields.size, lines.length, 'no field comes twice')
    for (const line of lines) t.regex(line, /^ferrite_[\w.|@/-]+:([^:,=]*|[\w.]+=[^:,=]*(,[\w.]+=[^:,=]*)*)$/)
    // As the server itself writes them in INFO commandstats.
    t.regex(fields.get('ferrite_command_args_colon') ?? '', /^calls=\d+,/)
    t.regex(fields.get('ferrite_command_args.session|get') ?? '', /^calls=\d+,/)
    const stats = await client.info('commandstats')
    t.regex(stats, /^cmdstat_ARGS_COLON:/m)
    t.regex(stats, /^cmdstat_ARGS\.SESSION\|GET:/m)
  })
})
