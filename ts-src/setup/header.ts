// redismodule.h: carried by the npm tarball, resolved from the Rust registry in a clone.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { packageRoot } from './package-root.js'
import { findProgram, lastLines, run } from './programs.js'
import { SetupError } from './setup-error.js'

const manifest = join(packageRoot, 'native', 'wasmtime', 'Cargo.toml')

export interface ModuleHeader {
  /** The folder that holds redismodule.h. */
  readonly includeDir: string
  /** Its licence text. */
  readonly licence: string
}

/** Finds redismodule.h, fetching the locked crate that holds it if need be. */
export async function findModuleHeader(say: (line: string) => void): Promise<ModuleHeader> {
  const carried = join(packageRoot, 'redis-module', 'include')
  if (existsSync(join(carried, 'redismodule.h'))) return { includeDir: carried, licence: join(carried, 'LICENSE') }
  return await headerFromCrate(say)
}

/** The same, from the crate even if the package carries one: what `npm pack` copies. */
export async function headerFromCrate(say: (line: string) => void): Promise<ModuleHeader> {
  const cargo = findProgram('cargo')
  if (cargo === undefined) {
    const remedy = 'install Rust 1.85 or newer (https://rustup.rs), or use the package from npm, which carries it'
    throw new SetupError(
      'SETUP_TOOL_MISSING',
      `cargo is not on PATH and a clone takes redismodule.h from it; ${remedy}`,
    )
  }
  // Without network first: that is all there is to do whenever the crates were fetched before.
  const offline = await crateFolder(cargo, ['--offline'])
  if (offline.folder !== undefined) return headerIn(offline.folder)
  say('fetching the crate that holds redismodule.h (cargo)')
  const fetched = await run(cargo, ['fetch', '--locked', '--manifest-path', manifest])
  const online = fetched.code === 0 ? await crateFolder(cargo, []) : { output: fetched.output, folder: undefined }
  if (online.folder !== undefined) return headerIn(online.folder)
  const why = lastLines(online.output, 3).replaceAll('\n', ' ')
  throw new SetupError('SETUP_HEADER_MISSING', `cargo could not fetch the crates of ${manifest}: ${why}`)
}

async function crateFolder(cargo: string, flags: readonly string[]): Promise<{ folder?: string; output: string }> {
  const args = ['metadata', '--locked', '--format-version', '1', '--manifest-path', manifest, ...flags]
  const result = await run(cargo, args)
  if (result.code !== 0) return { output: result.output }
  const metadata = JSON.parse(result.stdout) as { packages: readonly { name: string; manifest_path: string }[] }
  const crate = metadata.packages.find((one) => one.name === 'redis-module')
  return crate === undefined
    ? { output: 'the lock file has no crate redis-module' }
    : { folder: dirname(crate.manifest_path), output: '' }
}

function headerIn(crate: string): ModuleHeader {
  const includeDir = join(crate, 'src', 'include')
  if (existsSync(join(includeDir, 'redismodule.h'))) return { includeDir, licence: join(crate, 'LICENSE') }
  throw new SetupError('SETUP_HEADER_MISSING', `the crate in ${crate} has no src/include/redismodule.h; fetch it again`)
}
