// npm run servers: lists the servers of the test matrix, fetches those that are missing. --json: for programs,
// --refresh: fetch again (newer minors, suites that lacked a package last time).
import { parseArgs } from 'node:util'
import { buildLibrary, root } from './library.mjs'

const { values: options } = parseArgs({
  options: { json: { type: 'boolean', default: false }, refresh: { type: 'boolean', default: false } },
})
await buildLibrary()
const { ensureServers } = await import(new URL('lib/servers/catalogue.js', root).href)
const say = (line) => console.error(`ferrite: ${line}`)
const catalogue = await ensureServers({ say, refresh: options.refresh })
if (options.json) console.log(JSON.stringify(catalogue, null, 2))
else {
  const { catalogueLines } = await import(new URL('lib/servers/catalogue-lines.js', root).href)
  for (const line of catalogueLines(catalogue)) console.log(line)
}
