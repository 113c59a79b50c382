// npm run fuzz: runs the fuzzers of the module's pure parts under clang's libFuzzer, AddressSanitizer and UBSan, each
// for --seconds (20). --only frame,resp picks; --require fails where clang is missing (for CI). Without clang the
// committed corpus is replayed, and what was not checked is said. docs/contributor/fuzzing.md has the rest.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { corpusFolder, dictionaryPath, fuzzTargets, writeSeeds } from './fuzz-targets.mjs'
import { buildLibrary, root, rootFolder } from './library.mjs'
import { replayCorpora } from './run-c-tests.mjs'

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    only: { type: 'string', default: Object.keys(fuzzTargets).join(',') },
    require: { type: 'boolean', default: false },
  },
})
const workFolder = join(rootFolder, 'build', 'fuzz')

function chosenTargets() {
  const names = options.only.split(',')
  const unknown = names.filter((name) => !(name in fuzzTargets))
  if (unknown.length === 0 && /^[1-9]\d*$/.test(options.seconds)) return names
  const known = Object.keys(fuzzTargets).join(', ')
  console.error(
    unknown.length > 0
      ? `ferrite: --only ${unknown.join(',')} is not known; the fuzzers are ${known}`
      : `ferrite: --seconds ${options.seconds} is not a number of seconds above 0`,
  )
  process.exit(2)
}

/** The newest clang that can link a fuzzer, or undefined. Debian names them clang-14 and keeps libFuzzer apart. */
async function findClang() {
  const { findProgram, run } = await import(new URL('lib/setup/programs.js', root).href)
  const given = process.env.CC?.includes('clang') ? [process.env.CC] : []
  const numbered = Array.from({ length: 30 }, (_, index) => `clang-${40 - index}`)
  const folder = mkdtempSync(join(tmpdir(), 'ferrite-fuzz-'))
  const source = join(folder, 'try.c')
  writeFileSync(
    source,
    'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d && n == ~0ul; }\n',
  )
  try {
    for (const name of [...given, 'clang', ...numbered]) {
      const path = name.startsWith('/') ? name : findProgram(name)
      if (path === undefined) continue
      const args = ['-fsanitize=fuzzer,address,undefined', source, '-o', join(folder, 'try')]
      if ((await run(path, args)).code === 0) return path
    }
    return undefined
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function compileFuzzers(clang) {
  process.env.CC = clang
  const { compile } = await import(new URL('lib/setup/compile.js', root).href)
  console.error(`ferrite: compiling the fuzzers with ${clang}`)
  await compile({
    workDir: workFolder,
    defines: { FERRITE_MODULES: 'OFF', FERRITE_FUZZ: 'ON', FERRITE_SANITIZE: 'address,undefined' },
  })
}

/** New inputs are collected in build/fuzz/corpus; an input that breaks a promise is put into build/fuzz. */
async function fuzz(name, seconds) {
  const { maxLength, dictionary } = fuzzTargets[name]
  const collected = join(workFolder, 'corpus', name)
  mkdirSync(collected, { recursive: true })
  const args = [
    `-max_total_time=${seconds}`,
    `-max_len=${maxLength}`,
    `-artifact_prefix=${workFolder}/found-${name}-`,
    '-timeout=10',
    '-print_final_stats=1',
    '-verbosity=1',
    ...(dictionary === undefined ? [] : [`-dict=${dictionaryPath(dictionary)}`]),
    collected,
    corpusFolder(name),
  ]
  const { run } = await import(new URL('lib/setup/programs.js', root).href)
  const result = await run(join(workFolder, 'fuzzers', `fuzz_${name}`), args, { cwd: workFolder })
  const units = /number_of_executed_units: (\d+)/.exec(result.output)?.[1] ?? '?'
  console.log(`${result.code === 0 ? 'ok' : 'not ok'} - fuzz ${name}: ${units} inputs in ${seconds} s`)
  if (result.code === 0) return true
  console.log(result.output.split('\n').slice(-80).join('\n'))
  return false
}

const names = chosenTargets()
await buildLibrary() // an error in a part that is not needed here does not matter
writeSeeds()
const clang = await findClang()
let passed = true
if (clang === undefined) {
  console.log('not checked: clang is missing, apt-get install clang libclang-rt-14-dev')
  const count = await replayCorpora(names)
  passed = count.failed === 0 && !options.require
} else {
  await compileFuzzers(clang)
  for (const name of names) passed = (await fuzz(name, Number(options.seconds))) && passed
  if (!passed) console.log(`the input is in ${workFolder}/found-*`)
}
process.exitCode = passed ? 0 : 1
