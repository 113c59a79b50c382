// A lock between processes. It is flock(2) on a file held open by this process, so the kernel lets it go however
// the process ends and there is nothing stale to judge. Node has no flock, hence the program of the same name, which
// locks the open file that it inherits; the lock belongs to the open file and outlives that program.
import { spawn } from 'node:child_process'
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { findProgram } from './programs.js'
import { SetupError } from './setup-error.js'

export interface LockOptions {
  /** How long to wait for it, in milliseconds; 0: do not wait. */
  readonly waitMs: number
  /** Called once if somebody else holds it. */
  readonly onWait?: () => void
}

export interface FileLock extends AsyncDisposable {
  readonly path: string
}

/** Takes the lock, or resolves to undefined if somebody held it for all of `waitMs`. */
export async function tryLock(path: string, options: LockOptions): Promise<FileLock | undefined> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const file = await open(path, 'a')
  try {
    if (!(await flock(file.fd, ['--nonblock']))) {
      options.onWait?.()
      const seconds = (options.waitMs / 1000).toFixed(3)
      if (options.waitMs <= 0 || !(await flock(file.fd, ['--wait', seconds]))) {
        await file.close()
        return undefined
      }
    }
  } catch (err) {
    await file.close()
    throw err
  }
  return { path, [Symbol.asyncDispose]: () => file.close() }
}

/** Runs `work` while holding the lock. Throws SETUP_LOCK_BUSY if it cannot be had in time. */
export async function withLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  const lock = await tryLock(path, options)
  if (lock === undefined) {
    const waited = `${String(Math.round(options.waitMs / 1000))} s`
    throw new SetupError('SETUP_LOCK_BUSY', `another process has held ${path} for ${waited}; wait for it or end it`)
  }
  try {
    return await work()
  } finally {
    await lock[Symbol.asyncDispose]()
  }
}

function flock(fd: number, args: readonly string[]): Promise<boolean> {
  const program = findProgram('flock')
  if (program === undefined) {
    const remedy = 'install util-linux (Debian, Ubuntu: apt-get install util-linux)'
    throw new SetupError('SETUP_TOOL_MISSING', `the program flock is not on PATH; ${remedy}`)
  }
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args, '3'], { stdio: ['ignore', 'ignore', 'inherit', fd] })
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0 || code === 1) resolve(code === 0)
      else reject(new Error(`flock ended with ${String(code)} on ${String(fd)}; expected 0 or 1`))
    })
  })
}
