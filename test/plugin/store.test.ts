import test, { type ExecutionContext } from 'ava'
import { lstat, mkdir, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseRouteTable } from '#lib/plugin/route-table.js'
import { buildGeneration, readCatalogue, type Generation, type GenerationOptions } from '#lib/plugin/store.js'
import { pluginSource, temporaryFolder, writeFiles } from './temporary-folder.js'

/** A plugins-dir with its state-dir, and what is done with them. */
async function makeStore(t: ExecutionContext, files: Readonly<Record<string, string>>) {
  const folder = await temporaryFolder(t)
  const plugins = join(folder, 'plugins')
  const state = join(folder, 'state')
  await writeFiles(join(plugins, 'local'), files)
  const built: string[] = []
  return {
    plugins,
    state,
    /** Builds; `built` then has the names of the sources that were really built. */
    async build(options: GenerationOptions = {}): Promise<Generation & { readonly built: readonly string[] }> {
      built.length = 0
      const onBuild = (source: string) => built.push(source.slice(join(plugins, 'local').length + 1))
      return { ...(await buildGeneration(plugins, state, { onBuild, ...options })), built: [...built] }
    },
    async put(changes: Readonly<Record<string, string>>): Promise<void> {
      await writeFiles(join(plugins, 'local'), changes)
    },
    /** Names of the commands in the route table, with their plugins. */
    async routes(): Promise<string[]> {
      const table = parseRouteTable(await readFile(join(state, 'routes'), 'utf8'))
      return table.flatMap(({ name, commands }) => commands.map((command) => `${name} ${command.name}`))
    },
  }
}

const names = (generation: Generation): string[] => generation.plugins.map(({ name }) => name)

test('store: without sources there is an empty generation and an empty route table', async (t) => {
  const store = await makeStore(t, {})
  t.deepEqual(await readCatalogue(store.plugins), [])
  t.like(await store.build(), { number: 1, isNew: true, plugins: [], problems: [] })
  t.is(await readFile(join(store.state, 'routes'), 'utf8'), 'ferrite-routes 1\nend 1 crc=011733c4\n')
})

test('store: files and folders are built into a generation that current leads to', async (t) => {
  const store = await makeStore(t, {
    'b.ts': pluginSource('beta', 'B.GET'),
    'a/package.json': JSON.stringify({ version: '1.2.3', ferrite: { apiVersion: 1, kind: 'ts', entry: 'main.ts' } }),
    'a/main.ts': pluginSource('alpha', 'A.GET'),
    '_helper.ts': 'not a plugin',
    '.hidden.ts': 'not a plugin',
    'types.d.ts': 'not a plugin',
    'readme.md': 'not a plugin',
    'docs/page.ts': 'not a plugin',
    'node_modules/x/package.json': '{}',
  })
  const generation = await store.build()
  t.deepEqual(names(generation), ['alpha', 'beta'])
  t.deepEqual(generation.problems, [])
  t.deepEqual(
    generation.plugins.map(({ version }) => version),
    ['1.2.3', '0.0.0'],
  )
  t.is(await readlink(join(store.plugins, 'current')), 'generations/1')
  t.deepEqual(await store.routes(), ['alpha A.GET', 'beta B.GET'])
  t.deepEqual(await readCatalogue(store.plugins), generation.plugins)
  for (const { entry } of generation.plugins) t.true((await lstat(entry)).isFile())
})

test('store: nothing is done when nothing has changed', async (t) => {
  const store = await makeStore(t, { 'a.ts': pluginSource('a', 'A'), 'b.ts': pluginSource('b', 'B') })
  t.deepEqual((await store.build()).built, ['a.ts', 'b.ts'])
  t.like(await store.build(), { number: 1, isNew: false, built: [] })
  await store.put({ 'a.ts': pluginSource('a', 'A') }) // written again, same content
  t.like(await store.build(), { number: 1, isNew: false, built: [] })
})

test('store: only what has changed is built again', async (t) => {
  const store = await makeStore(t, {
    'a.ts': `import './_part.js'\n${pluginSource('a', 'A')}`,
    '_part.ts': 'export {}',
    'b.ts': pluginSource('b', 'B'),
  })
  await store.build()
  await store.put({ '_part.ts': 'export const changed = 1' })
  const generation = await store.build()
  t.like(generation, { number: 2, isNew: true, built: ['a.ts'] })
  t.deepEqual(names(generation), ['a', 'b'])
  await store.put({ 'c.ts': pluginSource('c', 'C') })
  t.like(await store.build(), { number: 3, isNew: true, built: ['c.ts'] })
  await rm(join(store.plugins, 'local/b.ts'))
  const less = await store.build()
  t.like(less, { number: 4, isNew: true, built: [] })
  t.deepEqual(names(less), ['a', 'c'])
  t.deepEqual(await store.routes(), ['a A', 'c C'])
})

test('store: a broken plugin is reported and does not stop the others', async (t) => {
  const store = await makeStore(t, { 'bad.ts': 'export default 1 +', 'good.ts': pluginSource('good', 'GOOD') })
  const generation = await store.build()
  t.deepEqual(names(generation), ['good'])
  t.like(generation.problems[0], { name: 'bad', source: join(store.plugins, 'local/bad.ts') })
  t.regex(generation.problems[0]?.error ?? '', /bad\.ts:1:19: Unexpected end of file$/)
  const again = await store.build()
  t.like(again, { number: 1, isNew: false, built: ['bad.ts'] })
  t.is(again.problems.length, 1)
})

test('store: a plugin that no longer builds keeps its last working build', async (t) => {
  const store = await makeStore(t, { 'a.ts': pluginSource('a', 'A.ONE'), 'b.ts': pluginSource('b', 'B') })
  await store.build()
  await store.put({ 'a.ts': 'export default', 'b.ts': pluginSource('b', 'B.TWO') })
  const generation = await store.build()
  t.deepEqual(await store.routes(), ['a A.ONE', 'b B.TWO'])
  t.like(generation.problems, [{ name: 'a' }])
  t.regex(generation.problems[0]?.error ?? '', /\(its last working build stays in use\)$/)
  await store.put({ 'a.ts': pluginSource('a', 'A.TWO') })
  t.deepEqual((await store.build()).problems, [])
  t.deepEqual(await store.routes(), ['a A.TWO', 'b B.TWO'])
})

test('store: a command belongs to the first plugin in alphabetical order', async (t) => {
  const store = await makeStore(t, {
    '1.ts': pluginSource('zebra', 'SAME'),
    '2.ts': pluginSource('ant', 'SAME'),
    '3.ts': pluginSource('bee', 'SESSION|GET'),
    '4.ts': pluginSource('cat', 'SESSION|SET'),
  })
  const generation = await store.build()
  t.deepEqual(names(generation), ['ant', 'bee'])
  t.deepEqual(
    generation.problems.map(({ name, error }) => `${name}: ${error}`),
    [
      "cat: its command SESSION|SET belongs to the plugin 'bee' already",
      "zebra: its command SAME belongs to the plugin 'ant' already",
    ],
  )
  t.deepEqual(await store.routes(), ['ant SAME', 'bee SESSION|GET'])
  await t.throwsAsync(readCatalogue(store.plugins), { message: /belongs to the plugin 'bee' already$/ })
})

test('store: of two sources with one name the first is taken', async (t) => {
  const store = await makeStore(t, { '1.ts': pluginSource('same', 'ONE'), '2.ts': pluginSource('same', 'TWO') })
  const generation = await store.build()
  t.deepEqual(await store.routes(), ['same ONE'])
  t.is(generation.problems[0]?.error, `the name 'same' is taken by ${join(store.plugins, 'local/1.ts')}`)
  t.false((await store.build()).isNew)
})

test('store: sources can be in other folders', async (t) => {
  const store = await makeStore(t, { 'a.ts': pluginSource('a', 'A') })
  const other = await temporaryFolder(t)
  await writeFiles(other, { 'b.ts': pluginSource('b', 'B') })
  t.deepEqual(names(await store.build({ sources: [other] })), ['b'])
  t.deepEqual(names(await store.build({ sources: [join(store.plugins, 'local'), other] })), ['a', 'b'])
  t.deepEqual(names(await store.build({ sources: [join(other, 'not-there')] })), [])
})

test('store: plugins that came from elsewhere stay', async (t) => {
  const store = await makeStore(t, { 'a.ts': pluginSource('a', 'A') })
  const { plugins } = await store.build()
  const installed = join(store.plugins, 'current/market')
  await mkdir(installed)
  const manifest = JSON.parse(await readFile(join(plugins[0]?.folder ?? '', 'ferrite.json'), 'utf8')) as object
  await writeFile(join(installed, 'ferrite.json'), JSON.stringify({ ...manifest, name: 'market', commands: [] }))
  await store.put({ 'a.ts': pluginSource('a', 'A.TWO') })
  t.deepEqual(names(await store.build()), ['a', 'market'])
})

test('store: a damaged plugin in the store is reported', async (t) => {
  const store = await makeStore(t, { 'a.ts': pluginSource('a', 'A'), 'b.ts': pluginSource('b', 'B') })
  const { plugins } = await store.build()
  await writeFile(join(plugins[0]?.folder ?? '', 'ferrite.json'), '{}')
  const generation = await store.build()
  t.deepEqual(names(generation), ['b'])
  t.regex(generation.problems[0]?.error ?? '', /a\/ferrite\.json: must have required property 'name'$/)
})

test('store: a few old generations are kept', async (t) => {
  const store = await makeStore(t, {})
  for (let round = 1; round <= 7; round++) {
    await store.put({ 'a.ts': pluginSource('a', `A.R${round}`) })
    await store.build()
  }
  const kept = await readdir(join(store.plugins, 'generations'))
  t.deepEqual(kept.sort(), ['3', '4', '5', '6', '7'])
  t.is(await readlink(join(store.plugins, 'current')), 'generations/7')
})

test('store: builds at the same time all succeed', async (t) => {
  const store = await makeStore(t, { 'a.ts': pluginSource('a', 'A') })
  const built = await Promise.all([1, 2, 3].map(() => buildGeneration(store.plugins, store.state)))
  for (const generation of built) t.deepEqual(names(generation), ['a'])
  t.deepEqual(await store.routes(), ['a A'])
  const left = await readdir(join(store.plugins, 'generations'))
  t.true(left.every((name) => /^\d+$/.test(name)))
})

test('store: a plugins-dir that cannot be written is an error that names it', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'file'), '')
  await t.throwsAsync(buildGeneration(join(folder, 'file'), folder), { message: /ENOTDIR.*file/ })
})
