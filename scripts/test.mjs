// npm test [-- ava's arguments]: builds, fetches the servers of the matrix, runs the C unit tests and ava, ends with
// `N passed, N failed`. --long runs the long checks in full (FERRITE_LONG=1 in the tests).
// --sanitize runs ava with the module under AddressSanitizer and UBSan, on the servers that can be run so.
// --valgrind runs ava with the servers under valgrind, where that can be.
// Without --long, the newest servers of certain versions are taken (`newestOf`).
// FERRITE_SERVERS=redis-8.0,valkey-9 narrows the servers. With CI=true the versions that must have run are demanded.
import { buildLibrary, buildTests, root } from './library.mjs'
import { runAva } from './run-ava.mjs'
import { runCTests } from './run-c-tests.mjs'
import { sanitizedEnvironment, sanitizedServers } from './sanitized-module.mjs'
import { valgrindEnvironment, valgrindServers } from './valgrind-servers.mjs'

const say = (line) => console.error(`ferrite: ${line}`)
const mandatory = ['redis-7.0', 'redis-8', 'valkey-9']
/** One server of each of these. */
const newestOf = ['redis-7.0', 'redis-8.0', 'redis-8', 'valkey-8', 'valkey-9']
const given = process.argv.slice(2)
const isLong = given.includes('--long')
if (isLong) process.env.FERRITE_LONG = '1'
const isSanitized = given.includes('--sanitize')
if (isSanitized) process.env.FERRITE_SERVERS ??= sanitizedServers
const isUnderValgrind = given.includes('--valgrind')
if (isUnderValgrind) process.env.FERRITE_SERVERS ??= valgrindServers
const ours = ['--long', '--sanitize', '--valgrind']
const avaArguments = given.filter((word) => !ours.includes(word))

const totals = { passed: 0, failed: 0 }
const add = ({ passed, failed }) => {
  totals.passed += passed
  totals.failed += failed
}

async function prepare() {
  if (!(await buildLibrary())) add({ passed: 0, failed: 1 })
  const { ensureModule } = await import(new URL('lib/setup/module-build.js', root).href)
  await ensureModule(say)
  if (isSanitized) Object.assign(process.env, await sanitizedEnvironment(say))
  if (isUnderValgrind) Object.assign(process.env, await valgrindEnvironment())
  if (!(await buildTests())) add({ passed: 0, failed: 1 })
}

/** Sets FERRITE_SERVERS for the tests. */
function chooseServers(servers, narrowServers) {
  if (isLong || process.env.FERRITE_SERVERS !== undefined) return
  const newest = newestOf.flatMap((version) =>
    narrowServers(servers, [version])
      .sort((a, b) => a.version.localeCompare(b.version, 'en', { numeric: true }))
      .slice(-1),
  )
  const names = new Set(newest.map((server) => server.name))
  if (names.size > 0) process.env.FERRITE_SERVERS = [...names].join(',')
}

async function prepareServers() {
  const { ensureServers, narrowServers } = await import(new URL('lib/servers/catalogue.js', root).href)
  const { catalogueLines } = await import(new URL('lib/servers/catalogue-lines.js', root).href)
  const catalogue = await ensureServers({ say })
  chooseServers(catalogue.servers, narrowServers)
  const names = (process.env.FERRITE_SERVERS ?? '').split(',').filter((name) => name !== '')
  const servers = names.length === 0 ? catalogue.servers : narrowServers(catalogue.servers, names)
  const left = catalogue.servers.filter((server) => !servers.includes(server))
  const notChecked = [
    ...catalogue.notChecked,
    ...left.map((server) => ({ label: server.name, reason: `not among ${names.join(', ')}` })),
  ]
  for (const line of catalogueLines({ servers, notChecked })) console.log(line)
  if (process.env.CI !== 'true') return
  const missing = mandatory.filter((name) => narrowServers(servers, [name]).length === 0)
  if (missing.length === 0) return
  console.log(`not ok - the matrix: CI demands ${mandatory.join(', ')}; missing: ${missing.join(', ')}`)
  add({ passed: 0, failed: 1 })
}

try {
  await prepare()
  await prepareServers()
  // With arguments, somebody is at work on certain files: only those.
  if (avaArguments.length === 0) add(await runCTests())
  add(await runAva(avaArguments))
} catch (err) {
  console.error(err)
  add({ passed: 0, failed: 1 })
}
process.exitCode = totals.failed === 0 && totals.passed > 0 ? 0 : 1
console.log(`${totals.passed} passed, ${totals.failed} failed`)
