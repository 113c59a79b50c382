/** What can be built: a single file, or a folder with a package.json that has a `ferrite` section. */

import { readFile, readdir, stat } from 'node:fs/promises'
import { basename, extname, join, relative, resolve } from 'node:path'
import { messageOf, PluginBuildError } from './build-error.js'
import { checkPackageSection, parseJson, type PackageSection } from './manifest.js'

/** A plugin's source, found and understood. */
export interface PluginSource {
  /** The file or folder. */
  readonly source: string
  /** The file that exports the plugin. */
  readonly entry: string
  readonly packageFile: string | undefined
  /** From package.json; for a file the defaults. */
  readonly section: Partial<PackageSection>
  readonly version: string | undefined
  readonly description: string | undefined
}

const sourceExtensions = ['.ts', '.mts', '.js', '.mjs']

function stringField(json: Readonly<Record<string, unknown>>, field: string): string | undefined {
  const value = json[field]
  return typeof value === 'string' ? value : undefined
}

async function readFolder(source: string): Promise<PluginSource> {
  const packageFile = join(source, 'package.json')
  const text = await readFile(packageFile, 'utf8').catch((cause: unknown) => {
    throw new PluginBuildError(source, `a plugin folder needs a package.json: ${messageOf(cause)}`, { cause })
  })
  const parsed = parseJson(text, packageFile)
  if (typeof parsed !== 'object' || parsed === null) throw new PluginBuildError(source, 'package.json is not an object')
  const json = parsed as Readonly<Record<string, unknown>> // any JSON object
  const section = checkPackageSection(json['ferrite'], packageFile)
  const entry = resolve(source, section.entry)
  if (relative(source, entry).startsWith('..')) {
    throw new PluginBuildError(source, `ferrite.entry '${section.entry}' leads out of the plugin's folder`)
  }
  return {
    source,
    entry,
    packageFile,
    section,
    version: stringField(json, 'version'),
    description: stringField(json, 'description'),
  }
}

/** Looks at a file or folder. @throws PluginBuildError, ManifestError */
export async function readSource(source: string): Promise<PluginSource> {
  const found = await stat(source).catch((cause: unknown) => {
    throw new PluginBuildError(source, `cannot be read: ${messageOf(cause)}`, { cause })
  })
  if (found.isDirectory()) return readFolder(source)
  if (!sourceExtensions.includes(extname(source))) {
    throw new PluginBuildError(source, `a plugin is a folder or a file that ends in ${sourceExtensions.join(', ')}`)
  }
  return { source, entry: source, packageFile: undefined, section: {}, version: undefined, description: undefined }
}

/** Names of its own that a folder of plugins may hold besides them. */
function isHidden(name: string): boolean {
  return name.startsWith('.') || name.startsWith('_') || name === 'node_modules' || name.endsWith('.d.ts')
}

/**
 * The plugins in a folder such as `plugins-dir/local`, by name: source files, and folders with a package.json. What begins
 * with `.` or `_` is not looked at. A folder that is not there has none.
 */
export async function listSources(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw new PluginBuildError(folder, `cannot be read: ${messageOf(cause)}`, { cause })
  })
  const sources: string[] = []
  for (const { name } of entries.filter((entry) => !isHidden(entry.name))) {
    const path = join(folder, name)
    const found = await stat(path) // follows links, unlike the entry
    const isPlugin = found.isDirectory()
      ? (await stat(join(path, 'package.json')).catch(() => undefined)) !== undefined
      : sourceExtensions.includes(extname(name))
    if (isPlugin) sources.push(path)
  }
  return sources.sort((a, b) => (basename(a) < basename(b) ? -1 : 1))
}
