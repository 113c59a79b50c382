// `ferrite types`: a module per client, with methods and types for the commands of plugins.
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { PluginBuildError } from '../plugin/build-error.js'
import { buildPlugin } from '../plugin/build.js'
import { readCatalogue } from '../plugin/catalogue.js'
import { checkManifest, manifestFile, ManifestError, parseJson, type PluginManifest } from '../plugin/manifest.js'
import { listSources } from '../plugin/source.js'
import { SetupError } from '../setup/setup-error.js'
import { say } from './say.js'
import { clientPlugins, type ClientPlugin } from './types/client-command.js'
import type { ClientModule } from './types/client-module.js'
import { ioredisModule } from './types/ioredis-module.js'
import { nodeRedisModule } from './types/node-redis-module.js'

/** The clients that modules are made for. */
export const clients = ['ioredis', 'node-redis'] as const
export type Client = (typeof clients)[number]

export interface TypesOptions {
  /** @default all of them */
  readonly client?: readonly Client[]
  readonly out: string
  readonly pluginsDir?: string
}

const makers: Readonly<Record<Client, (plugins: readonly ClientPlugin[]) => ClientModule>> = {
  ioredis: ioredisModule,
  'node-redis': nodeRedisModule,
}

/** Writes the modules and prints their paths; resolves to the exit status. */
export async function types(sources: readonly string[], options: TypesOptions): Promise<number> {
  if (sources.length === 0 && options.pluginsDir === undefined) {
    const text = 'expected plugin sources, built plugins (folders with ferrite.json), or --plugins-dir <folder>'
    throw new SetupError('SETUP_OPTION_INVALID', text)
  }
  try {
    const manifests = await readManifests(sources, options.pluginsDir)
    const plugins = clientPlugins(manifests)
    if (plugins.length === 0) {
      throw new SetupError('SETUP_OPTION_INVALID', 'there is no plugin with a command in what was given')
    }
    const out = resolve(options.out)
    for (const client of options.client ?? clients) await writeModule(out, makers[client](plugins))
    return 0
  } catch (err) {
    if (!(err instanceof PluginBuildError || err instanceof ManifestError)) throw err
    say(err.message)
    return 1
  }
}

async function writeModule(out: string, module: ClientModule): Promise<void> {
  await mkdir(out, { recursive: true })
  await putFile(join(out, `${module.name}.d.mts`), module.types)
  await putFile(join(out, `${module.name}.mjs`), module.code)
  process.stdout.write(`${join(out, `${module.name}.mjs`)}\n`)
}

/** A program that imports the file meanwhile sees the old one or the new one. */
async function putFile(path: string, text: string): Promise<void> {
  const fresh = `${path}.${String(process.pid)}`
  await writeFile(fresh, text)
  await rename(fresh, path)
}

async function readManifests(
  sources: readonly string[],
  pluginsDir: string | undefined,
): Promise<readonly PluginManifest[]> {
  const installed = pluginsDir === undefined ? [] : await readCatalogue(resolve(pluginsDir))
  const given = await Promise.all(sources.map((source) => manifestsOf(resolve(source))))
  return [...installed.map(({ manifest }) => manifest), ...given.flat()]
}

/** Of a built plugin, a plugin's source, or a folder that holds some of either. */
async function manifestsOf(source: string): Promise<readonly PluginManifest[]> {
  const built = join(source, manifestFile)
  if (existsSync(built)) return [checkManifest(parseJson(await readFile(built, 'utf8'), built), built)]
  const isFolder = (await stat(source).catch(() => undefined))?.isDirectory() === true
  if (!isFolder || existsSync(join(source, 'package.json'))) return [await manifestOfSource(source)]
  const plugins: PluginManifest[] = []
  for (const one of await listSources(source)) plugins.push(await manifestOfSource(one))
  return plugins
}

async function manifestOfSource(source: string): Promise<PluginManifest> {
  const outDir = await mkdtemp(join(tmpdir(), 'ferrite-types-'))
  try {
    return await buildPlugin({ source, outDir })
  } finally {
    await rm(outDir, { recursive: true, force: true })
  }
}
