import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The clone. Compiled tests are in build/test, so paths relative to a test's own file would miss its fixtures. */
export const packageRoot = dirname(fileURLToPath(import.meta.resolve('ferrite-plugins/package.json')))

/** A file in test/, for example `bridge/vectors.json`. */
export function testFile(path: string): string {
  return join(packageRoot, 'test', path)
}

/** A folder in examples/. */
export function example(name: string): string {
  return join(packageRoot, 'examples', name)
}
