// Drives CMake through cmake-js. redis-module/package.json tells cmake-js that Node's headers are not needed, so it
// downloads nothing; the C compiler is named for both languages, because cmake-js would insist on a C++ one.
import { createRequire } from 'node:module'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { packageRoot } from './package-root.js'
import { findProgram, lastLines, run } from './programs.js'
import { SetupError } from './setup-error.js'

export interface CompileOptions {
  /** CMake's own folder; kept for the next, incremental run. */
  readonly workDir: string
  /** Variables of redis-module/CMakeLists.txt. */
  readonly defines: Readonly<Record<string, string>>
  readonly target?: string
}

const installHint = 'Debian, Ubuntu: apt-get install cmake gcc make libc6-dev; Fedora: dnf install cmake gcc make'

/** The C compiler that will be used: $CC, else cc, gcc, clang. */
export function findCompiler(): string | undefined {
  const named = process.env['CC']
  if (named !== undefined && named !== '') return named.startsWith('/') ? named : findProgram(named)
  return findProgram('cc', 'gcc', 'clang')
}

/** What is needed to compile and is not there, in words. */
function missingTools(): readonly string[] {
  return [
    ...(findProgram('cmake') === undefined ? ['cmake'] : []),
    ...(findCompiler() === undefined ? ['a C compiler'] : []),
    ...(findProgram('ninja', 'make') === undefined ? ['make or ninja'] : []),
  ]
}

/** Throws a one-line SetupError that names what is missing to compile with, if anything is. */
export function requireTools(): { readonly compiler: string } {
  const compiler = findCompiler()
  const missing = missingTools()
  if (compiler !== undefined && missing.length === 0) return { compiler }
  const text = `cannot compile the module: ${missing.join(' and ')} not found on PATH; install (${installHint})`
  throw new SetupError('SETUP_TOOL_MISSING', text)
}

/** Configures and builds redis-module/. Throws a short SetupError; the whole output is in `<workDir>/build.log`. */
export async function compile(options: CompileOptions): Promise<void> {
  const { compiler } = requireTools()
  await dropForeignCache(options.workDir)
  await mkdir(options.workDir, { recursive: true })
  const defines = Object.entries(options.defines).map(([name, value]) => `--CD${name}=${value}`)
  const common = ['-d', join(packageRoot, 'redis-module'), '-O', options.workDir, '--cc', compiler, '--cxx', compiler]
  const target = options.target === undefined ? [] : ['-T', options.target]
  await step(options.workDir, ['configure', ...common, ...defines])
  await step(options.workDir, ['build', ...common, ...target, '-p', '4'])
}

async function step(workDir: string, args: readonly string[]): Promise<void> {
  const cmakeJs = join(dirname(createRequire(import.meta.url).resolve('cmake-js/package.json')), 'bin', 'cmake-js')
  const result = await run(process.execPath, [cmakeJs, ...args])
  const log = join(workDir, 'build.log')
  await writeFile(log, result.output)
  if (result.code === 0) return
  const detail = errorLines(result.output)
  throw new SetupError('SETUP_COMPILE_FAILED', `compiling the module failed; all of the output is in ${log}\n${detail}`)
}

/** The compiler's own complaints if there are any, or CMake's with what follows; else the end of the output. */
function errorLines(output: string): string {
  const lines = output.split('\n')
  const cmake = lines.findIndex((line) => line.startsWith('CMake Error'))
  if (cmake !== -1)
    return lines
      .slice(cmake, cmake + 6)
      .filter((line) => line.trim() !== '')
      .join('\n')
  const errors = lines.filter((line) => /\berror\b|undefined reference/.test(line))
  return errors.length > 0 ? errors.slice(0, 10).join('\n') : lastLines(output, 10)
}

/** CMake refuses a folder that was configured for another place (a clone that was moved or copied). */
async function dropForeignCache(workDir: string): Promise<void> {
  let cache: string
  try {
    cache = await readFile(join(workDir, 'CMakeCache.txt'), 'utf8')
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return
    throw err
  }
  const source = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(cache)?.[1]
  const folder = /^CMAKE_CACHEFILE_DIR:INTERNAL=(.*)$/m.exec(cache)?.[1]
  if (source === join(packageRoot, 'redis-module') && folder === workDir) return
  await rm(workDir, { recursive: true, force: true })
}
