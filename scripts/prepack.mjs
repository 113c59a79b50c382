// Before npm pack: compiles lib/ and puts redismodule.h with its licence into the package, so that who installs it needs
// no Rust to compile the module. postpack.mjs takes the copy away again.
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { buildLibrary, root, rootFolder } from './library.mjs'

if (!(await buildLibrary())) process.exit(1)
const { headerFromCrate } = await import(new URL('lib/setup/header.js', root).href)
const header = await headerFromCrate((line) => console.error(`ferrite: ${line}`))
const folder = join(rootFolder, 'redis-module', 'include')
mkdirSync(folder, { recursive: true })
copyFileSync(join(header.includeDir, 'redismodule.h'), join(folder, 'redismodule.h'))
copyFileSync(header.licence, join(folder, 'LICENSE'))
