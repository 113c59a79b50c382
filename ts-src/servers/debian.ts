// Servers of other Debian suites, without root: apt with a root folder of its own per group of suites (so signatures
// and hashes are checked as ever), packages unpacked into the cache, each server run by its own suite's loader.
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { findProgram, lastLines, run, type RunResult } from '../setup/programs.js'
import type { MatrixEntry, SuiteGroup } from './matrix.js'

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

// What the servers' direct dependencies need in turn; names that a suite does not have are passed over.
const furtherLibraries = [
  ...['libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1', 'libzstd1', 'zlib1g', 'liblzma5', 'liblz4-1'],
  ...['libgcrypt20', 'libgpg-error0', 'libcap2'],
]

/** Why a group, or one package of it, cannot be had: one line without addresses. */
export class FetchError extends Error {
  override readonly name = 'FetchError'
}

/** A package that was unpacked. */
export interface Unpacked {
  readonly entry: MatrixEntry
  readonly packageVersion: string
  /** The folder with `usr/bin`. */
  readonly folder: string
}

export interface FetchedGroup {
  /** The loader (ld-linux) of the suite. */
  readonly loader: string
  /** Its library folders, for --library-path. */
  readonly libraryPath: string
  readonly unpacked: readonly Unpacked[]
  /** Packages that the mirror does not have at present, with the reason. */
  readonly missing: readonly { readonly entry: MatrixEntry; readonly reason: string }[]
}

/**
 * Fetches and unpacks one group into `folder`, which appears complete or not at all.
 *
 * @throws FetchError when this machine has no apt with a Debian mirror, or the mirror does not answer
 */
export async function fetchGroup(group: SuiteGroup, folder: string): Promise<FetchedGroup> {
  const mirrors = await findMirrors()
  const fresh = join(dirname(folder), `.new-${basename(folder)}`)
  await rm(fresh, { recursive: true, force: true })
  const root = new AptRoot(join(fresh, 'apt'), await architecture())
  await root.prepare(group.suites.map((suite) => sourceLine(suite, mirrors)))
  const unpacked: Unpacked[] = []
  const missing: { entry: MatrixEntry; reason: string }[] = []
  const libraries = new Set(furtherLibraries)
  for (const entry of group.entries) {
    const one = await unpackServer(root, entry, fresh, libraries)
    if (typeof one === 'string') missing.push({ entry, reason: one })
    else unpacked.push(one)
  }
  if (unpacked.length > 0) await unpackLibraries(root, [...libraries], join(fresh, 'libs'))
  await rm(join(fresh, 'apt'), { recursive: true, force: true })
  await rm(folder, { recursive: true, force: true })
  await rename(fresh, folder)
  const moved = unpacked.map((one) => ({ ...one, folder: join(folder, basename(one.folder)) }))
  if (unpacked.length === 0) return { loader: '', libraryPath: '', unpacked: [], missing }
  return { ...(await findLoader(join(folder, 'libs'))), unpacked: moved, missing }
}

/** Puts the server and the client of an unpacked package under names that say their role. Returns the server's path. */
export async function writeWrapper(group: FetchedGroup, program: string, path: string): Promise<void> {
  // argv[0] is the wrapper itself: the program picks its role by that name (it must not end in -check-rdb), and DEBUG
  // RESTART executes it again.
  const words = [group.loader, '--argv0', path, '--library-path', group.libraryPath, program].map(shellWord)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(`${path}.new`, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`, { mode: 0o755 })
  await rename(`${path}.new`, path)
}

/** The server in an unpacked package: in Debian's -tools packages it is `<product>-check-rdb` under another name. */
export function serverProgram(one: Unpacked): string {
  const named = join(one.folder, 'usr', 'bin', `${one.entry.product}-server`)
  return existsSync(named) ? named : join(one.folder, 'usr', 'bin', `${one.entry.product}-check-rdb`)
}

/** A link, replaced in one step. */
export async function replaceLink(target: string, path: string): Promise<void> {
  await rm(`${path}.new`, { force: true })
  await symlink(target, `${path}.new`)
  await rename(`${path}.new`, path)
}

interface Mirrors {
  readonly main: string
  readonly security: string
}

/** The mirrors that this machine's apt is set up with: none is named here. */
async function findMirrors(): Promise<Mirrors> {
  if (findProgram('apt-get') === undefined || findProgram('dpkg-deb') === undefined) {
    throw new FetchError('this machine has no apt')
  }
  if (!existsSync(keyring)) throw new FetchError('apt here has no keys of Debian (package debian-archive-keyring)')
  const format = '$(RELEASE) $(REPO_URI) $(COMPONENT) $(ORIGIN)'
  const result = await run('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'])
  const targets = result.stdout
    .split('\n')
    .map((line) => line.trim().split(' '))
    // Before the first `apt-get update` the origin is not known; then any repository with a main component will do.
    .filter(([, , component, origin]) => origin === 'Debian' || (component === 'main' && !/^[A-Z]/.test(origin ?? '')))
  const main = targets.find(([release]) => release !== undefined && /^[a-z]+$/.test(release))?.[1]
  const security = targets.find(([release]) => release?.endsWith('-security'))?.[1]
  if (main === undefined || security === undefined) {
    throw new FetchError('apt here is not set up with a Debian mirror and its security mirror')
  }
  return { main, security }
}

function sourceLine(suite: string, mirrors: Mirrors): string {
  return `deb [signed-by=${keyring}] ${suite.endsWith('-security') ? mirrors.security : mirrors.main} ${suite} main`
}

async function architecture(): Promise<string> {
  return (await run('dpkg', ['--print-architecture'])).stdout.trim()
}

/** A root folder for apt in which nothing is installed and only the given sources exist. */
class AptRoot {
  readonly #options: readonly string[]

  constructor(
    readonly folder: string,
    architecture: string,
  ) {
    const values = {
      'Dir::Etc': join(folder, 'etc'),
      'Dir::Etc::sourcelist': join(folder, 'etc', 'sources.list'),
      'Dir::Etc::sourceparts': '-',
      'Dir::Etc::preferencesparts': '-',
      'Dir::State': join(folder, 'state'),
      'Dir::State::status': join(folder, 'state', 'status'),
      'Dir::Cache': join(folder, 'cache'),
      'APT::Architecture': architecture,
      'APT::Architectures': architecture,
      'APT::Sandbox::User': '',
      'Acquire::Languages': 'none',
      'Acquire::Retries': '3',
      'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
    }
    this.#options = ['-q', ...Object.entries(values).flatMap(([name, value]) => ['-o', `${name}=${value}`])]
  }

  async prepare(sources: readonly string[]): Promise<void> {
    for (const inner of ['etc/preferences.d', 'state/lists/partial', 'cache/archives/partial']) {
      await mkdir(join(this.folder, inner), { recursive: true })
    }
    await writeFile(join(this.folder, 'state', 'status'), '')
    await writeFile(join(this.folder, 'etc', 'sources.list'), `${sources.join('\n')}\n`)
    const result = await this.run('apt-get', ['update'])
    if (result.code !== 0 || /^[WE]: .*Failed to fetch/m.test(result.output)) throw mirrorError(result)
  }

  run(program: string, args: readonly string[], cwd?: string): Promise<RunResult> {
    const env = { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }
    return run(program, [...this.#options, ...args], { env, ...(cwd === undefined ? {} : { cwd }) })
  }

  /** Downloads packages (`name` or `name/suite`) into a folder and returns the files. */
  async download(packages: readonly string[], folder: string): Promise<readonly string[]> {
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
    const result = await this.run('apt-get', ['download', ...packages], folder)
    if (result.code !== 0) throw mirrorError(result)
    return (await readdir(folder)).map((file) => join(folder, file))
  }

  /** Those of `names` that the sources have. */
  async known(names: readonly string[]): Promise<readonly string[]> {
    const result = await this.run('apt-cache', ['madison', ...names])
    return [...new Set(result.stdout.split('\n').flatMap((line) => /^\s*(\S+) \|/.exec(line)?.[1] ?? []))]
  }

  /** Whether a suite has a package, and in a version that the entry wants. */
  async has(entry: MatrixEntry): Promise<boolean> {
    const result = await this.run('apt-cache', ['madison', entry.package])
    return result.stdout.split('\n').some((line) => line.includes(` ${entry.suite}/`))
  }
}

async function unpackServer(
  root: AptRoot,
  entry: MatrixEntry,
  fresh: string,
  libraries: Set<string>,
): Promise<Unpacked | string> {
  if (!(await root.has(entry))) return `${entry.suite} has no ${entry.package} at present`
  const [deb] = await root.download([`${entry.package}/${entry.suite}`], join(root.folder, 'debs'))
  if (deb === undefined) return `apt downloaded nothing for ${entry.package}/${entry.suite}`
  const packageVersion = (await run('dpkg-deb', ['-f', deb, 'Version'])).stdout.trim()
  const folder = join(fresh, `${entry.package}-${packageVersion.replace(/^\d+:/, '')}`)
  await extract(deb, folder)
  await rm(join(folder, 'usr', 'share'), { recursive: true, force: true })
  const depends = (await run('dpkg-deb', ['-f', deb, 'Depends'])).stdout
  // By what the package itself names, whatever the libraries are called in this suite.
  for (const word of depends.split(/[,|]/)) {
    const name = word.trim().split(/[\s:(]/)[0] ?? ''
    if (/^(lib|zlib)/.test(name)) libraries.add(name)
  }
  return { entry, packageVersion, folder }
}

async function unpackLibraries(root: AptRoot, names: readonly string[], folder: string): Promise<void> {
  const debs = await root.download(await root.known(names), join(root.folder, 'debs'))
  for (const deb of debs) await extract(deb, folder)
  await rm(join(folder, 'usr', 'share'), { recursive: true, force: true })
}

async function extract(deb: string, folder: string): Promise<void> {
  const result = await run('dpkg-deb', ['-x', deb, folder])
  if (result.code !== 0) throw new FetchError(`dpkg-deb cannot unpack ${basename(deb)}: ${lastLines(result.output, 1)}`)
}

/** The loader and the library folders of an unpacked suite. */
export async function findLoader(libs: string): Promise<{ loader: string; libraryPath: string }> {
  const entries = await readdir(libs, { recursive: true, withFileTypes: true })
  const folders = entries
    .filter((one) => one.isDirectory() && one.name.endsWith('-linux-gnu'))
    .map((one) => join(one.parentPath, one.name))
    .filter((path) => path.includes('/lib/'))
    .sort()
  for (const folder of folders) {
    const name = (await readdir(folder)).find((file) => /^ld-linux.*\.so\.\d+$/.test(file))
    if (name !== undefined) return { loader: join(folder, name), libraryPath: folders.join(':') }
  }
  throw new FetchError(`no loader (ld-linux*.so) among the unpacked libraries in ${libs}`)
}

function mirrorError(result: RunResult): FetchError {
  const line = result.output.split('\n').find((text) => /^[EW]:/.test(text)) ?? lastLines(result.output, 1)
  // Addresses stay out of reports: they say where a machine is.
  return new FetchError(`apt failed: ${line.replace(/[a-z]+:\/\/\S+/g, '<mirror>')}`)
}

function shellWord(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
