// Every block of code in README.md and docs/author/ is run, and every redis.conf of docs/operator/ starts a server.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Redis } from 'ioredis'
import { findFreePort } from '#lib/servers/free-port.js'
import { compareVersions } from '#lib/servers/server-version.js'
import { ServerProcess, type Directive } from '#lib/servers/server-process.js'
import { ensureModule } from '#lib/setup/module-build.js'
import { run } from '#lib/setup/programs.js'
import { anyServer, packageRoot } from '../helpers/index.js'
import { matches, readPage } from './page.js'
import { Session } from './session.js'

async function pagesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(join(packageRoot, folder))
  return names.map((name) => `${folder}/${name}`).sort()
}

const authorPages = ['README.md', ...(await pagesIn('docs/author'))]
// Read before the first test is declared: the runner wants the others at once after it.
const withConfigurations = await Promise.all(['README.md', ...(await pagesIn('docs/operator'))].map(readPage))

// The pages show a server that has all there is.
const isOld = compareVersions(anyServer().version, '7.2') < 0
const declare = isOld ? test.skip : test

for (const path of authorPages) {
  declare(`docs: the code of ${path} does what the page says`, async (t) => {
    t.timeout(180_000)
    const page = await readPage(path)
    t.deepEqual(
      page.others.map(
        ({ line, language }) => `line ${line}: a block of '${language}' without a file's name is not run`,
      ),
      [],
    )
    await using session = await Session.open(page)
    for (const { command, line, expected } of page.steps) {
      const printed = await session.run(command)
      const shown = `${path}:${line}: $ ${command}\nexpected\n${expected.join('\n')}\nprinted\n${printed}`
      t.true(matches(expected, printed), shown)
    }
    const sources = page.files.filter(({ name }) => name.endsWith('ts'))
    if (sources.length === 0) return
    await writeFile(join(session.folder, 'tsconfig.json'), JSON.stringify(project(sources.map(({ name }) => name))))
    const tsc = join(packageRoot, 'node_modules/typescript/bin/tsc')
    t.is((await run(process.execPath, [tsc, '-p', session.folder])).output, '')
  })
}

for (const { name: path, configurations } of withConfigurations) {
  for (const { line, text } of configurations) {
    test(`docs: a server starts with the redis.conf in line ${line} of ${path}`, async (t) => {
      const { path: module } = await ensureModule(() => undefined)
      const folder = await mkdtemp(join(tmpdir(), 'ferrite-test-'))
      t.teardown(() => rm(folder, { recursive: true, force: true }))
      const own = text.replaceAll(/\/\S*\/ferrite\.so/g, module).replaceAll(/ \/(srv|var|etc)\//g, ` ${folder}/$1/`)
      const lines = own.split('\n').filter((one) => one !== '' && !one.startsWith('#'))
      const directives = lines.map((one) => one.split(' ') as unknown as Directive)
      await using server = await ServerProcess.start({
        program: anyServer().path,
        folder,
        port: await findFreePort(),
        directives,
      })
      const client = new Redis({ port: server.port, retryStrategy: null })
      t.teardown(() => client.disconnect())
      for (const [name, value] of directives.filter(([one]) => one.startsWith('ferrite.'))) {
        t.deepEqual(await client.config('GET', name), [name, value])
      }
      t.truthy(await client.call('FERRITE.INFO'))
    })
  }
}

/** As strict as a project can be. */
function project(files: readonly string[]): object {
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2023', 'ESNext.Disposable'],
    module: 'NodeNext',
    moduleResolution: 'NodeNext',
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noUnusedLocals: true,
    skipLibCheck: true,
    noEmit: true,
    // The files are ES modules, as those of a package with "type": "module".
    moduleDetection: 'force',
  }
  return { compilerOptions, files }
}
