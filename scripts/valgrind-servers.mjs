// For npm test -- --valgrind: servers under valgrind, with the C library's malloc instead of jemalloc's so that it sees the
// heap. Redis 7.0 of Debian 12 only: valgrind needs the symbols of the loader that the server runs with (libc6-dbg).
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { root, rootFolder } from './library.mjs'

export const valgrindServers = 'redis-7.0'

// The first error ends the server, and with it the test. Leaks are looked for by hand: the server frees nothing at its end.
const options = ['-q', '--leak-check=no', '--exit-on-first-error=yes', '--error-exitcode=99']
// The server is started by a shell script; the host, a child of it, is not watched.
const children = ['--trace-children=yes', '--trace-children-skip=*node*', '--child-silent-after-fork=yes']

/** Resolves to the environment of the tests. */
export async function valgrindEnvironment() {
  const { requireTools } = await import(new URL('lib/setup/compile.js', root).href)
  const { run } = await import(new URL('lib/setup/programs.js', root).href)
  const folder = join(rootFolder, 'build', 'valgrind')
  mkdirSync(folder, { recursive: true })
  const allocator = join(folder, 'libjemalloc.so.2')
  const source = join(rootFolder, 'redis-module', 'testing', 'jemalloc_on_malloc.c')
  await run(requireTools().compiler, ['-shared', '-fPIC', '-Wl,-soname,libjemalloc.so.2', '-o', allocator, source])
  return {
    FERRITE_SERVER_UNDER: ['valgrind', ...options, ...children].join(' '),
    FERRITE_SERVER_PRELOAD: allocator,
  }
}
