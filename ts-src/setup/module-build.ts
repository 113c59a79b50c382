// ferrite.so of this package: compiled once for a set of sources, then found again. What is in the folder is complete
// whenever the stamp names the present sources: every file is put there by a rename, the stamp last.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { access, constants, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from './cache-folder.js'
import { compile, requireTools } from './compile.js'
import { withLock } from './file-lock.js'
import { findModuleHeader } from './header.js'
import { mountFlags } from './mount.js'
import { packageRoot, packageVersion } from './package-root.js'
import { SetupError } from './setup-error.js'

const moduleFile = 'ferrite.so'
const stampFile = 'ferrite.stamp'

export interface BuiltModule {
  /** Absolute path of ferrite.so, for `loadmodule`. */
  readonly path: string
  /** Whether this call compiled it. */
  readonly compiled: boolean
}

/**
 * Makes sure that ferrite.so, its companion and `ferrite-host` are there and belong to the present sources. They are in
 * `build/` of the package where that can be written, else in the cache folder, by version and content.
 *
 * @throws SetupError with a one-line message when something to compile with is missing or compiling fails
 */
export async function ensureModule(say: (line: string) => void): Promise<BuiltModule> {
  const stamp = sourceStamp()
  const own = join(packageRoot, 'build')
  const cached = join(cacheFolder(), 'modules', stamp)
  for (const folder of [own, cached]) {
    if (isCurrent(folder, stamp)) {
      await writeHostFile(folder)
      return { path: join(folder, moduleFile), compiled: false }
    }
  }
  const folder = (await firstUsable([own, cached])) ?? noFolder([own, cached])
  const compiled = await withLock(
    join(folder, '.module.lock'),
    {
      waitMs: 600_000,
      onWait: () => {
        say('another process is compiling the module; waiting for it')
      },
    },
    () => buildInto(folder, stamp, say),
  )
  return { path: join(folder, moduleFile), compiled }
}

/** The first folder that can be written to and whose files may be loaded as code. */
async function firstUsable(folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) if (!mountFlags(folder).noexec && (await isWritable(folder))) return folder
  return undefined
}

function noFolder(folders: readonly string[]): never {
  const text = `no place for the compiled module: ${folders.join(' and ')} are read-only or mounted noexec`
  throw new SetupError('SETUP_NOT_WRITABLE', `${text}; set FERRITE_CACHE to a folder that is neither`)
}

async function buildInto(folder: string, stamp: string, say: (line: string) => void): Promise<boolean> {
  if (isCurrent(folder, stamp)) return false
  const begun = performance.now()
  requireTools()
  const { includeDir } = await findModuleHeader(say)
  say('compiling the module (cmake)')
  const workDir = join(folder, 'redis-module')
  const output = join(folder, 'redis-module', 'output')
  await compile({
    workDir,
    defines: {
      REDISMODULE_INCLUDE_DIR: includeDir,
      FERRITE_OUTPUT_DIR: output,
      FERRITE_VERSION: packageVersion(),
    },
  })
  await writeHostFile(folder)
  // A rename, because a server may have the old file mapped.
  for (const file of await readdir(output)) await rename(join(output, file), join(folder, file))
  await putFile(join(folder, stampFile), `${stamp}\n`)
  // Whatever linked it before has moved away; CMake would link again only if a source were newer.
  await rm(output, { recursive: true, force: true })
  say(`the module is built: ${join(folder, moduleFile)} (${((performance.now() - begun) / 1000).toFixed(1)} s)`)
  return true
}

/** Version and content of everything that the module is made of. */
function sourceStamp(): string {
  const hash = createHash('sha256')
  for (const file of moduleSources())
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(packageRoot, file)))
      .update('\0')
  return `${packageVersion()}-${process.arch}-${hash.digest('hex').slice(0, 16)}`
}

/** The files that decide what ferrite.so is, relative to the package. */
function moduleSources(): readonly string[] {
  return sourcesIn('redis-module').filter((file) => !/(_test\.c|\/fuzz_[^/]*|\/corpus_replay\.c)$/.test(file))
}

function sourcesIn(folder: string): readonly string[] {
  return readdirSync(join(packageRoot, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return sourcesIn(path)
    return /(\.[ch]|CMakeLists\.txt)$/.test(entry.name) ? [path] : []
  })
}

function isCurrent(folder: string, stamp: string): boolean {
  if (!existsSync(join(folder, moduleFile)) || !existsSync(join(folder, stampFile))) return false
  return readFileSync(join(folder, stampFile), 'utf8').trim() === stamp
}

/** Tells the module, which knows only its own place, which Node and which host to start. */
async function writeHostFile(folder: string): Promise<void> {
  const path = join(folder, 'ferrite-host')
  const text = `node=${process.execPath}\nhost=${join(packageRoot, 'lib', 'host', 'main.js')}\n`
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return
  // Built by somebody else, for all: what they wrote stands.
  if (existsSync(path) && !(await isWritable(folder))) return
  await putFile(path, text)
}

async function putFile(path: string, text: string): Promise<void> {
  const fresh = `${path}.${String(process.pid)}`
  await writeFile(fresh, text)
  await rename(fresh, path)
}

async function isWritable(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { recursive: true })
    await access(folder, constants.W_OK)
    return true
  } catch (err) {
    const code = (err as NodeJS.ErrnoException).code
    if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return false
    throw err
  }
}
