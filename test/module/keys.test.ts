// The keys of a call, as the server sees them: COMMAND GETKEYS, ACL, redirections, client tracking.
import test from 'ava'
import fc from 'fast-check'
import type { Redis } from 'ioredis'
import type { ArgDoc } from '#lib/plugin/command-route.js'
import { compilePlugin } from '#lib/sdk/compile.js'
import { fixturePlugin, messageOf, RawClient, shareClusters, shareServers, until } from '../helpers/index.js'
import keyed, { keysIn } from '../fixtures/plugins/keyed.js'

const plugins = ['keyed', 'counters'].map(fixturePlugin)
const compiled = new Map(compilePlugin(keyed).commands.map((one) => [one.name, one]))

async function getKeys(client: Redis, words: readonly string[]): Promise<readonly string[]> {
  try {
    return (await client.call('COMMAND', 'GETKEYS', ...words)) as string[]
  } catch {
    return [] // "The command has no key arguments"
  }
}

/** The keys that the host reads from the words; `undefined` if it refuses them. */
function keysOfHost(name: string, words: readonly string[]): readonly string[] | undefined {
  try {
    return keysIn(compiled.get(name)?.parse(words.map((word) => Buffer.from(word))))
  } catch {
    return undefined
  }
}

/** The tokens of a command, in text that other arguments can hold too. */
function tokensOf(args: readonly ArgDoc[]): readonly string[] {
  return args.flatMap(({ token, args: inner }) => [...(token === undefined ? [] : [token]), ...tokensOf(inner ?? [])])
}

const call = fc.constantFrom(...compiled.values()).chain(({ name, route }) => {
  const tokens = [...tokensOf(route.args), 'INTO']
  const word = fc.oneof(
    fc.constantFrom(...tokens, ...tokens.map((token) => token.toLowerCase())),
    fc.constantFrom('a', 'b', 'c', '1', '2', '3', '01', 'ß'),
  )
  return fc.tuple(fc.constant(name), fc.array(word, { maxLength: 9 }))
})

// The server waits for commands of tracking clients: for as long as a busy machine may take.
const config = { 'ferrite.sync-timeout': 1000, 'ferrite.sync-budget': 1000 }

shareServers(test, { plugins, config }, (it) => {
  it('keys: COMMAND GETKEYS of any call gives the keys that the handler gets', async (t, server) => {
    const client = await server.client()
    let valid = 0
    const seen = new Map<string, number>()
    await fc.assert(
      fc.asyncProperty(call, async ([name, words]) => {
        const expected = keysOfHost(name, words)
        const found = await getKeys(client, [...name.split('|'), ...words])
        if (expected === undefined) return
        valid++
        seen.set(name, (seen.get(name) ?? 0) + 1)
        t.deepEqual([...found].sort(), [...expected].sort(), [name, ...words].join(' '))
      }),
      { numRuns: process.env['FERRITE_LONG'] === '1' ? 50_000 : 5000 },
    )
    t.log(`${String(valid)} valid calls`)
    t.is(seen.size, compiled.size, 'every command was called')
  })

  it('keys: COMMAND GETKEYSANDFLAGS tells what is done to each', async (t, server) => {
    const client = await server.client()
    const flags = (...words: readonly string[]): Promise<unknown> => client.call('COMMAND', 'GETKEYSANDFLAGS', ...words)
    t.deepEqual(await flags('KEYED.TOKEN', 'a', 'NOTE', 'INTO', 'INTO', 'b'), [
      ['a', ['RO', 'access']],
      ['b', ['OW', 'update']],
    ])
    t.deepEqual(await flags('KEYED.COUNTED', 'a', '2', 'b', 'c', 'INTO', 'd'), [
      ['a', ['OW', 'update']],
      ['b', ['RO', 'access']],
      ['c', ['RO', 'access']],
    ])
    t.deepEqual(await flags('KEYED.LAST', 'a'), [['a', ['RO', 'access']]])
    t.deepEqual(await flags('FERRITE.CALL', 'KEYED.SUB', 'GET', 'NOTE', 'FROM', 'FROM', 'a'), [['a', ['RO', 'access']]])
  })

  it('keys: ACL rules apply to keys behind tokens and counts, and to no other words', async (t, server) => {
    const admin = await server.client()
    await admin.call('ACL', 'SETUSER', 'ann', 'reset', 'on', '>pw', '+@all', '~mine:*')
    const client = await server.client({ username: 'ann', password: 'pw' })
    const run = (...words: readonly string[]): Promise<string> =>
      messageOf(client.call(words[0] ?? '', ...words.slice(1)))
    t.is(await run('KEYED.TOKEN', 'mine:1', 'NOTE', 'INTO', 'INTO', 'mine:2'), 'no error but ["mine:1","mine:2"]')
    for (const words of [
      ['KEYED.TOKEN', 'mine:1', 'NOTE', 'INTO', 'INTO', 'yours'],
      ['KEYED.TOKEN', 'yours'],
      ['KEYED.LAST', 'yours'],
      ['KEYED.REST', 'yours'],
      ['KEYED.COUNTED', 'mine:1', '2', 'mine:2', 'yours'],
      ['KEYED.TOKENCOUNT', 'NOTE', 'FROM', 'FROM', '2', 'mine:1', 'yours'],
      ['KEYED.CHOICES', 'AS', 'INTO', 'INTO', 'mine:1', 'INTO', 'yours'],
      ['KEYED.SUB', 'GET', 'NOTE', 'FROM', 'FROM', 'yours'],
      ['FERRITE.CALL', 'KEYED.COUNTED', 'mine:1', '2', 'mine:2', 'yours'],
    ]) {
      t.regex(await run(...words), /^NOPERM /, words.join(' '))
    }
    t.is(await run('KEYED.BEHIND', 'INTO', 'yours'), 'no error but []')
    t.is(await run('KEYED.COUNTED', 'mine:1', '1', 'mine:2', 'yours'), 'no error but ["mine:1","mine:2"]')
    await admin.call('ACL', 'DELUSER', 'ann')
  })

  it('keys: client tracking knows those behind counts and tokens', async (t, server) => {
    using client = await RawClient.connect(server.port, 3)
    await client.ask('CLIENT', 'TRACKING', 'ON')
    t.is(await client.text('KEYED.ALL', 'NOTE', 'KEYS', 'KEYS', 'a', 'b'), '*2\r\n$1\r\na\r\n$1\r\nb\r\n')
    const other = await server.client()
    await other.mset('NOTE', '1', 'b', '1')
    await until(async () => (await client.text('PING')).includes('>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nb\r\n'))
    t.pass()
  })
})

shareClusters(test, { plugins: [fixturePlugin('keyed')] }, (it) => {
  it('keys: a cluster redirects by those behind counts and tokens', async (t, cluster) => {
    const [first, , last] = cluster.nodes
    if (first === undefined || last === undefined) throw new Error('the cluster has no nodes')
    const client = await first.client()
    // Slots of 'a' and 'b' are 15495 and 3300: 'a' is the last node's, 'b' the first's.
    const moved = `MOVED 15495 127.0.0.1:${String(last.port)}`
    const run = (...words: readonly string[]): Promise<string> =>
      messageOf(client.call(words[0] ?? '', ...words.slice(1)))
    for (const words of [
      ['KEYED.ONE', 'a'],
      ['KEYED.TOKENCOUNT', 'NOTE', 'FROM', 'FROM', '1', 'a'],
      ['KEYED.TOKENCOUNT', 'INTO', 'a'],
      ['KEYED.CHOICE', 'INTO', 'a', 'b'],
      ['KEYED.ALL', 'KEYS', 'a', '{a}b'],
      ['KEYED.SUB', 'GET', 'NOTE', 'FROM', 'FROM', 'a'],
      ['FERRITE.CALL', 'KEYED.ALL', 'KEYS', 'a'],
    ]) {
      t.is(await run(...words), moved, words.join(' '))
    }
    for (const words of [
      ['KEYED.APART', 'b', 'x', 'a'],
      ['KEYED.TOKEN', 'b', 'INTO', 'a'],
      ['KEYED.COUNTED', 'b', '1', 'a'],
    ]) {
      t.regex(await run(...words), /^CROSSSLOT /, words.join(' '))
    }
    t.is(await run('KEYED.TOKEN', 'b', 'NOTE', 'INTO', 'INTO', '{b}2'), 'no error but ["b","{b}2"]')
    t.is(await run('KEYED.COUNTED', 'b', '1', '{b}2', 'a'), 'no error but ["b","{b}2"]')
    t.is(await run('KEYED.LAST', 'b'), 'no error but ["b"]')
  })
})
