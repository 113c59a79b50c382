// npm run bench -- <topic> [--quick] …: builds what is measured and what it is compared with, then runs build/bench.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { buildBench, buildLibrary, root, rootFolder, runHere } from './library.mjs'

const say = (line) => console.error(`ferrite: ${line}`)
const lib = async (path) => await import(new URL(`lib/${path}`, root).href)

/** The C modules of bench, by the CMake of the module itself. */
async function buildBenchModules() {
  const { compile } = await lib('setup/compile.js')
  const { findModuleHeader } = await lib('setup/header.js')
  const output = join(rootFolder, 'build', 'bench-modules')
  if (!existsSync(join(output, 'empty-filter.so'))) say('compiling the modules of the benchmarks (cmake)')
  const { includeDir } = await findModuleHeader(say)
  await compile({
    workDir: join(rootFolder, 'build', 'bench-module'),
    defines: {
      REDISMODULE_INCLUDE_DIR: includeDir,
      FERRITE_OUTPUT_DIR: output,
      FERRITE_MODULES: 'OFF',
      FERRITE_BENCH: 'ON',
    },
  })
}

if (!(await buildLibrary()) || !(await buildBench())) process.exit(1)
const { ensureModule } = await lib('setup/module-build.js')
const { ensureServers } = await lib('servers/catalogue.js')
await ensureModule(say)
await ensureServers({ say })
await buildBenchModules()
process.exitCode = await runHere(process.execPath, [
  join(rootFolder, 'build/bench/bench/run.js'),
  ...process.argv.slice(2),
])
