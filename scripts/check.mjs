// npm run check: types, ESLint, Prettier, clang-format, the C build without warnings, type tests. Every check runs even
// if an earlier one fails; the exit status is 1 if any failed.
import { existsSync } from 'node:fs'
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
    FERRITE_BENCH: 'ON',
    FERRITE_TEST_MODULES: 'ON',
  }
  try {
    await compile({ workDir, defines })
    return true
  } catch (err) {
    console.error(err.message)
    return false
  }
}

await check('types of ts-src', buildLibrary)
await check('types of test', buildTests)
if (existsSync(join(rootFolder, 'bench', 'tsconfig.json'))) {
  await check('types of bench', () => runNode(node('typescript/bin/tsc'), '--noEmit', '-p', 'bench'))
}
await check('ESLint', () => runNode(node('eslint/bin/eslint.js'), '--max-warnings', '0', '.'))
await check('Prettier', () =>
  runNode(
    node('prettier/bin/prettier.cjs'),
    '--check',
    '--no-error-on-unmatched-pattern',
    '--log-level',
    'warn',
    ...prettierTargets(),
  ),
)
await check('clang-format', () => runNode(node('clang-format/index.js'), '--dry-run', '-Werror', ...cFiles()))
await check('C without warnings', compileWithoutWarnings)
await check('types as authors see them', () => runNode(join(rootFolder, 'scripts', 'check-types.mjs')))

if (failures.length > 0) console.log(`failed: ${failures.join(', ')}`)
process.exitCode = failures.length === 0 ? 0 : 1
