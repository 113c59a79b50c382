// Whatever a plugin calls, the server lives and its replica stays the same as it.
import test, { type ExecutionContext } from 'ava'
import type { Redis } from 'ioredis'
import {
  digest,
  fixturePlugin,
  forEachServer,
  startCluster,
  startServer,
  untilInStep,
  type TestServer,
} from '../helpers/index.js'

interface ServerCommand {
  /** The command, and the subcommand if it is one. */
  readonly name: readonly string[]
  readonly arity: number
}

/** Every command and subcommand, in the server's order. */
async function commandsOf(client: Redis): Promise<readonly ServerCommand[]> {
  const entries = (await client.call('COMMAND')) as readonly (readonly unknown[])[]
  return entries
    .flatMap((entry) => [entry, ...((entry[9] as readonly (readonly unknown[])[] | undefined) ?? [])])
    .map(([name, arity]) => ({ name: String(name).split('|'), arity: Math.abs(Number(arity)) }))
}

/** Argument lists that some command or other takes seriously, of `least` words and more. */
function argumentLists(least: number): readonly (readonly string[])[] {
  const fill = (...words: readonly string[]): readonly string[] =>
    Array.from({ length: Math.max(0, least) }, (_, n) => words[n % words.length] ?? '')
  return [
    fill('k', '1'),
    fill('1'),
    [...fill('k', 'f', 'v'), 'w'],
    [],
    [...fill('k', '0', '1'), '1'],
    fill('1', 'k', 'LEFT'),
  ]
}

const outcomes = (counts: ReadonlyMap<string, number>): string =>
  [...counts].map(([outcome, count]) => `${String(count)} ${outcome}`).join(', ')

type Ask = (client: Redis, words: readonly string[]) => Promise<unknown>

const ways: Readonly<Record<string, Ask>> = {
  'ctx.call': (client, words) => client.call('CALLER.CALL', ...words),
  'ctx.commit': (client, words) => client.call('CALLER.COMMIT', ...words),
  'ctx.call in a script': (client, words) => client.eval("return redis.call('CALLER.CALL', unpack(ARGV))", 0, ...words),
  'ctx.commit in a script': (client, words) =>
    client.eval("return redis.call('CALLER.COMMIT', unpack(ARGV))", 0, ...words),
}

async function outcomeOf(answer: Promise<unknown>): Promise<string> {
  try {
    await answer
    return 'done'
  } catch (err) {
    return err instanceof Error ? (/^[A-Z]+/.exec(err.message)?.[0] ?? err.message) : 'unknown'
  }
}

async function tryAll(t: ExecutionContext, primary: TestServer, way: string, ask: Ask): Promise<void> {
  const client = await primary.client()
  const commands = await commandsOf(client)
  const counts = new Map<string, number>()
  for (const { name, arity } of commands) {
    const lists = argumentLists(arity - name.length)
    for (const args of process.env['FERRITE_LONG'] === '1' ? lists : lists.slice(0, 2)) {
      const outcome = await outcomeOf(ask(client, [...name, ...args]))
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
      if (primary.exit !== undefined) throw new Error(`${[...name, ...args].join(' ')} ended the server`)
      if (client.status !== 'ready') throw new Error(`${[...name, ...args].join(' ')} closed the client's connection`)
    }
  }
  t.log(`${way}: ${String(commands.length)} commands: ${outcomes(counts)}`)
}

forEachServer(test, 'calls: server and replica survive every command that a plugin can call', async (t, program) => {
  t.timeout(600_000)
  const plugins = [fixturePlugin('caller')]
  // What is written survives the end of the process without being synced.
  const options = { server: program, plugins, aof: true, config: { appendfsync: 'no' } }
  await using primary = await startServer(options)
  await using replica = await startServer({ server: program, replicaOf: primary })
  for (const [way, ask] of Object.entries(ways)) {
    await tryAll(t, primary, way, ask)
    await primary.cli('set', 'last', way)
    await untilInStep(primary, replica)
    t.is(await replica.cli('get', 'last'), way)
    t.is(await digest(replica), await digest(primary), way)
  }
  await primary.restart('SIGKILL')
  t.is(await digest(primary), await digest(replica), 'the AOF holds what the replica holds')
})

forEachServer(test, 'calls: the server survives every command in cluster mode', async (t, program) => {
  t.timeout(600_000)
  await using cluster = await startCluster({ server: program, plugins: [fixturePlugin('caller')], primaries: 1 })
  for (const server of cluster.nodes) for (const [way, ask] of Object.entries(ways)) await tryAll(t, server, way, ask)
  t.pass()
})
