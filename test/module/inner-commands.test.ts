// Whatever a plugin calls, the server lives and its replica stays the same as it.
import test from 'ava'
import type { Redis } from 'ioredis'
import { fixturePlugin, forEachServer, startServer, until, type TestServer } from '../helpers/index.js'

/** Every command and subcommand, in the server's order. */
async function commandNames(client: Redis): Promise<readonly (readonly string[])[]> {
  const entries = (await client.call('COMMAND')) as readonly (readonly unknown[])[]
  return entries.flatMap((entry) => {
    const subcommands = (entry[9] as readonly (readonly unknown[])[] | undefined) ?? []
    return [entry, ...subcommands].map((one) => String(one[0]).split('|'))
  })
}

/** Argument lists that some command or other takes seriously. */
function argumentLists(arity: number): readonly (readonly string[])[] {
  const least = Math.max(0, Math.abs(arity) - 1)
  const fill = (words: readonly string[]): readonly string[] => Array.from({ length: least }, (_, n) => words[n % words.length] ?? '')
  return [[], fill(['k', '1']), fill(['1']), fill(['k', 'f', 'v']), [...fill(['k', '0', '1']), '1'], fill(['1', 'k', 'LEFT'])]
}

async function digest(server: TestServer): Promise<string> {
  return await server.cli('debug', 'digest')
}

async function untilInStep(primary: TestServer, replica: TestServer): Promise<void> {
  const inStep = async (): Promise<boolean> => {
    const [one, other] = await Promise.all([primary.cli('info', 'replication'), replica.cli('info', 'replication')])
    const offset = /master_repl_offset:(\d+)/.exec(one)?.[1]
    return other.includes('master_link_status:up') && offset === /slave_repl_offset:(\d+)/.exec(other)?.[1]
  }
  await until(inStep, { what: 'the replica to have the offset of its primary', timeoutMs: 30_000 })
}

const outcomes = (counts: ReadonlyMap<string, number>): string =>
  [...counts].map(([outcome, count]) => `${String(count)} ${outcome}`).join(', ')

forEachServer(test, 'calls: the server survives every command that a plugin can call', async (t, program) => {
  t.timeout(170_000)
  const plugins = [fixturePlugin('caller')]
  await using primary = await startServer({ server: program, plugins, aof: true })
  await using replica = await startServer({ server: program, replicaOf: primary })
  const client = await primary.client()
  const entries = (await client.call('COMMAND')) as readonly (readonly unknown[])[]
  const arities = new Map(entries.flatMap((entry) => [entry, ...((entry[9] as unknown[][] | undefined) ?? [])]).map((one) => [String(one[0]), Number(one[1])]))
  const names = await commandNames(client)
  const counts = new Map<string, number>()
  for (const name of names) {
    const [command = '', ...rest] = name
    for (const args of argumentLists((arities.get(name.join('|')) ?? 0) + rest.length)) {
      const ask = async (): Promise<string> => {
        try {
          await client.call('CALLER.CALL', command, ...rest, ...args)
          return 'done'
        } catch (err) {
          return err instanceof Error ? (err.message.split(' ')[0] ?? '') : 'unknown'
        }
      }
      const outcome = await ask()
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
      if (primary.exit !== undefined) return t.fail(`${[...name, ...args].join(' ')} ended the server`)
    }
    if (client.status !== 'ready') return t.fail(`${name.join(' ')} closed the client's connection`)
  }
  t.log(`${String(names.length)} commands: ${outcomes(counts)}`)
  t.is(await client.ping(), 'PONG')
  await client.call('CALLER.CALL', 'SET', 'last', 'word')
  await untilInStep(primary, replica)
  t.is(await replica.cli('get', 'last'), 'word')
  t.is(await digest(replica), await digest(primary))
  await primary.restart('SIGKILL')
  t.is(await primary.cli('get', 'last'), 'word')
  t.is(await digest(primary), await digest(replica), 'the AOF holds what the replica holds')
})
