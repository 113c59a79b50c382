/**
 * What a generation was built from: `generation.json` beside its plugins. Tells whether a source has changed since, by
 * the content of every file that went into its bundle.
 */

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** One plugin built from a source. */
export interface BuildRecord {
  readonly name: string
  readonly source: string
  /** Hash of each input file by its absolute path. */
  readonly inputs: Readonly<Record<string, string>>
}

export interface GenerationRecord {
  /** Of the builder: another version builds everything anew. */
  readonly builder: string
  readonly plugins: readonly BuildRecord[]
}

const recordFile = 'generation.json'

export const recordPath = (generation: string): string => join(generation, recordFile)

async function hashFile(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}

export async function hashInputs(inputs: readonly string[]): Promise<Record<string, string>> {
  const unique = [...new Set(inputs)].sort()
  return Object.fromEntries(await Promise.all(unique.map(async (path) => [path, await hashFile(path)] as const)))
}

/** Whether every file still has its content. A file that is gone has changed. */
export async function isUnchanged(record: BuildRecord): Promise<boolean> {
  try {
    const now = await hashInputs(Object.keys(record.inputs))
    return Object.entries(record.inputs).every(([path, hash]) => now[path] === hash)
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'EACCES')) return false
    throw error
  }
}

/** The record of a generation; an empty one where there is none or it cannot be read: everything is built again then. */
export async function readRecord(generation: string | undefined): Promise<GenerationRecord> {
  const none: GenerationRecord = { builder: '', plugins: [] }
  if (generation === undefined) return none
  try {
    return JSON.parse(await readFile(recordPath(generation), 'utf8')) as GenerationRecord
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof Error && 'code' in error && error.code === 'ENOENT'))
      return none
    throw error
  }
}
