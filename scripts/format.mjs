// npm run format: Prettier and clang-format over what npm run check looks at.
import { cFiles, node, prettierTargets } from './sources.mjs'
import { ensurePackages, runHere } from './library.mjs'

await ensurePackages()
const codes = [
  await runHere(process.execPath, [
    node('prettier/bin/prettier.cjs'),
    '--write',
    '--no-error-on-unmatched-pattern',
    '--log-level',
    'warn',
    ...prettierTargets(),
  ]),
  await runHere(process.execPath, [node('clang-format/index.js'), '-i', ...cFiles()]),
]
process.exitCode = Math.max(...codes)
