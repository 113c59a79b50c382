import { isAbsolute, resolve } from 'node:path'
import { findProgram } from '../setup/programs.js'
import { SetupError } from '../setup/setup-error.js'
import { ensureServers, listServers } from './catalogue.js'
import { startGroup } from './matrix.js'
import { compareVersions, identifyServer, type ServerProgram } from './server-version.js'

/** From here on a server can do everything that Ferrite offers. */
export const oldestFullServer = '7.2.0'

/** Below this the module refuses to load. */
export const oldestServer = '7.0.0'

/**
 * The server to start: the one named (a path, a program on PATH, or a name of the matrix like `redis-8.0`), else the
 * first on PATH that is new enough, else one fetched into the cache folder.
 */
export async function findServer(wanted: string | undefined, say: (line: string) => void): Promise<ServerProgram> {
  if (wanted !== undefined) return await namedServer(wanted)
  const listed = await listServers()
  const usable = listed.filter((server) => compareVersions(server.version, oldestFullServer) >= 0)
  const found = usable.find((server) => server.source === 'PATH') ?? usable[0]
  if (found !== undefined) return found
  say('no redis-server or valkey-server 7.2 or newer on PATH; fetching one into the cache folder')
  const fetched = await ensureServers({ say, groups: [startGroup] })
  const server = fetched.servers.find((one) => compareVersions(one.version, oldestFullServer) >= 0)
  if (server !== undefined) return server
  const reason = fetched.notChecked[0]?.reason ?? 'the fetched one does not run here'
  const text = `there is no Redis or Valkey server 7.2 or newer on PATH, and none can be fetched (${reason}); ${installHint()}`
  throw new SetupError('SETUP_SERVER_MISSING', text)
}

async function namedServer(wanted: string): Promise<ServerProgram> {
  const path = wanted.includes('/') ? resolve(wanted) : findProgram(wanted)
  const listed = (await listServers()).findLast((one) => one.name === wanted || one.name.startsWith(`${wanted}.`))
  const server = path === undefined ? listed : await identifyServer(path, isAbsolute(wanted) ? 'given' : 'PATH')
  if (server === undefined) {
    const text = `--server ${wanted} is no Redis or Valkey server that runs here; give the path of redis-server or valkey-server`
    throw new SetupError('SETUP_OPTION_INVALID', text)
  }
  if (compareVersions(server.version, oldestServer) < 0) {
    const text = `${server.path} is version ${server.version}; the module needs 7.0 or newer (7.2 for all it can do)`
    throw new SetupError('SETUP_SERVER_OLD', text)
  }
  return server
}

function installHint(): string {
  if (findProgram('apt-get') !== undefined) return 'install one: apt-get install valkey-server'
  if (findProgram('dnf') !== undefined) return 'install one: dnf install valkey'
  if (findProgram('apk') !== undefined) return 'install one: apk add valkey'
  if (findProgram('pacman') !== undefined) return 'install one: pacman -S valkey'
  return 'install Redis or Valkey with the package manager of this system, or give --server PATH'
}
