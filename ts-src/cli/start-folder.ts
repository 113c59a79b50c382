// The folder of one `ferrite start`: the server's data in it, the plugins and the state of the module in `ferrite/`.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { lstat, mkdir, mkdtemp, readlink, rm, symlink } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { cacheFolder } from '../setup/cache-folder.js'
import { tryLock } from '../setup/file-lock.js'
import { packageRoot } from '../setup/package-root.js'
import { SetupError } from '../setup/setup-error.js'

export interface StartFolder extends AsyncDisposable {
  /** The server's data folder. */
  readonly data: string
  readonly pluginsDir: string
  readonly stateDir: string
  /** Folders of plugin sources, by the names that the user knows them by. */
  readonly sources: readonly string[]
}

/**
 * Opens the data folder for this process alone: the one named, else one in the cache that belongs to this package and
 * these plugins, else (a second start at the same time) a new one that is removed at the end.
 */
export async function openStartFolder(dir: string | undefined, plugins: string | undefined): Promise<StartFolder> {
  const sources = plugins === undefined ? undefined : resolve(plugins)
  if (sources !== undefined && !existsSync(sources)) {
    throw new SetupError('SETUP_OPTION_INVALID', `--plugins ${sources} does not exist; give a folder of plugins`)
  }
  const key = createHash('sha256')
    .update(`${packageRoot}\0${sources ?? ''}`)
    .digest('hex')
    .slice(0, 12)
  const wanted = dir === undefined ? join(cacheFolder(), 'start', key) : resolve(dir)
  const lock = await tryLock(join(wanted, 'ferrite', 'start.lock'), { waitMs: 0 })
  if (lock !== undefined)
    return await fill(wanted, sources, async () => {
      await lock[Symbol.asyncDispose]()
    })
  if (dir !== undefined) {
    throw new SetupError('SETUP_LOCK_BUSY', `another ferrite start uses ${wanted}; stop it, or give another --dir`)
  }
  const own = await mkdtemp(join(cacheFolder(), 'start', `${key}-`))
  return await fill(own, sources, () => rm(own, { recursive: true, force: true }))
}

async function fill(data: string, sources: string | undefined, dispose: () => Promise<void>): Promise<StartFolder> {
  const pluginsDir = join(data, 'ferrite', 'plugins')
  const stateDir = join(data, 'ferrite', 'state')
  await mkdir(stateDir, { recursive: true, mode: 0o700 })
  const folder = { data, stateDir, [Symbol.asyncDispose]: dispose }
  if (sources !== undefined && isPluginsDir(sources)) {
    return { ...folder, pluginsDir: sources, sources: [join(sources, 'local')] }
  }
  await mkdir(pluginsDir, { recursive: true, mode: 0o700 })
  const local = join(pluginsDir, 'local')
  if (sources !== undefined && !isPlugin(sources)) {
    await pointTo(local, sources)
    return { ...folder, pluginsDir, sources: [sources] }
  }
  await rm(local, { recursive: true, force: true })
  await mkdir(local)
  if (sources !== undefined) await symlink(sources, join(local, basename(sources)))
  return { ...folder, pluginsDir, sources: [local] }
}

/** One plugin, as against a folder of them: a file, or a package with a `ferrite` section. */
function isPlugin(path: string): boolean {
  if (statSync(path).isFile()) return true
  const manifest = join(path, 'package.json')
  if (!existsSync(manifest)) return false
  const json: unknown = JSON.parse(readFileSync(manifest, 'utf8'))
  return typeof json === 'object' && json !== null && 'ferrite' in json
}

/** A store made by Ferrite, as against a folder in which somebody writes plugins. */
function isPluginsDir(folder: string): boolean {
  return ['local', 'generations', 'current'].some((name) => existsSync(join(folder, name)))
}

async function pointTo(link: string, target: string): Promise<void> {
  if (existsSync(link) || (await isLink(link))) {
    if ((await isLink(link)) && (await readlink(link)) === target) return
    await rm(link, { recursive: true })
  }
  await symlink(target, link)
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink()
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw err
  }
}
