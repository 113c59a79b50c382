// What plugins write to the server's log.
import test from 'ava'
import { forEachServer, startServer, testFile, type TestServer } from '../helpers/index.js'
import { errorOf, havoc, served } from './faults.js'

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
