// What docs/operator/ says of options, figures and commands is what the server says.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { example, packageRoot, startServer } from '../helpers/index.js'

async function table(page: string): Promise<readonly (readonly string[])[]> {
  const text = await readFile(join(packageRoot, 'docs/operator', page), 'utf8')
  const rows = text.split('\n').filter((line) => line.startsWith('| `'))
  return rows.map((row) => row.split('|').map((cell) => cell.trim()))
}

/** The words in code style of a cell. */
function words(cell = ''): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word ?? '')
}

test('docs: the table of options names all of them, with their defaults, ranges and whether they can be set', async (t) => {
  await using server = await startServer({ deadlines: 'default' })
  const client = await server.client()
  const set = (await client.config('GET', 'ferrite.*')) as readonly string[]
  const options = new Map(set.flatMap((name, at) => (at % 2 === 0 ? [[name, set[at + 1] ?? ''] as const] : [])))
  const rows = await table('configuration.md')
  t.deepEqual(rows.map(([, name]) => words(name)[0]).sort(), [...options.keys()].sort())
  for (const [, first, fallback, range = '', runTime] of rows) {
    const name = words(first)[0] ?? ''
    const value = options.get(name) ?? ''
    // The test's own server has folders of its own.
    if (!name.endsWith('-dir') || name.endsWith('socket-dir'))
      t.is(fallback === 'empty' ? '' : words(fallback)[0], value, name)
    const attempt = async (text: string): Promise<string> =>
      await client.config('SET', name, text).then(String, (err: unknown) => String(err))
    t.is((await attempt(value)).includes('immutable'), runTime === 'no', `${name} at run time`)
    const bounds = /^(\d+) to (\d+)$/.exec(range)
    if (bounds === null) continue
    const [least, most] = [Number(bounds[1]), Number(bounds[2])]
    t.is(await attempt(String(most)), 'OK', name)
    t.regex(await attempt(String(most + 1)), /must be between|out of range/, name)
    t.is(await attempt(String(least)), 'OK', name)
    t.regex(await attempt(String(least - 1)), /must be between|out of range/, name)
    await attempt(value)
  }
})

test('docs: monitoring names every field of INFO ferrite and every command', async (t) => {
  await using server = await startServer({ plugins: [example('rate-limiter')] })
  const client = await server.client()
  await client.call('RATELIMIT.CHECK', 'a', '1', '1000')
  const rows = await table('monitoring.md')
  const known = rows.flatMap(([, cell]) => words(cell))
  const fields = (await client.info('ferrite')).split('\r\n').filter((line) => line.includes(':'))
  for (const line of fields) {
    const name = line.slice(0, line.indexOf(':'))
    const general = name
      .replace(/^(ferrite_(plugin|command))_.*/, '$1_<name>')
      .replace(/^(ferrite_lane)_\d+/, '$1_<number>')
    t.true(known.includes(general), name)
    if (general === name) continue
    const row = rows.find(([, cell]) => words(cell).includes(general))
    for (const [, field = ''] of line.matchAll(/[:,]([\w.]+)=/g))
      t.true(words(row?.[2]).includes(field), `${name} ${field}`)
  }
  const documented = known.filter((word) => word.startsWith('ferrite_') && !word.includes('<'))
  t.deepEqual(
    documented.filter((name) => !fields.some((line) => line.startsWith(`${name}:`))),
    [],
  )
  const commands = (await client.call('COMMAND', 'LIST', 'FILTERBY', 'MODULE', 'ferrite')) as readonly string[]
  const own = commands.map((name) => name.toUpperCase()).filter((name) => name.startsWith('FERRITE.'))
  const written = known.filter((word) => word.startsWith('FERRITE.')).map((word) => word.split(' ')[0] ?? '')
  t.deepEqual(own.sort(), [...new Set(written)].sort())
})

test('docs: the page on errors has every code that the module answers with', async (t) => {
  const page = await readFile(join(packageRoot, 'docs/operator/errors.md'), 'utf8')
  const folder = join(packageRoot, 'redis-module')
  const sources = (await readdir(folder)).filter((name) => name.endsWith('.c') && !/_test|^fuzz/.test(name))
  const texts = await Promise.all(sources.map((name) => readFile(join(folder, name), 'utf8')))
  const codes = new Set(
    texts.flatMap((text) => [...text.matchAll(/"([A-Z]{5,}) (?:[a-z'%]|the )/g)].map(([, code]) => code)),
  )
  t.true(codes.size >= 6, [...codes].join(' '))
  for (const code of codes) t.regex(page, new RegExp(`\\b${code ?? ''}\\b`))
})
