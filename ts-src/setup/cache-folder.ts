import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'

/**
 * Where Ferrite keeps what it can make again: fetched servers, modules of read-only packages, data of `ferrite start`.
 * `$FERRITE_CACHE`, else `$XDG_CACHE_HOME/ferrite`, else `~/.cache/ferrite`. Not made here.
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const own = env['FERRITE_CACHE']
  if (own !== undefined && own !== '') return resolve(own)
  const xdg = env['XDG_CACHE_HOME']
  // The XDG specification says that a relative path is to be ignored.
  if (xdg !== undefined && isAbsolute(xdg)) return join(xdg, 'ferrite')
  return join(homedir(), '.cache', 'ferrite')
}
