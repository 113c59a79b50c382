/** What is installed: the plugins of the current generation of a plugins-dir. */

import { readFile, readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from './build-error.js'
import { formatRouteTable } from './route-table.js'
import { pluginAcl } from './plugin-acl.js'
import { checkManifest, manifestFile, parseJson, type PluginManifest } from './manifest.js'

/** A built plugin in the store. Paths are absolute and stay valid while the generation is kept. */
export interface InstalledPlugin {
  readonly name: string
  readonly version: string
  readonly folder: string
  /** The bundle. */
  readonly entry: string
  readonly manifest: PluginManifest
}

/** Something that keeps one plugin from being used; the others are not affected. */
export interface PluginProblem {
  /** The plugin's name, or its file's where it has none yet. */
  readonly name: string
  /** The file or folder. */
  readonly source: string
  /** One sentence. */
  readonly error: string
}

/** The link to the current generation. */
export const currentLink = (pluginsDir: string): string => join(pluginsDir, 'current')

async function readInstalled(folder: string, name: string): Promise<InstalledPlugin> {
  const file = join(folder, manifestFile)
  const manifest = checkManifest(parseJson(await readFile(file, 'utf8'), file), file)
  if (manifest.name !== name) throw new Error(`${file} names '${manifest.name}', its folder is '${name}'`)
  return { name, version: manifest.version, folder, entry: join(folder, manifest.entry), manifest }
}

/** The word that a command's name begins with: subcommands of one container stay with one plugin. */
function containerOf(command: string): string {
  return command.split('|', 1)[0] ?? command
}

/** Command names belong to the first plugin in alphabetical order; a later plugin that wants one is refused whole. */
function refuseCollisions(
  plugins: readonly InstalledPlugin[],
  report: (problem: PluginProblem) => void,
): readonly InstalledPlugin[] {
  const owners = new Map<string, string>()
  return plugins.filter(({ name, folder, manifest }) => {
    const names = manifest.commands.map((command) => command.name)
    const taken = names.find((command) => owners.has(containerOf(command)))
    if (taken !== undefined) {
      const owner = owners.get(containerOf(taken)) ?? ''
      report({ name, source: folder, error: `its command ${taken} belongs to the plugin '${owner}' already` })
      return false
    }
    for (const command of names) owners.set(containerOf(command), name)
    return true
  })
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/** The folder that `current` leads to; `undefined` before the first build. */
export async function currentGeneration(pluginsDir: string): Promise<string | undefined> {
  try {
    return await realpath(currentLink(pluginsDir))
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function refuseAll({ source, error }: PluginProblem): never {
  throw new Error(`${source}: ${error}`)
}

/**
 * The plugins of the current generation, by name. Empty before the first build. A command belongs to the first plugin
 * in alphabetical order; a later one that has it too is a problem and left out.
 *
 * @param report is told of each plugin that cannot be used; without it the first one is thrown as an error
 */
export async function readCatalogue(
  pluginsDir: string,
  report: (problem: PluginProblem) => void = refuseAll,
): Promise<readonly InstalledPlugin[]> {
  const generation = await currentGeneration(pluginsDir)
  if (generation === undefined) return []
  const plugins: InstalledPlugin[] = []
  const entries = await readdir(generation, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  for (const name of names.sort()) {
    const folder = join(generation, name)
    try {
      plugins.push(await readInstalled(folder, name))
    } catch (error) {
      report({ name, source: folder, error: messageOf(error) })
    }
  }
  return refuseCollisions(plugins, report)
}

/** The text of the route table for these plugins. */
export function routesOf(plugins: readonly InstalledPlugin[]): string {
  return formatRouteTable(
    plugins.map(({ name, version, manifest }) => {
      const { permissions, commands, commandHooks, rules } = manifest
      return { name, version, acl: pluginAcl(permissions), commands, hooks: commandHooks, rules }
    }),
  )
}
