// Modules of redis-module/testing/, which tests load besides ferrite.so.
import { join } from 'node:path'
import { compile } from '#lib/setup/compile.js'
import { withLock } from '#lib/setup/file-lock.js'
import { findModuleHeader } from '#lib/setup/header.js'
import { packageRoot } from './paths.js'

const workDir = join(packageRoot, 'build', 'test-modules')

/** Compiles `testing/<name>_module.c` if need be; the path of the module. */
export async function testModule(name: string): Promise<string> {
  const output = join(workDir, 'output')
  const { includeDir } = await findModuleHeader(() => undefined)
  const defines = {
    REDISMODULE_INCLUDE_DIR: includeDir,
    FERRITE_OUTPUT_DIR: output,
    FERRITE_MODULES: 'OFF',
    FERRITE_TEST_MODULES: 'ON',
  }
  // Test files run in processes of their own.
  await withLock(`${workDir}.lock`, { waitMs: 300_000 }, () => compile({ workDir, defines, target: name }))
  return join(output, `${name}.so`)
}
