import type { ExecutionContext } from 'ava'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** An empty folder that is removed after the test. */
export async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ferrite-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Writes files, given by their path below the folder. */
export async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
}

/** The source of a plugin with one command, which replies with its arguments' number. */
export function pluginSource(name: string, command: string, more = ''): string {
  return `import { arg, command, definePlugin } from 'ferrite-plugins/sdk'
    export default definePlugin({
      name: '${name}',
      commands: { '${command}': command({ summary: 'Does it', args: { key: arg.key('r') }, handler: () => 1 }) },
      ${more}
    })`
}
