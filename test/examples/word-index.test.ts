import test from 'ava'
import type { Redis } from 'ioredis'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { example, forEachServer, packageRoot, startServer } from '../helpers/index.js'

const plugins = [example('word-index')]

async function search(client: Redis, ...args: readonly string[]): Promise<string[]> {
  const found = (await client.call('INDEX.SEARCH', ...args)) as [string, unknown][]
  return found.map(([id]) => id)
}

/** Licences and READMEs of the installed packages, by their path. */
async function realTexts(): Promise<ReadonlyMap<string, string>> {
  const folder = join(packageRoot, 'node_modules')
  const texts = new Map<string, string>()
  for (const name of (await readdir(folder)).sort()) {
    const files = name.startsWith('.') || name.startsWith('@') ? [] : await readdir(join(folder, name))
    for (const file of files.filter((one) => /^(?:licen[cs]e|readme)(?:\.(?:md|txt))?$/i.test(one))) {
      texts.set(`${name}/${file}`, await readFile(join(folder, name, file), 'utf8'))
    }
  }
  return texts
}

forEachServer(test, 'word-index: finds texts by the stems of their words, the best first', async (t, program) => {
  await using server = await startServer({ server: program, plugins })
  const client = await server.client()
  t.is(await client.call('INDEX.ADD', 'idx', 'a', 'The connection connects connected connectors.'), 3)
  t.is(await client.call('INDEX.ADD', 'idx', 'b', 'A plugin connects once, über alles, 日本語'), 7)
  t.deepEqual(await search(client, 'idx', 'connecting'), ['a', 'b'])
  t.deepEqual(await search(client, 'idx', 'ÜBER plugins'), ['b'])
  t.deepEqual(await search(client, 'idx', '日本語'), ['b'])
  t.deepEqual(await search(client, 'idx', 'absent'), [])
  t.deepEqual(await search(client, 'idx', ''), [])
  t.deepEqual(await search(client, 'nothing-there', 'connect'), [])
})

forEachServer(test, 'word-index: a text is replaced and removed whole', async (t, program) => {
  await using server = await startServer({ server: program, plugins })
  const client = await server.client()
  await client.call('INDEX.ADD', 'idx', 'a', 'red green')
  await client.call('INDEX.ADD', 'idx', 'ab', 'green')
  await client.call('INDEX.ADD', 'idx', 'a', 'blue')
  t.deepEqual(await search(client, 'idx', 'red green'), ['ab'])
  t.deepEqual(await search(client, 'idx', 'blue'), ['a'])
  t.is(Number(await client.call('INDEX.REMOVE', 'idx', 'a')), 1)
  t.is(Number(await client.call('INDEX.REMOVE', 'idx', 'a')), 0)
  t.is(Number(await client.call('INDEX.REMOVE', 'idx', 'ab')), 1)
  t.is(await client.exists('idx'), 0)
})

forEachServer(test, 'word-index: bad arguments are told', async (t, program) => {
  await using server = await startServer({ server: program, plugins })
  const client = await server.client()
  await t.throwsAsync(client.call('INDEX.ADD', 'idx', '', 'text'), { message: /^ERR argument 'id' must be text/ })
  await t.throwsAsync(client.call('INDEX.SEARCH', 'idx', 'a', 'LIMIT', '0'), {
    message: "ERR argument 'limit' must be an integer from 1 to 1000, got '0'",
  })
  await client.set('text', 'x')
  await t.throwsAsync(client.call('INDEX.SEARCH', 'text', 'a'), { message: /^WRONGTYPE/ })
})

forEachServer(test, 'word-index: searches the licences and READMEs of the installed packages', async (t, program) => {
  await using server = await startServer({ server: program, plugins })
  const client = await server.client()
  const texts = await realTexts()
  t.true(texts.size > 100)
  for (const [id, text] of texts) await client.call('INDEX.ADD', 'idx', id, text)
  const commander = await search(
    client,
    'idx',
    'option parsing for command line programs with subcommands',
    'LIMIT',
    '5',
  )
  t.true(
    commander.some((id) => id.toLowerCase() === 'commander/readme.md'),
    commander.join(' '),
  )
  const copyright = await search(client, 'idx', 'merchantability', 'LIMIT', '1000')
  t.true(copyright.length > 50)
  for (const id of copyright) t.regex(texts.get(id) ?? '', /merchantab/i, id)
  t.is((await search(client, 'idx', 'the')).length, 10)
})
