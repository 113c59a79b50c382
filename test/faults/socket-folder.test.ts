// The private folder with the bridge's socket, in a place that several servers share.
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { run } from '#lib/setup/programs.js'
import { forEachServer, startServer, until } from '../helpers/index.js'
import {
  childrenOf,
  errorOf,
  figure,
  havoc,
  hostPid,
  isRunning,
  ledger,
  served,
  socketFolders,
  wrapped,
} from './faults.js'

const canUnshare = (await run('unshare', ['--pid', '--fork', 'true'])).code === 0

async function sharedPlace(t: ExecutionContext): Promise<string> {
  const place = await mkdtemp(join(tmpdir(), 'ferrite-test-'))
  t.teardown(() => rm(place, { recursive: true, force: true }))
  return place
}

/** Whether the lock of a folder can be had. */
async function isFree(path: string): Promise<boolean> {
  return (await run('flock', ['--nonblock', path, 'true'])).code === 0
}

forEachServer(
  test,
  'faults: a server holds the lock of its folder, and what it left is removed',
  async (t, program) => {
    const place = await sharedPlace(t)
    await mkdir(join(place, 'ferrite-4194305-0123abcd')) // of an older build; no pid is that high
    await mkdir(join(place, 'ferrite-somebody'))
    const config = { 'ferrite.socket-dir': place }
    await using server = await startServer({ server: program, plugins: [ledger], config })
    const [own] = await socketFolders(place, server.pid)
    t.deepEqual((await readdir(place)).sort(), [own, 'ferrite-somebody'])
    t.false(await isFree(join(place, own ?? '')))
    await server.restart('SIGKILL')
    const [next] = await socketFolders(place, server.pid)
    t.not(next, own)
    t.deepEqual((await readdir(place)).sort(), [next, 'ferrite-somebody'])
    await server.pluginsActive()
    await server.stop()
    t.deepEqual((await readdir(place)).sort(), ['ferrite-somebody'])
  },
)

forEachServer(test, 'faults: a child of a killed server does not hold the lock of its folder', async (t, program) => {
  const place = await sharedPlace(t)
  // A child that saves for as long as the test needs.
  await using server = await startServer({
    server: program,
    config: { 'ferrite.socket-dir': place, 'rdb-key-save-delay': '1000000' },
  })
  const client = await server.client()
  await client.call('DEBUG', 'POPULATE', '1000')
  await client.bgsave()
  const host = await hostPid(client)
  const saver = await until(() => childrenOf(server.pid).find((pid) => pid !== host), { what: 'a child that saves' })
  t.teardown(() => process.kill(saver, 'SIGKILL'))
  const [own] = await socketFolders(place)
  server.kill()
  await server.exited
  t.true(isRunning(saver))
  t.true(await isFree(join(place, own ?? '')))
})

forEachServer(test, 'faults: servers with one pid, in two containers that share /tmp', async (t, program) => {
  if (!canUnshare) {
    t.log('not checked: unshare --pid needs rights that are not there')
    t.pass()
    return
  }
  const place = await sharedPlace(t)
  // A namespace of its own each: both are process 1, and the wrapper's end is theirs.
  const lines = `[ "$FERRITE_APART" = 1 ] || FERRITE_APART=1 exec unshare --pid --fork --kill-child "$0" "$@"`
  const server = await wrapped(place, program, lines)
  const config = { 'ferrite.socket-dir': place }
  await using first = await startServer({ server, plugins: [havoc], config })
  await using second = await startServer({ server, plugins: [havoc], config })
  const folders = await socketFolders(place)
  t.is(folders.length, 2)
  t.true(
    folders.every((name) => name.startsWith('ferrite-1.')),
    folders.join(' '),
  )
  // A host that starts again finds the socket and the token where they were.
  for (const one of [first, second]) {
    const client = await one.client()
    t.regex(await errorOf(client, 'HAVOC.KILL', 'SIGKILL'), /^UNAVAILABLE/)
    t.is(await served(client, 'HAVOC.PING'), 'pong')
    t.is(await figure(client, 'host_restarts'), 1)
  }
})
