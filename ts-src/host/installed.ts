// Reads what is installed, and brings the route table on disk up to date with it.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readCatalogue, routesOf, type InstalledPlugin, type PluginProblem } from '../plugin/catalogue.js'
import { HostError, thrownText } from './errors.js'
import type { Catalogue } from './supervisor.js'

/**
 * The plugins of the current generation. The route table is written when it says something else; that it cannot be is no
 * reason not to run the plugins, since their commands may all be in it.
 *
 * @throws what the file system says when the catalogue itself cannot be read
 */
export async function readInstalled(folders: { pluginsDir: string; stateDir: string }): Promise<Catalogue> {
  const { pluginsDir, stateDir } = folders
  if (pluginsDir === '') return { plugins: [], problems: [], routesChanged: false }
  const problems: PluginProblem[] = []
  const plugins = await readCatalogue(pluginsDir, (problem) => problems.push(problem))
  if (stateDir === '' || (await routesAreRight(stateDir, plugins))) return { plugins, problems, routesChanged: false }
  try {
    // Loaded when needed: the store brings the builder with it.
    const { writeRoutes } = await import('../plugin/store.js')
    await writeRoutes(stateDir, plugins)
    return { plugins, problems, routesChanged: true }
  } catch (thrown) {
    const text = `the route table in ${stateDir} is out of date and cannot be written (${thrownText(thrown)}): make the folder writable for the server's user, or run the build as its owner`
    return {
      plugins,
      problems,
      routesChanged: false,
      warning: new HostError('FERRITE_ROUTES_WRITE', text, { cause: thrown }),
    }
  }
}

async function routesAreRight(stateDir: string, plugins: readonly InstalledPlugin[]): Promise<boolean> {
  try {
    return (await readFile(join(stateDir, 'routes'), 'utf8')) === routesOf(plugins)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}
