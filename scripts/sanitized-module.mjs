// For npm test -- --sanitize: ferrite.so under AddressSanitizer and UBSan, and what a server needs to load it.
// Their runtime has to be the first library of the process. The servers link a shared jemalloc, which would keep the heap
// from it: a stand-in takes its place (redis-module/testing/jemalloc_on_malloc.c). Valkey 8.1 and newer do not start with it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, rootFolder } from './library.mjs'

export const sanitizedServers = 'redis,valkey-8.0'

/** Compiles it and resolves to the environment of the tests. */
export async function sanitizedEnvironment(say) {
  const { compile, requireTools } = await import(new URL('lib/setup/compile.js', root).href)
  const { findModuleHeader } = await import(new URL('lib/setup/header.js', root).href)
  const { run } = await import(new URL('lib/setup/programs.js', root).href)
  const { packageVersion } = await import(new URL('lib/setup/package-root.js', root).href)
  const workDir = join(rootFolder, 'build', 'sanitized')
  const output = join(workDir, 'output')
  const { includeDir } = await findModuleHeader(say)
  say('compiling the module with sanitizers (cmake)')
  await compile({
    workDir,
    defines: {
      REDISMODULE_INCLUDE_DIR: includeDir,
      FERRITE_OUTPUT_DIR: output,
      FERRITE_SANITIZE: 'address,undefined',
      FERRITE_VERSION: packageVersion(),
    },
  })
  const host = join(rootFolder, 'lib', 'host', 'main.js')
  writeFileSync(join(output, 'ferrite-host'), `node=${process.execPath}\nhost=${host}\n`)
  const { compiler } = requireTools()
  const allocator = join(output, 'libjemalloc.so.2')
  const source = join(rootFolder, 'redis-module', 'testing', 'jemalloc_on_malloc.c')
  await run(compiler, ['-shared', '-fPIC', '-Wl,-soname,libjemalloc.so.2', '-o', allocator, source])
  const names = ['libasan.so', 'libubsan.so']
  const libraries = await Promise.all(names.map((name) => run(compiler, [`-print-file-name=${name}`])))
  return {
    FERRITE_MODULE: join(output, 'ferrite.so'),
    FERRITE_SERVER_PRELOAD: [...libraries.map((result) => result.stdout.trim()), allocator].join(' '),
    // The server frees nothing at its end, on purpose.
    ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1',
    UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
  }
}
