// npm start: from a fresh clone to a running server with the examples. Everything after the first time is skipped.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { buildLibrary, root, rootFolder } from './library.mjs'

if (!(await buildLibrary())) console.error('ferrite: starting with what could be compiled')
const { main } = await import(new URL('lib/cli/main.js', root).href)
const given = process.argv.slice(2)
const examples = join(rootFolder, 'examples')
const hasExamples =
  existsSync(examples) && readdirSync(examples).length > 0 && !given.some((word) => /^--plugins(=|$)/.test(word))
process.exitCode = await main(['start', ...(hasExamples ? ['--plugins', examples] : []), ...given])
