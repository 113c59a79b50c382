/**
 * Builds a plugin: one bundled ES module and a manifest. The plugin's own code is run once for that, to evaluate its
 * definition, in a child process with a deadline: top-level code that hangs or exits must not take the caller along.
 */

import { build, type Message, type Plugin } from 'esbuild'
import { mkdir, realpath, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import * as sdk from '../sdk/index.js'
import { PluginBuildError } from './build-error.js'
import { inspectBuilt, type InspectedPlugin } from './inspect.js'
import { apiVersion, checkManifest, manifestFile, type PluginManifest } from './manifest.js'
import { readSource, type PluginSource } from './source.js'

export interface BuildOptions {
  /** A file, or a folder with package.json. */
  readonly source: string
  /** Folder that gets `ferrite.json` and `index.mjs`; made if missing. */
  readonly outDir: string
  /** How long the plugin's top-level code may take in ms. @default 10000 */
  readonly deadlineMs?: number
}

/** What was built, and from which files (absolute paths). */
export interface BuildResult {
  readonly manifest: PluginManifest
  readonly inputs: readonly string[]
}

/** The ending says what it is, whatever package.json may be near. */
const entryFile = 'index.mjs'
const sharedKey = 'ferrite-plugins'

/** What bundled CommonJS dependencies expect to be there. A module's own `require` or `__dirname` stays its own. */
const banner = [
  "import { createRequire as __ferriteCreateRequire } from 'node:module'",
  "import { fileURLToPath as __ferriteFileUrl } from 'node:url'",
  "import { dirname as __ferriteFolder } from 'node:path'",
  'const require = __ferriteCreateRequire(import.meta.url)',
  'const __ferriteFilename = __ferriteFileUrl(import.meta.url)',
  'const __ferriteDirname = __ferriteFolder(__ferriteFilename)',
].join('\n')

/** The module that stands for `ferrite-plugins/sdk` in a bundle: the host's own copy, handed over by a global. */
function sharedModule(subpath: string): string {
  const names = Object.keys(sdk).join(', ')
  return [
    `const shared = globalThis[Symbol.for('${sharedKey}')]?.['${subpath}']`,
    `if (shared === undefined) throw new Error('this file is a built Ferrite plugin: it runs in a Ferrite host only')`,
    `export const { ${names} } = shared`,
  ].join('\n')
}

const subpaths: Readonly<Record<string, string>> = { 'ferrite-plugins': './sdk', 'ferrite-plugins/sdk': './sdk' }

const sharePlugin: Plugin = {
  name: 'ferrite-shared',
  setup(build) {
    build.onResolve({ filter: /^ferrite-plugins(?:\/|$)/ }, ({ path }) => {
      const subpath = subpaths[path]
      if (subpath !== undefined) return { path: subpath, namespace: 'ferrite-shared' }
      return { errors: [{ text: `'${path}' is not for plugins; there is: ${Object.keys(subpaths).join(', ')}` }] }
    })
    build.onLoad({ filter: /.*/, namespace: 'ferrite-shared' }, ({ path }) => ({ contents: sharedModule(path) }))
  },
}

function describe({ text, location }: Message): string {
  return location === null ? text : `${location.file}:${location.line}:${location.column + 1}: ${text}`
}

function isBuildFailure(error: unknown): error is { errors: Message[] } {
  return typeof error === 'object' && error !== null && 'errors' in error && Array.isArray(error.errors)
}

function workingFolder(source: PluginSource): string {
  return source.packageFile === undefined ? resolve(source.source, '..') : resolve(source.source)
}

/** Bundles the source and returns the files that went into it. */
async function bundle(source: PluginSource, outDir: string): Promise<readonly string[]> {
  // esbuild follows links, and names its inputs relative to where they lead.
  const folder = await realpath(workingFolder(source))
  try {
    const result = await build({
      entryPoints: [resolve(source.entry)],
      outfile: join(outDir, entryFile),
      absWorkingDir: folder,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      sourcemap: 'linked',
      sourcesContent: true,
      charset: 'utf8',
      metafile: true,
      logLevel: 'silent',
      banner: { js: banner },
      define: { __filename: '__ferriteFilename', __dirname: '__ferriteDirname' },
      plugins: [sharePlugin],
    })
    return Object.keys(result.metafile.inputs)
      .filter((input) => !input.startsWith('ferrite-shared:'))
      .map((input) => resolve(folder, input))
  } catch (error) {
    if (!isBuildFailure(error)) throw error
    throw new PluginBuildError(source.source, error.errors.slice(0, 5).map(describe).join('; '), { cause: error })
  }
}

type Globs = readonly string[] | undefined

function union(...lists: readonly Globs[]): readonly string[] {
  return [...new Set(lists.flatMap((list) => list ?? []))]
}

function present(name: string, list: readonly string[]): Record<string, readonly string[]> {
  return list.length === 0 ? {} : { [name]: list }
}

/** What package.json grants and what the definition asks for, together. */
function mergePermissions(a: sdk.Permissions = {}, b: sdk.Permissions = {}): sdk.Permissions {
  const keys = {
    ...present('r', union(a.keys?.r, b.keys?.r)),
    ...present('rw', union(a.keys?.rw, b.keys?.rw)),
    ...present('w', union(a.keys?.w, b.keys?.w)),
  }
  const files = {
    ...present('read', union(a.files?.read, b.files?.read)),
    ...present('write', union(a.files?.write, b.files?.write)),
  }
  return {
    ...(Object.keys(keys).length === 0 ? {} : { keys }),
    ...present('channels', union(a.channels, b.channels)),
    ...present('commands', union(a.commands, b.commands)),
    ...present('network', union(a.network, b.network)),
    ...(Object.keys(files).length === 0 ? {} : { files }),
  }
}

function makeManifest(source: PluginSource, built: InspectedPlugin): PluginManifest {
  const { section, description } = source
  return {
    name: built.name,
    version: built.version ?? source.version ?? '0.0.0',
    ...(description === undefined ? {} : { description }),
    apiVersion,
    kind: 'ts',
    entry: entryFile,
    isolation: section.isolation ?? 'worker',
    permissions: mergePermissions(section.permissions, built.permissions),
    limits: section.limits ?? {},
    commands: built.commands,
    commandHooks: built.commandHooks,
    keyHooks: built.keyHooks,
    noticeHooks: built.noticeHooks,
    timers: built.timers,
    rules: built.rules,
    config: built.config,
  }
}

/**
 * Builds a plugin and tells which files it was made of.
 *
 * @throws PluginBuildError, ManifestError: what is wrong with the source, in one sentence
 */
export async function buildWithInputs(options: BuildOptions): Promise<BuildResult> {
  const source = await readSource(resolve(options.source))
  const outDir = resolve(options.outDir)
  if (outDir === resolve(source.source)) {
    throw new PluginBuildError(source.source, 'the output folder is the source')
  }
  await mkdir(outDir, { recursive: true })
  const bundled = await bundle(source, outDir)
  const built = await inspectBuilt(source.source, join(outDir, entryFile), options.deadlineMs ?? 10_000)
  const file = join(outDir, manifestFile)
  const manifest = checkManifest(makeManifest(source, built), file)
  await writeFile(file, `${JSON.stringify(manifest, undefined, 2)}\n`)
  return { manifest, inputs: source.packageFile === undefined ? bundled : [...bundled, source.packageFile] }
}

/**
 * Builds a plugin into a folder with `ferrite.json` and `index.mjs`.
 *
 * @throws PluginBuildError, ManifestError: what is wrong with the source, in one sentence
 * @example
 * const manifest = await buildPlugin({ source: 'plugins/greeter.ts', outDir: 'out/greeter' })
 */
export async function buildPlugin(options: BuildOptions): Promise<PluginManifest> {
  return (await buildWithInputs(options)).manifest
}
