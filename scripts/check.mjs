// npm run check: types, ESLint, Prettier, clang-format, the C build without warnings, type tests. Every check runs even
// if an earlier one fails; the exit status is 1 if any failed.
import { existsSync } from 'node:fs'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { buildLibrary, buildTests, root, rootFolder, runHere } from './library.mjs'
import { cFiles, node, prettierTargets } from './sources.mjs'

const failures = []

async function check(name, work) {
  const begun = performance.now()
  const passed = await work()
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  console.log(`${passed ? 'ok' : 'not ok'} - ${name} (${seconds} s)`)
  if (!passed) failures.push(name)
}

const runNode = async (...args) => (await runHere(process.execPath, args)) === 0

async function compileWithoutWarnings() {
  const { compile } = await import(new URL('lib/setup/compile.js', root).href)
  const { findModuleHeader } = await import(new URL('lib/setup/header.js', root).href)
  const workDir = join(rootFolder, 'build', 'check')
  const { includeDir } = await findModuleHeader((line) => console.error(`ferrite: ${line}`))
  const defines = {
    REDISMODULE_INCLUDE_DIR: includeDir,
    FERRITE_OUTPUT_DIR: join(workDir, 'output'),
    FERRITE_WERROR: 'ON',
    FERRITE_TESTS: 'ON',
    FERRITE_FUZZ: 'ON',
  }
  try {
    await compile({ workDir, defines })
    return true
  } catch (err) {
    console.error(err.message)
    return false
  }
}

/** Other projects with a tsconfig of their own: examples, benchmarks. */
function furtherProjects() {
  return ['examples', 'bench'].filter((folder) => existsSync(join(rootFolder, folder, 'tsconfig.json')))
}

/** test/types: each tsconfig*.json under the TypeScript versions that authors may have. */
async function typeTests() {
  const folder = join(rootFolder, 'test', 'types')
  const projects = readdirSync(folder).filter((file) => /^tsconfig.*\.json$/.test(file))
  let passed = true
  for (const project of projects) {
    for (const compiler of ['typescript59', 'typescript', 'typescript7']) {
      const ok = await runNode(node(`${compiler}/bin/tsc`), '--noEmit', '-p', join(folder, project))
      console.log(`  ${ok ? 'ok' : 'not ok'} - ${project} under ${compiler}`)
      passed &&= ok
    }
  }
  return passed
}

await check('types of ts-src', buildLibrary)
await check('types of test', buildTests)
for (const project of furtherProjects()) {
  await check(`types of ${project}`, () => runNode(node('typescript/bin/tsc'), '--noEmit', '-p', project))
}
await check('ESLint', () => runNode(node('eslint/bin/eslint.js'), '--max-warnings', '0', '.'))
await check('Prettier', () =>
  runNode(node('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', ...prettierTargets()),
)
await check('clang-format', () => runNode(node('clang-format/index.js'), '--dry-run', '-Werror', ...cFiles()))
await check('C without warnings', compileWithoutWarnings)
const hasTypeTests =
  existsSync(join(rootFolder, 'test', 'types')) &&
  readdirSync(join(rootFolder, 'test', 'types')).some((file) => /^tsconfig.*\.json$/.test(file))
if (hasTypeTests) await check('type tests', typeTests)

if (failures.length > 0) console.log(`failed: ${failures.join(', ')}`)
process.exitCode = failures.length === 0 ? 0 : 1
