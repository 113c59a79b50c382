// Builds every redis-module/**/*_test.c with AddressSanitizer and UBSan and runs them.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root, rootFolder } from './library.mjs'

/**
 * Resolves to the numbers of passed and failed tests. A program prints `ok - title` or `not ok - title` a line; one that
 * prints neither counts as one test, by its exit status.
 */
export async function runCTests() {
  const sources = readdirSync(join(rootFolder, 'redis-module'), { recursive: true })
  const programs = sources.filter((path) => path.endsWith('_test.c')).map((path) => path.replace(/^.*\/|\.c$/g, ''))
  if (programs.length === 0) return { passed: 0, failed: 0 }
  const folder = await compileTests()
  const count = { passed: 0, failed: 0 }
  for (const program of programs) await runOne(join(folder, program), program, count)
  return count
}

async function compileTests() {
  const { compile } = await import(new URL('lib/setup/compile.js', root).href)
  const workDir = join(rootFolder, 'build', 'c-tests')
  const output = join(workDir, 'tests')
  // A program whose source is gone must not be run.
  if (existsSync(output)) rmSync(output, { recursive: true })
  console.error('ferrite: compiling the C unit tests with sanitizers (cmake)')
  await compile({
    workDir,
    defines: { FERRITE_MODULES: 'OFF', FERRITE_TESTS: 'ON', FERRITE_SANITIZE: 'address,undefined' },
  })
  return output
}

async function runOne(path, name, count) {
  const { run } = await import(new URL('lib/setup/programs.js', root).href)
  const result = await run(path, [], { cwd: rootFolder, timeoutMs: 120_000 })
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
