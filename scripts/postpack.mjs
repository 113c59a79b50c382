// After npm pack: takes away what prepack.mjs put there, so that the clone goes on using the locked crate.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { rootFolder } from './library.mjs'

rmSync(join(rootFolder, 'redis-module', 'include'), { recursive: true, force: true })
