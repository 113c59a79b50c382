// Reads what is installed, and brings the route table on disk up to date with it.
import { readCatalogue, routesOf, type PluginProblem } from '../plugin/catalogue.js'
import { holdsRoutes, replaceRoutes, routesBackup, routesFile } from '../plugin/route-file.js'
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
  if (pluginsDir === '') return { plugins: [], problems: [] }
  const problems: PluginProblem[] = []
  const plugins = await readCatalogue(pluginsDir, (problem) => problems.push(problem))
  if (stateDir === '') return { plugins, problems }
  return { plugins, problems, ...(await updateRoutes(stateDir, routesOf(plugins))) }
}

async function updateRoutes(stateDir: string, text: string): Promise<Pick<Catalogue, 'newRoutes' | 'warning'>> {
  const [file, backup] = [routesFile(stateDir), routesBackup(stateDir)]
  const isRight = await holdsRoutes(file, text)
  if (isRight && (await holdsRoutes(backup, text))) return {}
  try {
    if (!isRight) await replaceRoutes(file, text)
  } catch (thrown) {
    const problem = `the route table in ${stateDir} is out of date and cannot be written (${thrownText(thrown)}): make the folder writable for the server's user, or run the build as its owner`
    return { warning: new HostError('FERRITE_ROUTES_WRITE', problem, { cause: thrown }) }
  }
  return { newRoutes: { keep: () => replaceRoutes(backup, text) } }
}
