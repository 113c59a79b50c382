import test from 'ava'
import { readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PluginBuildError } from '#lib/plugin/build-error.js'
import { buildPlugin, buildWithInputs } from '#lib/plugin/build.js'
import { checkManifest } from '#lib/plugin/manifest.js'
import { shareSdk } from '#lib/plugin/share-sdk.js'
import { compilePlugin } from '#lib/sdk/compile.js'
import type { PluginDefinition } from 'ferrite-plugins/sdk'
import { pluginSource, temporaryFolder, writeFiles } from './temporary-folder.js'

const section = { apiVersion: 1, kind: 'ts', entry: 'src/plugin.ts' }

/** Imports a bundle as the host does. */
async function load(folder: string) {
  shareSdk()
  const module = (await import(pathToFileURL(join(folder, 'index.mjs')).href)) as { default: PluginDefinition }
  return compilePlugin(module.default)
}

test('build: a single file becomes a bundle and a manifest', async (t) => {
  const folder = await temporaryFolder(t)
  const more = "version: '2.1.0', permissions: { keys: { rw: ['gone'] } },"
  await writeFiles(folder, { 'one.ts': pluginSource('one', 'ONE.GET', more) })
  const outDir = join(folder, 'out')
  const manifest = await buildPlugin({ source: join(folder, 'one.ts'), outDir })
  t.like(manifest, {
    name: 'one',
    version: '2.1.0',
    apiVersion: 1,
    kind: 'ts',
    entry: 'index.mjs',
    isolation: 'worker',
    limits: {},
    permissions: { keys: { rw: ['gone'] } },
    commandHooks: [],
    keyHooks: [],
    noticeHooks: [],
    timers: [],
    rules: [],
  })
  t.deepEqual(checkManifest(JSON.parse(await readFile(join(outDir, 'ferrite.json'), 'utf8'))), manifest)
  const [command] = (await load(outDir)).commands
  t.deepEqual(command?.route, manifest.commands[0])
  t.deepEqual(command?.parse([Buffer.from('k')]), { key: 'k' })
})

test('build: a folder with CommonJS and ES dependencies', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFiles(folder, {
    'package.json': JSON.stringify({
      name: '@me/two',
      version: '3.0.0',
      description: 'Two',
      ferrite: { ...section, isolation: 'shared', limits: { heapMiB: 32 }, permissions: { keys: { r: ['a'] } } },
    }),
    'src/plugin.ts': `import { createRequire } from 'node:module'
      import { inCommonJs } from 'old-style'
      import { inEsm } from 'new-style'
      import { own } from './own.js'
      import { command, definePlugin } from 'ferrite-plugins'
      const require = createRequire(import.meta.url)
      const __dirname = require('node:path').sep
      export default definePlugin({
        name: 'two',
        permissions: { keys: { r: ['b'] } },
        commands: { TWO: command({ summary: 'x', handler: () => [inCommonJs, inEsm, own, __dirname] }) },
      })`,
    'src/own.ts': `export const own: string = 'own'`,
    'node_modules/old-style/package.json': '{"name":"old-style","main":"index.js"}',
    'node_modules/old-style/index.js': `const os = require('node:os'); const { basename } = require('path')
      exports.inCommonJs = os.EOL + basename(__filename) + (typeof __dirname)`,
    'node_modules/new-style/package.json': '{"name":"new-style","type":"module","exports":"./index.js"}',
    'node_modules/new-style/index.js': `export const inEsm = new URL(import.meta.url).protocol`,
  })
  const outDir = join(folder, 'out')
  const { manifest, inputs } = await buildWithInputs({ source: folder, outDir })
  t.like(manifest, {
    name: 'two',
    version: '3.0.0',
    description: 'Two',
    isolation: 'shared',
    limits: { heapMiB: 32 },
    permissions: { keys: { r: ['a', 'b'] } },
  })
  t.deepEqual(inputs.map((input) => input.slice(folder.length + 1)).sort(), [
    'node_modules/new-style/index.js',
    'node_modules/old-style/index.js',
    'package.json',
    'src/own.ts',
    'src/plugin.ts',
  ])
  const [command] = (await load(outDir)).commands
  t.deepEqual(command?.handler({} as never, {}), ['\nindex.mjsstring', 'file:', 'own', '/'])
})

test('build: a link to a folder is built as the folder', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFiles(folder, {
    'deep/down/two/package.json': JSON.stringify({ ferrite: section }),
    'deep/down/two/src/plugin.ts': `import 'dependency'\n${pluginSource('two', 'TWO')}`,
    'deep/node_modules/dependency/index.js': '',
  })
  await symlink(join(folder, 'deep/down/two'), join(folder, 'link'))
  const { inputs } = await buildWithInputs({ source: join(folder, 'link'), outDir: join(folder, 'out') })
  for (const input of inputs) await t.notThrowsAsync(readFile(input))
  t.true(inputs.some((input) => input.endsWith('deep/node_modules/dependency/index.js')))
})

test('build: hooks, timers, settings and declared replies are in the manifest', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFiles(folder, {
    'three.js': `import { before, command, cron, definePlugin, every, onKey, setting, settings, shape } from 'ferrite-plugins/sdk'
      export default definePlugin({
        name: 'three',
        config: settings({ length: setting.integer({ default: 5, min: 1, summary: 'How long' }) }),
        commands: { THREE: command({ summary: 'x', group: 'numbers', returns: shape.map({ n: shape.integer() }), handler: () => ({ n: 1 }) }) },
        hooks: { small: before({ command: 'SET', key: 'user:*', handler: (ctx, cmd) => cmd.continue() }), seen: onKey({ handler() {} }), often: every('1m', () => {}), nightly: cron('0 3 * * *', () => {}) },
      })`,
  })
  const manifest = await buildPlugin({ source: join(folder, 'three.js'), outDir: join(folder, 'out') })
  t.deepEqual(manifest.commandHooks, [
    {
      name: 'small',
      kind: 'before',
      commands: ['SET'],
      keys: ['user:*'],
      users: [],
      dbs: [],
      timeoutMs: 50,
      failure: 'deny',
      transaction: 'sync',
      priority: 100,
      breaker: 10,
      breakerMs: 1000,
      sample: 1_000_000,
    },
  ])
  t.deepEqual(manifest.keyHooks, ['seen'])
  t.deepEqual(manifest.timers, ['often', 'nightly'])
  t.deepEqual(manifest.config, { length: { type: 'integer', default: 5, min: 1, summary: 'How long' } })
  t.like(manifest.commands[0], { group: 'numbers', returns: { type: 'map', fields: { n: { type: 'integer' } } } })
})

/** Builds one source and refuses it with this message behind its path. */
const refused = test.macro({
  async exec(t, files: Readonly<Record<string, string>>, source: string, message: RegExp, deadlineMs?: number) {
    const folder = await temporaryFolder(t)
    await writeFiles(folder, files)
    const path = join(folder, source)
    const error = await t.throwsAsync(
      buildPlugin({ source: path, outDir: join(folder, 'out'), ...(deadlineMs === undefined ? {} : { deadlineMs }) }),
    )
    t.true(error.message.startsWith(path), error.message)
    t.regex(error.message.slice(path.length), message)
  },
  title: (name = '') => `build: refuses ${name}`,
})

test('a source that is not there', refused, {}, 'gone.ts', /^: cannot be read: ENOENT/)
test('another kind of file', refused, { 'a.txt': '' }, 'a.txt', /^: a plugin is a folder or a file that ends in \.ts, /)
test(
  'a folder without package.json',
  refused,
  { 'a/x.ts': '' },
  'a',
  /^: a plugin folder needs a package\.json: ENOENT/,
)
test(
  'a package.json without its section',
  refused,
  { 'a/package.json': '{}' },
  'a',
  /^\/package\.json, ferrite: is missing/,
)
test('a package.json that is no JSON', refused, { 'a/package.json': '{' }, 'a', /^\/package\.json: is not JSON/)
test(
  'an entry outside of the folder',
  refused,
  { 'a/package.json': JSON.stringify({ ferrite: { ...section, entry: 'x/../../b.ts' } }) },
  'a',
  /^: ferrite\.entry 'x\/\.\.\/\.\.\/b\.ts' leads out of the plugin's folder$/,
)
test(
  'a syntax error',
  refused,
  { 'a.ts': 'export default {\n  a: 1\n  b: 2\n}' },
  'a.ts',
  /^: a\.ts:3:3: Expected "}" but found "b"$/,
)
test(
  'a dependency that is not installed',
  refused,
  { 'a.ts': "import 'nowhere-to-be-found'" },
  'a.ts',
  /^: a\.ts:1:8: Could not resolve "nowhere-to-be-found"$/,
)
test(
  'an import of another part of the package',
  refused,
  { 'a.ts': "import 'ferrite-plugins/cli'" },
  'a.ts',
  /'ferrite-plugins\/cli' is not for plugins; there is: ferrite-plugins, /,
)
test(
  'a file without a default export',
  refused,
  { 'a.ts': 'export const a = 1' },
  'a.ts',
  /^: it has no default export: write `export default definePlugin/,
)
test(
  'a default export that is no plugin',
  refused,
  { 'a.ts': 'export default {}' },
  'a.ts',
  /^: the default export is not the result of definePlugin/,
)
test(
  'a bad definition',
  refused,
  { 'a.ts': pluginSource('a', 'lower') },
  'a.ts',
  /^: commands\.lower: a command is named in capitals/,
)
test(
  'top-level code that throws',
  refused,
  { 'a.ts': "throw new Error('oops')" },
  'a.ts',
  /^: its top-level code failed: oops \(.*a\.ts:1:7\)+$/,
)
test('top-level code that throws null', refused, { 'a.ts': 'throw null' }, 'a.ts', /^: its top-level code threw null$/)
test(
  'top-level code that ends the process',
  refused,
  { 'a.ts': "console.log('bye'); process.exit(3)" },
  'a.ts',
  /^: the process that imported it ended before it was done \(exit code 3\); it printed: bye$/,
)
test(
  'top-level code that loops',
  refused,
  { 'a.ts': 'for (;;);' },
  'a.ts',
  /^: its top-level code did not end within 500 ms: start work in setup\(\)/,
  500,
)
test(
  'top-level code that waits for ever',
  refused,
  { 'a.ts': 'setInterval(() => {}, 1000); await new Promise(() => {})' },
  'a.ts',
  /^: its top-level code did not end within 500 ms/,
  500,
)
test(
  'top-level await that nothing ends',
  refused,
  { 'a.ts': 'await new Promise(() => {})' },
  'a.ts',
  /^: the process that imported it ended before it was done \(exit code 13\)/,
)

test('build: timers at top level do not keep the build waiting', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFiles(folder, { 'a.ts': `setInterval(() => {}, 1000)\n${pluginSource('a', 'A')}` })
  await t.notThrowsAsync(buildPlugin({ source: join(folder, 'a.ts'), outDir: join(folder, 'out') }))
})

test('build: a built plugin says what it needs when something else imports it', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFiles(folder, { 'a.ts': pluginSource('a', 'A') })
  await buildPlugin({ source: join(folder, 'a.ts'), outDir: join(folder, 'out') })
  const { execFile } = await import('node:child_process')
  const stderr = await new Promise<string>((resolve) => {
    execFile(process.execPath, [join(folder, 'out/index.mjs')], (_error, _stdout, text) => resolve(text))
  })
  t.regex(stderr, /this file is a built Ferrite plugin: it runs in a Ferrite host only/)
})

test('build: the output cannot be the source', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFiles(folder, { 'package.json': JSON.stringify({ ferrite: section }) })
  await t.throwsAsync(buildPlugin({ source: folder, outDir: folder }), {
    instanceOf: PluginBuildError,
    message: /the output folder is the source$/,
  })
})
