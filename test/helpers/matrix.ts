import { listServers, narrowServers } from '#lib/servers/catalogue.js'
import type { ServerProgram } from '#lib/servers/server-version.js'

const wanted = (process.env['FERRITE_SERVERS'] ?? '').split(',').filter((name) => name !== '')
const listed = await listServers()
const chosen = wanted.length === 0 ? listed : narrowServers(listed, wanted)
if (chosen.length === 0) {
  const have = listed.map((server) => server.name).join(', ') || 'none; run npm run servers'
  throw new Error(`FERRITE_SERVERS=${wanted.join(',')} names no server that is there (${have})`)
}

/** The servers to test on: all that are there, or those that `FERRITE_SERVERS=redis-8.0,valkey-9` names. */
export function servers(): readonly ServerProgram[] {
  return chosen
}

/** The server for tests that need only one: the newest Redis of the list, else its last entry. */
export function anyServer(): ServerProgram {
  const one = chosen.findLast((server) => server.product === 'redis') ?? chosen.at(-1)
  if (one === undefined) throw new Error('no server; run npm run servers')
  return one
}
