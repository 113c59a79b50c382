import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { tryLock } from '#lib/setup/file-lock.js'
import { cacheFolder } from '#lib/setup/cache-folder.js'
import { packageRoot } from '../helpers/index.js'

const runFile = promisify(execFile)
const ferrite = join(packageRoot, 'lib', 'cli', 'main.js')

async function scratch(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'ferrite-test-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

test('setup: module-path prints the module alone, and its host is beside it', async (t) => {
  const { stdout } = await runFile(process.execPath, [ferrite, 'module-path'])
  const path = stdout.trim()
  t.is(stdout, `${path}\n`)
  t.is((await readFile(path)).subarray(0, 4).toString('latin1'), '\x7fELF')
  const host = await readFile(join(path, '..', 'ferrite-host'), 'utf8')
  t.is(host, `node=${process.execPath}\nhost=${join(packageRoot, 'lib', 'host', 'main.js')}\n`)
})

test('setup: says in one line what is missing to compile with', async (t) => {
  await using folder = await scratch()
  // A copy without its compiled module, and a PATH with nothing but a shell.
  const copy = join(folder.path, 'package')
  await runFile('cp', ['-r', join(packageRoot, 'lib'), join(packageRoot, 'redis-module'), '-t', await made(copy)])
  await runFile('cp', [join(packageRoot, 'package.json'), copy])
  await runFile('ln', ['-s', join(packageRoot, 'node_modules'), join(copy, 'node_modules')])
  const env = { PATH: await toolsOnly(folder.path, ['flock']), HOME: folder.path }
  const failed = await t.throwsAsync(runFile(process.execPath, [join(copy, 'lib/cli/main.js'), 'module-path'], { env }))
  const { stderr } = failed as unknown as { stderr: string }
  t.regex(
    stderr,
    /^ferrite: cannot compile the module: cmake and a C compiler and make or ninja not found on PATH; .*\n$/,
  )
})

async function made(path: string): Promise<string> {
  await mkdir(path, { recursive: true })
  return path
}

async function toolsOnly(folder: string, names: readonly string[]): Promise<string> {
  const bin = await made(join(folder, 'bin'))
  for (const name of names) {
    await writeFile(join(bin, name), `#!/bin/sh\nexec /usr/bin/${name} "$@"\n`)
    await chmod(join(bin, name), 0o755)
  }
  return bin
}

test('setup: a lock excludes others until it is let go, and ends with its process', async (t) => {
  await using folder = await scratch()
  const path = join(folder.path, 'lock')
  const code = `
    const { tryLock } = await import(${JSON.stringify(new URL('setup/file-lock.js', `file://${packageRoot}/lib/`).href)})
    const lock = await tryLock(${JSON.stringify(path)}, { waitMs: 0 })
    process.stdout.write(lock === undefined ? 'busy' : 'taken')`
  const other = async (): Promise<string> =>
    (await runFile(process.execPath, ['--input-type=module', '--eval', code])).stdout
  const lock = await tryLock(path, { waitMs: 0 })
  t.truthy(lock)
  t.is(await other(), 'busy')
  await lock?.[Symbol.asyncDispose]()
  t.is(await other(), 'taken')
  // That process has ended without letting go.
  await using again = await tryLock(path, { waitMs: 0 })
  t.truthy(again)
})

test('setup: the cache folder follows FERRITE_CACHE, then XDG_CACHE_HOME, then HOME', (t) => {
  t.is(cacheFolder({ FERRITE_CACHE: '/a', XDG_CACHE_HOME: '/b' }), '/a')
  t.is(cacheFolder({ FERRITE_CACHE: '', XDG_CACHE_HOME: '/b' }), '/b/ferrite')
  t.regex(cacheFolder({ XDG_CACHE_HOME: 'relative' }), /\/\.cache\/ferrite$/)
})
