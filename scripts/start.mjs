// npm start: from a fresh clone to a running server with examples. Everything after the first time is skipped.
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { buildLibrary, root, rootFolder } from './library.mjs'

/** Those that leave the commands of others alone. The ones with command hooks are started by their folder. */
const names = ['key-audit', 'rate-limiter', 'word-index']

/** A folder of links to them: `--plugins` takes one folder. */
function linkExamples() {
  const folder = join(rootFolder, 'build', 'examples')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const name of names) symlinkSync(join(rootFolder, 'examples', name), join(folder, name))
  return folder
}

if (!(await buildLibrary())) console.error('ferrite: starting with what could be compiled')
const { main } = await import(new URL('lib/cli/main.js', root).href)
const given = process.argv.slice(2)
const isTold = given.some((word) => /^--plugins(=|$)/.test(word))
const hasExamples = !isTold && existsSync(join(rootFolder, 'examples'))
process.exitCode = await main(['start', ...(hasExamples ? ['--plugins', linkExamples()] : []), ...given])
