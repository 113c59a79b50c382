// The plugins of tests, built once for all servers of a test file: building takes longer than starting a server.
import { existsSync, rmSync } from 'node:fs'
import { cp, mkdir, mkdtemp, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { buildGeneration } from '#lib/plugin/store.js'

interface Built {
  readonly names: readonly string[]
  readonly pluginsDir: string
  readonly stateDir: string
}

/** By the paths of the sources, which do not change while a test file runs. */
const built = new Map<string, Promise<Built>>()
const folders: string[] = []
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** Puts plugins into the folders of a server, as if they had been built there. Resolves to their names. */
export async function installPlugins(
  sources: readonly string[],
  pluginsDir: string,
  stateDir: string,
): Promise<readonly string[]> {
  const key = sources.join('\0')
  const building = built.get(key) ?? build(sources)
  built.set(key, building)
  const { names, ...from } = await building
  // `current` is a link within the folder, `local` has links to the sources.
  await cp(from.pluginsDir, pluginsDir, { recursive: true, verbatimSymlinks: true })
  await cp(from.stateDir, stateDir, { recursive: true })
  return names
}

async function build(sources: readonly string[]): Promise<Built> {
  const folder = await mkdtemp(join(tmpdir(), 'ferrite-test-'))
  folders.push(folder)
  const pluginsDir = join(folder, 'plugins')
  const stateDir = join(folder, 'state')
  await mkdir(join(pluginsDir, 'local'), { recursive: true })
  for (const source of sources) {
    if (!existsSync(source)) throw new Error(`plugin source ${source} does not exist`)
    await symlink(source, join(pluginsDir, 'local', basename(source)))
  }
  const { plugins, problems } = await buildGeneration(pluginsDir, stateDir)
  if (problems.length > 0) throw new Error(problems.map((one) => `${one.source}: ${one.error}`).join('\n'))
  return { names: plugins.map(({ name }) => name), pluginsDir, stateDir }
}
