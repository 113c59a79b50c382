// npm run build: lib/ (tsc) and build/ferrite.so (cmake), each only when what it is made of has changed.
// tsc goes first because the code that compiles the module is part of lib/.
import { buildLibrary, root } from './library.mjs'

const begun = performance.now()
const compiled = await buildLibrary()
const { SetupError } = await import(new URL('lib/setup/setup-error.js', root).href)
const { ensureModule } = await import(new URL('lib/setup/module-build.js', root).href)
try {
  const module = await ensureModule((line) => console.error(`ferrite: ${line}`))
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  console.error(`ferrite: lib/ and ${module.path} are up to date (${seconds} s)`)
} catch (err) {
  if (!(err instanceof SetupError)) throw err
  console.error(`ferrite: ${err.message}`)
  process.exitCode = 1
}
if (!compiled) process.exitCode = 1
