/**
 * The route table on disk: `routes`, and `routes.backup`, the last table that a server's module has read. At a start
 * the module falls back to the backup: without its commands a server whose ACL file names them would not start.
 */

import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'

export const routesFile = (stateDir: string): string => join(stateDir, 'routes')
export const routesBackup = (stateDir: string): string => join(stateDir, 'routes.backup')

/** Whether the file holds this text. What cannot be read, or is no plain file (a pipe would never end), does not. */
export async function holdsRoutes(file: string, text: string): Promise<boolean> {
  const info = await stat(file).catch(() => undefined)
  if (info?.isFile() !== true || info.size !== Buffer.byteLength(text)) return false
  return (await readFile(file, 'utf8').catch(() => undefined)) === text
}

async function writeSynced(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx')
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Replaces the file in one step: after a power failure too, there is the old text or the new one. */
export async function replaceRoutes(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}`
  await mkdir(dirname(file), { recursive: true })
  try {
    await writeSynced(temporary, text)
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(file))
}
