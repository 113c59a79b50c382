import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder that holds package.json: the clone, or `node_modules/ferrite-plugins` of whoever installed it. */
export const packageRoot: string = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '')

/** The version in package.json. */
export function packageVersion(): string {
  const text: unknown = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'))
  if (typeof text === 'object' && text !== null && 'version' in text && typeof text.version === 'string') {
    return text.version
  }
  throw new Error(`${join(packageRoot, 'package.json')} has no version; reinstall the package`)
}
