// What plugins write to the server's log.
import test from 'ava'
import { forEachServer, startServer, testFile, until, type TestServer } from '../helpers/index.js'
import { assertLives, descriptors, ended, errorOf, figure, havoc, served } from './faults.js'

const talker = testFile('faults/plugins/talker.ts')

/** The levels of the talker's entries with this text. */
async function levelsOf(server: TestServer, text: string): Promise<readonly string[]> {
  await server.logged(`error ${text}`) // the last one
  return [...(await server.log()).matchAll(new RegExp(`host: talker: (\\w+) ${text}`, 'g'))].map(
    ([, level]) => level ?? '',
  )
}

forEachServer(test, 'log: a new ferrite.log-level reaches the plugins that run', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [talker, havoc], config: { loglevel: 'debug' } })
  const client = await server.client()
  const say = async (text: string): Promise<readonly string[]> => {
    await client.call('TALKER.SAY', text)
    return await levelsOf(server, text)
  }
  t.deepEqual(await say('one'), ['info', 'warn', 'error'])
  await client.config('SET', 'ferrite.log-level', 'debug')
  t.deepEqual(await say('two'), ['debug', 'info', 'warn', 'error'])
  await client.config('SET', 'ferrite.log-level', 'warning')
  t.deepEqual(await say('three'), ['warn', 'error'])
  // Nor is it forgotten by the next host.
  t.regex(await errorOf(client, 'HAVOC.KILL', 'SIGKILL'), /^UNAVAILABLE/)
  await served(client, 'TALKER.SAY', 'four')
  t.deepEqual(await levelsOf(server, 'four'), ['warn', 'error'])
  await client.config('SET', 'ferrite.log-level', 'notice')
  t.deepEqual(await say('five'), ['info', 'warn', 'error'])
})

forEachServer(test, 'log: a plugin that prints without end fills neither the log nor the time', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [talker, havoc] })
  const client = await server.client()
  const lines = async (pattern: RegExp): Promise<RegExpMatchArray[]> => [...(await server.log()).matchAll(pattern)]
  // Said again, should a line of the flood have been cut before it.
  const saidUntilLogged = async (level: string, text: string): Promise<void> => {
    const isLogged = async (): Promise<boolean> => {
      await client.call('TALKER.SAY', text)
      return (await server.log()).includes(`talker: ${level} ${text}`)
    }
    await until(isLogged, { what: `${level} ${text}` })
  }
  const started = performance.now()
  await client.call('TALKER.FLOOD', '1')
  await until(async () => (await figure(client, 'log_lines_dropped')) > 20_000, { what: 'many lines' })
  t.is(await client.call('HAVOC.PING'), 'pong')
  await saidUntilLogged('warn', 'amid the flood')
  const flood = (await lines(/host: flood$/gm)).length
  t.true(flood <= 300 + 20 * (1 + (performance.now() - started) / 1000), `${flood} lines`)
  await client.call('TALKER.FLOOD', '0')
  await saidUntilLogged('info', 'afterwards')
  const told = async (): Promise<boolean> => {
    const counts = await lines(/host: (\d+) lines were dropped: more than 300 at once or 20 a second/g)
    const sum = counts.reduce((total, [, count]) => total + Number(count), 0)
    return sum === (await figure(client, 'log_lines_dropped'))
  }
  await until(told, { what: 'the log to say how many lines were dropped' })
  assertLives(t, server)
})

forEachServer(test, 'log: a process that holds the output of a host which has ended', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [talker, havoc] })
  const client = await server.client()
  const pipes = async (): Promise<number> => {
    return (await descriptors(server.pid)).filter((link) => link.startsWith('pipe:')).length
  }
  const before = await pipes()
  const left = Number(await client.call('TALKER.LEAVE'))
  await server.logged('host: left')
  t.regex(await errorOf(client, 'HAVOC.KILL', 'SIGKILL'), /^UNAVAILABLE/)
  await served(client, 'TALKER.SAY', 'again')
  await server.logged('talker: warn again')
  t.is(await pipes(), before)
  await ended(left)
})
