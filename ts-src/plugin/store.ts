/**
 * The store of built plugins:
 *
 *     plugins-dir/local/                     sources under development
 *     plugins-dir/generations/<n>/<plugin>/  built plugins; a generation is never changed once it has its name
 *     plugins-dir/current                    link to the generation in use, replaced in one step
 *     state-dir/routes                       the route table of the current generation (route-file.ts)
 */

import { cp, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createHash, randomBytes } from 'node:crypto'
import { basename, join, resolve } from 'node:path'
import { messageOf } from './build-error.js'
import {
  hashInputs,
  isUnchanged,
  readRecord,
  recordPath,
  type BuildRecord,
  type GenerationRecord,
} from './build-record.js'
import { buildWithInputs } from './build.js'
import {
  currentGeneration,
  currentLink,
  readCatalogue,
  routesOf,
  type InstalledPlugin,
  type PluginProblem,
} from './catalogue.js'
import { apiVersion } from './manifest.js'
import { replaceRoutes, routesFile } from './route-file.js'
import { listSources } from './source.js'

export { readCatalogue, type InstalledPlugin, type PluginProblem } from './catalogue.js'

export interface GenerationOptions {
  /** Folders of sources. @default [pluginsDir/local] */
  readonly sources?: readonly string[]
  /** Is told of each plugin that is about to be built. */
  readonly onBuild?: (source: string) => void
}

/** The outcome of a build: what is in use now, and what could not be. */
export interface Generation {
  /** Number of the current generation, from 1. */
  readonly number: number
  /** Whether this call made it. */
  readonly isNew: boolean
  readonly plugins: readonly InstalledPlugin[]
  /** Sources that were not built, and plugins that were refused. */
  readonly problems: readonly PluginProblem[]
}

/** Generations that stay on disk besides the current one, so that a running host finds its files and can go back. */
const keptGenerations = 4

/** A plugin of the generation in the making. */
interface Candidate {
  readonly record: BuildRecord
  readonly folder: string
  readonly isReused: boolean
}

/** The generation before. */
interface Previous {
  readonly record: GenerationRecord
  readonly folder: string | undefined
  /** Made by this very builder, so that its builds can be taken over. */
  readonly isUsable: boolean
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Changes whenever this package's own code does that decides what a build looks like. */
async function builderId(): Promise<string> {
  const hash = createHash('sha256').update(`api ${apiVersion}`)
  for (const folder of ['../plugin/', '../sdk/']) {
    const url = new URL(folder, import.meta.url)
    const files = (await readdir(url)).filter((name) => name.endsWith('.js')).sort()
    for (const file of files) hash.update(file).update(await readFile(new URL(file, url)))
  }
  return hash.digest('hex').slice(0, 16)
}

function buildBefore(source: string, { record, folder }: Previous): Candidate | undefined {
  const known = record.plugins.find((plugin) => plugin.source === source)
  if (known === undefined || folder === undefined) return undefined
  return { record: known, folder: join(folder, known.name), isReused: true }
}

/** Finds or builds the plugin of one source. */
async function prepare(
  source: string,
  previous: Previous,
  work: string,
  options: GenerationOptions,
): Promise<Candidate> {
  const before = buildBefore(source, previous)
  if (before !== undefined && previous.isUsable && (await isUnchanged(before.record))) return before
  options.onBuild?.(source)
  const outDir = join(work, randomBytes(6).toString('hex'))
  const { manifest, inputs } = await buildWithInputs({ source, outDir })
  return { record: { name: manifest.name, source, inputs: await hashInputs(inputs) }, folder: outDir, isReused: false }
}

/** As `prepare`; what cannot be built is reported, and stays as it was before. */
async function prepareOrKeep(
  source: string,
  previous: Previous,
  work: string,
  options: GenerationOptions,
  problems: PluginProblem[],
): Promise<Candidate | undefined> {
  try {
    return await prepare(source, previous, work, options)
  } catch (error) {
    const before = buildBefore(source, previous)
    const note = before === undefined ? '' : ' (its last working build stays in use)'
    problems.push({ name: before?.record.name ?? sourceName(source), source, error: messageOf(error) + note })
    return before
  }
}

function sourceName(source: string): string {
  return basename(source).replace(/\.[cm]?[jt]s$/, '')
}

/** Of several sources of one name the first in alphabetical order is taken. */
function dropDoubles(candidates: readonly Candidate[], problems: PluginProblem[]): readonly Candidate[] {
  const taken = new Map<string, Candidate>()
  for (const candidate of candidates) {
    const { name, source } = candidate.record
    const first = taken.get(name)
    if (first === undefined) taken.set(name, candidate)
    else problems.push({ name, source, error: `the name '${name}' is taken by ${first.record.source}` })
  }
  return [...taken.values()].sort((a, b) => byText(a.record.name, b.record.name))
}

async function numbers(pluginsDir: string): Promise<readonly number[]> {
  const names = await readdir(join(pluginsDir, 'generations'))
  return names.filter((name) => /^\d+$/.test(name)).map(Number)
}

/** Gives the finished folder the next free number. Another build may take one at the same time: then the next. */
async function publish(pluginsDir: string, work: string): Promise<number> {
  for (let number = Math.max(0, ...(await numbers(pluginsDir))) + 1; ; number++) {
    try {
      await rename(work, join(pluginsDir, 'generations', String(number)))
      return number
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error
    }
  }
}

async function switchCurrent(pluginsDir: string, number: number): Promise<void> {
  const temporary = `${currentLink(pluginsDir)}.${randomBytes(6).toString('hex')}`
  await symlink(join('generations', String(number)), temporary)
  await rename(temporary, currentLink(pluginsDir))
}

async function prune(pluginsDir: string, current: number): Promise<void> {
  const old = (await numbers(pluginsDir)).filter((number) => number < current).sort((a, b) => b - a)
  for (const number of old.slice(keptGenerations)) {
    await rm(join(pluginsDir, 'generations', String(number)), { recursive: true, force: true })
  }
}

/** Puts the plugins together: what was built, and what came from elsewhere (the marketplace) and stays. */
async function assemble(
  work: string,
  candidates: readonly Candidate[],
  previous: Previous,
  builder: string,
): Promise<void> {
  await mkdir(work)
  for (const { record, folder, isReused } of candidates) {
    const target = join(work, record.name)
    if (isReused) await cp(folder, target, { recursive: true })
    else await rename(folder, target)
  }
  const ours = new Set([...previous.record.plugins, ...candidates.map(({ record }) => record)].map(({ name }) => name))
  const before = previous.folder === undefined ? [] : await readdir(previous.folder, { withFileTypes: true })
  for (const entry of before) {
    if (!entry.isDirectory() || ours.has(entry.name) || previous.folder === undefined) continue
    await cp(join(previous.folder, entry.name), join(work, entry.name), { recursive: true })
  }
  const record: GenerationRecord = { builder, plugins: candidates.map((candidate) => candidate.record) }
  await writeFile(recordPath(work), `${JSON.stringify(record, undefined, 2)}\n`)
}

function isSame(candidates: readonly Candidate[], record: GenerationRecord): boolean {
  return candidates.length === record.plugins.length && candidates.every(({ isReused }) => isReused)
}

async function prepareAll(
  folders: readonly string[],
  previous: Previous,
  work: string,
  options: GenerationOptions,
  problems: PluginProblem[],
): Promise<readonly Candidate[]> {
  const sources = (await Promise.all(folders.map((folder) => listSources(resolve(folder))))).flat()
  const candidates: Candidate[] = []
  for (const source of sources) {
    const candidate = await prepareOrKeep(source, previous, work, options, problems)
    if (candidate !== undefined) candidates.push(candidate)
  }
  return dropDoubles(candidates, problems)
}

/** Builds what has changed; whether that made a new generation. */
async function renew(root: string, options: GenerationOptions, problems: PluginProblem[]): Promise<boolean> {
  const builder = await builderId()
  const folder = await currentGeneration(root)
  const record = await readRecord(folder)
  const previous: Previous = { record, folder, isUsable: record.builder === builder }
  const work = join(root, 'generations', `.work-${randomBytes(6).toString('hex')}`)
  await mkdir(work)
  try {
    const candidates = await prepareAll(options.sources ?? [join(root, 'local')], previous, work, options, problems)
    if (folder !== undefined && isSame(candidates, record)) return false
    const assembled = join(work, 'generation')
    await assemble(assembled, candidates, previous, builder)
    const number = await publish(root, assembled)
    await switchCurrent(root, number)
    await prune(root, number)
    return true
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/**
 * Builds every source into a new generation, switches `current` to it and writes the route table. Sources whose files
 * have not changed are taken from the generation before; when nothing has changed there is no new one. A source that
 * cannot be built is reported, keeps the build it had, and the others go on.
 *
 * @throws what the file system says, when pluginsDir or stateDir cannot be written
 * @example
 * const { plugins, problems } = await buildGeneration('plugins', 'state', { sources: ['examples'] })
 */
export async function buildGeneration(
  pluginsDir: string,
  stateDir: string,
  options: GenerationOptions = {},
): Promise<Generation> {
  const root = resolve(pluginsDir)
  await mkdir(join(root, 'generations'), { recursive: true })
  const problems: PluginProblem[] = []
  const isNew = await renew(root, options, problems)
  const plugins = await readCatalogue(root, (problem) => problems.push(problem))
  await replaceRoutes(routesFile(stateDir), routesOf(plugins))
  return { number: Number(basename((await currentGeneration(root)) ?? '')), isNew, plugins, problems }
}
