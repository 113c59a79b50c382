// `ferrite build`: one plugin into a folder, or a whole plugins-dir with its route table.
import { basename, dirname, extname, join, resolve } from 'node:path'
import { statSync } from 'node:fs'
import { PluginBuildError } from '../plugin/build-error.js'
import { buildPlugin } from '../plugin/build.js'
import { ManifestError } from '../plugin/manifest.js'
import { buildGeneration, type PluginProblem } from '../plugin/store.js'
import { SetupError } from '../setup/setup-error.js'
import { say } from './say.js'

export interface BuildCommandOptions {
  readonly out?: string
  readonly pluginsDir?: string
  readonly stateDir?: string
}

/** Prints what was built; resolves to the exit status. */
export async function build(source: string | undefined, options: BuildCommandOptions): Promise<number> {
  if (options.pluginsDir !== undefined && source === undefined && options.out === undefined) {
    return await buildStore(options.pluginsDir, options.stateDir)
  }
  if (source === undefined || options.pluginsDir !== undefined || options.stateDir !== undefined) {
    const usage =
      'ferrite build <source> [--out <folder>], or ferrite build --plugins-dir <folder> [--state-dir <folder>]'
    throw new SetupError('SETUP_OPTION_INVALID', `expected ${usage}`)
  }
  const outDir = options.out ?? defaultOutput(source)
  try {
    const manifest = await buildPlugin({ source, outDir })
    process.stdout.write(`${manifest.name} ${manifest.version}: ${resolve(outDir)}\n`)
    return 0
  } catch (err) {
    if (!(err instanceof PluginBuildError || err instanceof ManifestError)) throw err
    say(err.message)
    return 1
  }
}

async function buildStore(pluginsDir: string, stateDir: string | undefined): Promise<number> {
  const root = resolve(pluginsDir)
  // What the module itself takes for ferrite.state-dir when it is not set.
  const state = resolve(stateDir ?? join(dirname(root), 'state'))
  const generation = await buildGeneration(root, state, { onBuild: (source) => say(`building ${source}`) })
  for (const plugin of generation.plugins) process.stdout.write(`${plugin.name} ${plugin.version}\n`)
  reportProblems(generation.problems)
  return generation.problems.length === 0 ? 0 : 1
}

/** One line for each plugin that was not built or is not used. */
export function reportProblems(problems: readonly PluginProblem[]): void {
  for (const { name, source, error } of problems) {
    say(`plugin ${name}: ${error}${error.includes(source) ? '' : ` (${source})`}`)
  }
}

/** `dist` inside a plugin's folder; `dist/<name>` beside a single file. */
function defaultOutput(source: string): string {
  const path = resolve(source)
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
  return isFile ? join(dirname(path), 'dist', basename(path, extname(path))) : join(path, 'dist')
}
