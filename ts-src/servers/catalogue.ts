// The servers that can be had on this machine: fetched ones (catalogued in servers.json) and those on PATH.
import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { cacheFolder } from '../setup/cache-folder.js'
import { withLock } from '../setup/file-lock.js'
import { findProgram } from '../setup/programs.js'
import { FetchError, fetchGroup, replaceLink, serverProgram, writeWrapper, type FetchedGroup } from './debian.js'
import { matrix, startGroup, type MatrixEntry, type SuiteGroup } from './matrix.js'
import { compareVersions, identifyServer, matchesName, type ServerProgram } from './server-version.js'

export interface NotChecked {
  /** `redis 8 (experimental)` */
  readonly label: string
  readonly reason: string
}

export interface ServerCatalogue {
  /** Redis before Valkey, older before newer. */
  readonly servers: readonly ServerProgram[]
  readonly notChecked: readonly NotChecked[]
}

/** What one group left behind, kept in servers.json so that a second run needs no network. */
interface GroupRecord {
  readonly servers: readonly ServerProgram[]
  readonly notChecked: readonly NotChecked[]
}
type Records = Record<string, GroupRecord>

export interface CatalogueOptions {
  readonly say: (line: string) => void
  /** Fetch again what a suite did not have last time. Default: only what was never tried or failed. */
  readonly refresh?: boolean
  /** Names of groups; all of the matrix by default. */
  readonly groups?: readonly string[]
}

/** `<cache>/servers`: one folder per group, `bin/` with wrappers, servers.json. */
export function serversFolder(): string {
  return join(cacheFolder(), 'servers')
}

/** What is there already, without network. */
export async function listServers(): Promise<readonly ServerProgram[]> {
  const records = await readRecords()
  return withPath(Object.values(records).flatMap((record) => record.servers))
}

/** Fetches what is missing and lists all. A group that cannot be had is reported, never thrown. */
export async function ensureServers(options: CatalogueOptions): Promise<ServerCatalogue> {
  const groups = matrix.filter((group) => options.groups?.includes(group.name) ?? true)
  const known = await readRecords()
  const failures: NotChecked[] = []
  const wanted = groups.filter((group) => options.refresh === true || !isComplete(known[group.name]))
  if (wanted.length > 0) {
    const lock = join(serversFolder(), '.lock')
    const onWait = (): void => {
      options.say('another process is fetching servers; waiting for it')
    }
    await withLock(lock, { waitMs: 900_000, onWait }, async () => {
      for (const group of wanted) failures.push(...(await fetchOne(group, options)))
    })
  }
  const records = await readRecords()
  const chosen = groups.flatMap((group) => records[group.name] ?? [])
  return {
    servers: await withPath(chosen.flatMap((record) => record.servers)),
    notChecked: [...chosen.flatMap((record) => record.notChecked), ...failures],
  }
}

/** The clients and benchmark programs of the newest fetched suite, else PATH: `redis-cli`, `valkey-benchmark`, … */
export function findServerTool(name: string): string | undefined {
  const fetched = join(serversFolder(), 'bin', name)
  return existsSync(fetched) ? fetched : findProgram(name)
}

async function fetchOne(group: SuiteGroup, options: CatalogueOptions): Promise<readonly NotChecked[]> {
  // Somebody else may have fetched it while this process waited for the lock.
  const records = await readRecords()
  if (options.refresh !== true && isComplete(records[group.name])) return []
  options.say(`fetching ${group.entries.map((entry) => entry.label).join(', ')}`)
  try {
    const fetched = await fetchGroup(group, join(serversFolder(), group.name))
    const record = await describeGroup(group, fetched)
    await writeRecords({ ...records, [group.name]: record })
    return []
  } catch (err) {
    if (!(err instanceof FetchError)) throw err
    if (isComplete(records[group.name])) return []
    return group.entries.map((entry) => ({ label: entry.label, reason: err.message }))
  }
}

async function describeGroup(group: SuiteGroup, fetched: FetchedGroup): Promise<GroupRecord> {
  const bin = join(serversFolder(), 'bin')
  const servers: ServerProgram[] = []
  const notChecked = fetched.missing.map(({ entry, reason }) => ({ label: entry.label, reason }))
  for (const one of fetched.unpacked) {
    const draft = join(bin, `.${group.name}-${one.entry.product}-server`)
    await writeWrapper(fetched, serverProgram(one), draft)
    const server = await identifyServer(draft, one.entry.suite)
    await rm(draft)
    if (server === undefined) {
      notChecked.push({ label: one.entry.label, reason: `${basename(one.folder)} does not run here` })
      continue
    }
    const path = join(bin, server.name)
    await writeWrapper(fetched, serverProgram(one), path)
    servers.push({ ...server, path })
    if (group.name === startGroup) await writeTools(fetched, one.folder, one.entry)
  }
  return { servers, notChecked }
}

async function writeTools(fetched: FetchedGroup, folder: string, entry: MatrixEntry): Promise<void> {
  for (const tool of ['cli', 'benchmark']) {
    const name = `${entry.product}-${tool}`
    await writeWrapper(fetched, join(folder, 'usr', 'bin', name), join(serversFolder(), 'bin', name))
  }
}

function isComplete(record: GroupRecord | undefined): record is GroupRecord {
  return record?.servers.every((server) => existsSync(server.path)) ?? false
}

/** Adds servers on PATH of versions that were not fetched, and sorts. */
async function withPath(fetched: readonly ServerProgram[]): Promise<readonly ServerProgram[]> {
  const servers = [...fetched]
  for (const name of ['redis-server', 'valkey-server']) {
    const path = findProgram(name)
    const server = path === undefined ? undefined : await identifyServer(path, 'PATH')
    if (server !== undefined && !servers.some((one) => one.name === server.name)) servers.push(server)
  }
  return servers.sort((a, b) => a.product.localeCompare(b.product) || compareVersions(a.version, b.version))
}

async function readRecords(): Promise<Records> {
  try {
    return JSON.parse(await readFile(join(serversFolder(), 'servers.json'), 'utf8')) as Records
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw err
  }
}

async function writeRecords(records: Records): Promise<void> {
  const path = join(serversFolder(), 'servers.json')
  await mkdir(serversFolder(), { recursive: true })
  await writeFile(`${path}.new`, `${JSON.stringify(records, null, 2)}\n`)
  await rename(`${path}.new`, path)
  await writeAliases(Object.values(records).flatMap((record) => record.servers))
}

/** `redis-8.0` and `redis-8` beside the wrappers name the newest of theirs. */
async function writeAliases(servers: readonly ServerProgram[]): Promise<void> {
  const bin = join(serversFolder(), 'bin')
  const oldestFirst = [...servers].sort((a, b) => compareVersions(a.version, b.version))
  const aliases = new Map<string, string>()
  for (const server of oldestFirst) {
    const [major = '', minor = ''] = server.version.split('.')
    aliases.set(`${server.product}-${major}.${minor}`, server.name).set(`${server.product}-${major}`, server.name)
  }
  for (const [alias, name] of aliases) await replaceLink(name, join(bin, alias))
  const kept = new Set([...aliases.keys(), ...servers.map((server) => server.name)])
  for (const file of await readdir(bin)) {
    if (/-\d/.test(file) && !kept.has(file)) await rm(join(bin, file))
  }
}

/** Those that `names` mean (`redis-8.0`, `valkey`), in the order of the catalogue. */
export function narrowServers(servers: readonly ServerProgram[], names: readonly string[]): readonly ServerProgram[] {
  return servers.filter((server) => names.some((name) => matchesName(server, name)))
}
