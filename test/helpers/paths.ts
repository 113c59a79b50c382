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

/** A plugin of the tests, in test/fixtures/plugins/. */
export function fixturePlugin(name: string): string {
  return testFile(`fixtures/plugins/${name}.ts`)
}
