// Builds every redis-module/**/*_test.c and fuzz_*.c with AddressSanitizer and UBSan, runs the tests and replays the
// corpus of each fuzzer.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { corpusFolder, fuzzTargets } from './fuzz-targets.mjs'
import { root, rootFolder } from './library.mjs'

const workDir = join(rootFolder, 'build', 'c-tests')

/**
 * Resolves to the numbers of passed and failed tests. A program prints `ok - title` or `not ok - title` a line; one that
 * prints neither counts as one test, by its exit status.
 */
export async function runCTests() {
  const sources = readdirSync(join(rootFolder, 'redis-module'), { recursive: true })
  const programs = sources.filter((path) => path.endsWith('_test.c')).map((path) => path.replace(/^.*\/|\.c$/g, ''))
  const count = { passed: 0, failed: 0 }
  await compileTests()
  for (const program of programs) await runOne(join(workDir, 'tests', program), [], program, count)
  await replay(Object.keys(fuzzTargets), count)
  return count
}

/** Runs what is in the committed corpora through the fuzz targets once. */
export async function replayCorpora(names) {
  const count = { passed: 0, failed: 0 }
  await compileTests()
  await replay(names, count)
  return count
}

async function replay(names, count) {
  for (const name of names) {
    const program = join(workDir, 'fuzzers', `fuzz_${name}`)
    // -runs=0: if the compiler is clang, this is libFuzzer, which would go on inventing inputs.
    await runOne(program, ['-runs=0', corpusFolder(name)], `corpus of fuzz_${name}`, count)
  }
}

async function compileTests() {
  const { compile } = await import(new URL('lib/setup/compile.js', root).href)
  // A program whose source is gone must not be run.
  for (const folder of ['tests', 'fuzzers']) {
    if (existsSync(join(workDir, folder))) rmSync(join(workDir, folder), { recursive: true })
  }
  console.error('ferrite: compiling the C unit tests with sanitizers (cmake)')
  const on = { FERRITE_TESTS: 'ON', FERRITE_FUZZ: 'ON', FERRITE_SANITIZE: 'address,undefined' }
  await compile({ workDir, defines: { FERRITE_MODULES: 'OFF', ...on } })
}

async function runOne(path, args, name, count) {
  const { run } = await import(new URL('lib/setup/programs.js', root).href)
  const result = await run(path, args, { cwd: rootFolder, timeoutMs: 120_000 })
  const lines = result.output.split('\n')
  const passed = lines.filter((line) => /^ok\b/.test(line)).length
  const failed = lines.filter((line) => /^not ok\b/.test(line)).length
  const silent = passed + failed === 0
  const crashed = result.code !== 0 && failed === 0
  count.passed += silent && !crashed ? 1 : passed
  count.failed += failed + (crashed ? 1 : 0)
  if (crashed || failed > 0) console.log(result.output.trimEnd())
  console.log(`${crashed || failed > 0 ? 'not ok' : 'ok'} - C: ${name} (${silent ? 1 : passed + failed} tests)`)
}
