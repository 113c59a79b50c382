// The route table on disk is damaged, gone, or something else stands in its place, when the server starts.
import { mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { buildGeneration } from '#lib/plugin/store.js'
import type { ServerProgram } from '#lib/servers/server-version.js'
import { fixturePlugin, forEachServer, startServer, until, type TestServer } from '../helpers/index.js'
import { run } from '#lib/setup/programs.js'
import { assertLives, errorOf, ledger, served } from './faults.js'

/** Damages of the text; each is told in the log of the next start. */
const damages: Readonly<Record<string, (text: string) => string>> = {
  'cut short': (text) => text.slice(0, text.length / 2),
  empty: () => '',
  'without its last line': (text) => text.replace(/end .*\n$/, ''),
  'of another version': (text) => text.replace('ferrite-routes 1', 'ferrite-routes 9'),
  'of random bytes': () => '\0\xff\x80 %%% = = =\n'.repeat(50),
  'of zeros': (text) => '\0'.repeat(text.length),
  'with an unknown line': (text) => text.replace('\ndoc ', '\ndocs '),
  // Of those two a table without a checksum would tell nothing.
  'with a flipped bit in a name': (text) => text.replace('LEDGER.COUNT', 'LEDGER.COUNU'),
  'with a flipped bit in a number': (text) => text.replace('begin=index:1', 'begin=index:3'),
}

/** What stands where the file was. */
const intruders: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  nothing: () => Promise.resolve(),
  'a folder': (path) => mkdir(path),
  'a pipe': (path) => run('mkfifo', [path]),
  'a link to itself': (path) => symlink(path, path),
  'a link to a device that never ends': (path) => symlink('/dev/zero', path),
  'a file that is too large': async (path) => {
    await writeFile(path, '')
    await truncate(path, 1 << 30)
  },
}

/** A server whose ACL file names plugin commands: it does not start without them. */
async function startWithAcl(t: ExecutionContext, program: ServerProgram): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'ferrite-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'users.acl')
  await writeFile(
    file,
    'user default on nopass ~* &* +@all\nuser bob on nopass ~* -@all +ledger.count +get +set +ping +info\n',
  )
  return await startServer({ server: program, plugins: [ledger], config: { aclfile: file } })
}

interface Tables {
  readonly routes: string
  readonly backup: string
  readonly text: string
}

/** The route table and its backup, when the host has made both. */
async function tablesOf(server: TestServer): Promise<Tables> {
  const [routes, backup] = [join(server.stateDir, 'routes'), join(server.stateDir, 'routes.backup')]
  const text = await readFile(routes, 'latin1')
  await until(async () => (await readFile(backup, 'latin1')) === text, { what: 'the backup of the route table' })
  return { routes, backup, text }
}

/** The commands are there from the start, and served when the host is there. */
async function worksForBob(t: ExecutionContext, server: TestServer, title: string): Promise<void> {
  const admin = await server.client()
  const [info] = (await admin.call('COMMAND', 'INFO', 'LEDGER.COUNT')) as [unknown[] | null]
  t.is(info?.[3], 1, `${title}: the first key`)
  const bob = await server.client({ username: 'bob', password: '' })
  t.is(typeof (await served(bob, 'LEDGER.COUNT', 'k')), 'number', title)
  t.regex(await errorOf(bob, 'LEDGER.LOG', 'k', 'x'), /^NOPERM/, title)
}

forEachServer(
  test,
  'faults: for a route table that cannot be used stands its backup, also for an ACL file; the host writes it anew',
  async (t, program) => {
    t.timeout(180_000)
    await using server = await startWithAcl(t, program)
    const { routes, backup, text } = await tablesOf(server)
    for (const [title, damage] of Object.entries(damages)) {
      await writeFile(routes, damage(text), 'latin1')
      await server.restart('SIGKILL')
      await server.logged(/route table not read, its backup is used until the host writes it anew: .*routes: line \d/)
      await worksForBob(t, server, title)
      t.is(await readFile(routes, 'latin1'), text, title)
      t.is(await readFile(backup, 'latin1'), text, title)
    }
    assertLives(t, server)
  },
)

forEachServer(
  test,
  'faults: for what is no route table at all stands the backup, and nothing waits for a pipe',
  async (t, program) => {
    t.timeout(180_000)
    await using server = await startWithAcl(t, program)
    const { routes, text } = await tablesOf(server)
    for (const [title, putThere] of Object.entries(intruders)) {
      await server.stop()
      await rm(routes, { recursive: true })
      await putThere(routes)
      await server.restart()
      await server.logged(/route table not read, its backup is used until the host writes it anew: .*routes: [A-Z]/)
      await worksForBob(t, server, title)
      if (title === 'a folder') {
        await server.logged(/the route table in .* is out of date and cannot be written \(.*EISDIR/)
        await rm(routes, { recursive: true })
        await writeFile(routes, text)
      }
      t.is(await readFile(routes, 'latin1'), text, title)
    }
  },
)

forEachServer(
  test,
  'faults: with neither route table nor backup the server starts, and the host brings the commands back',
  async (t, program) => {
    await using server = await startServer({ server: program, plugins: [ledger] })
    const { routes, backup, text } = await tablesOf(server)
    for (const title of ['empty', 'cut short', 'with a flipped bit in a name']) {
      const damaged = damages[title]?.(text) ?? ''
      await writeFile(routes, damaged, 'latin1')
      await writeFile(backup, damaged, 'latin1')
      await server.restart('SIGKILL')
      await server.logged(/route table not read, no plugin command is there until .*routes: .*; its backup .*line \d/)
      const client = await server.client()
      t.is(await client.ping(), 'PONG')
      await served(client, 'LEDGER.ECHO', 'x') // through the companion
      t.deepEqual(await tablesOf(server), { routes, backup, text }, title)
    }
    await rm(backup)
    await writeFile(routes, '')
    await server.restart('SIGKILL')
    const line = await server.logged(/route table not read, no plugin command is there until .*routes: line 1/)
    t.false(line.includes('backup'))
    await served(await server.client(), 'LEDGER.ECHO', 'x')
  },
)

forEachServer(
  test,
  'faults: an ACL file and neither route table nor backup: the log tells both, a build mends it',
  async (t, program) => {
    await using server = await startWithAcl(t, program)
    const { routes, backup } = await tablesOf(server)
    await server.stop()
    await writeFile(routes, '')
    await writeFile(backup, '')
    const refused = await server.restart().then(
      () => 'it started',
      (err: unknown) => String(err),
    )
    t.regex(
      refused,
      /route table not read, no plugin command is there until the host or `ferrite build` writes it anew/,
    )
    t.regex(refused, /ACL/)
    await buildGeneration(server.pluginsDir, server.stateDir)
    await server.restart()
    await worksForBob(t, server, 'after the build')
  },
)

forEachServer(
  test,
  'faults: the backup is the last table that the module has read, not one that was only written',
  async (t, program) => {
    await using server = await startWithAcl(t, program)
    const { routes, backup, text } = await tablesOf(server)
    await server.stop()
    await symlink(fixturePlugin('counters'), join(server.pluginsDir, 'local', 'counters.ts'))
    await buildGeneration(server.pluginsDir, server.stateDir)
    const larger = await readFile(routes, 'latin1')
    t.true(larger.includes('COUNTER.PEEK'))
    t.is(await readFile(backup, 'latin1'), text)
    // So it has no new command, and these come when the host has written the table.
    await writeFile(routes, larger.slice(0, -1), 'latin1')
    await server.restart()
    await server.logged('its backup is used')
    await worksForBob(t, server, 'with the old backup')
    t.is(await served(await server.client(), 'COUNTER.PEEK', 'n'), 0)
    t.is((await tablesOf(server)).text, larger)
  },
)
