// Commands of plugins that come while the server runs, through the companion module, and what replaces it where it is
// not allowed.
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Redis } from 'ioredis'
import { formatRouteTable, parseRouteTable, type PluginRoutes } from '#lib/plugin/route-table.js'
import type { Directive } from '#lib/servers/server-process.js'
import { forEachServer, startServer, type StartServerOptions, type TestServer } from '../helpers/index.js'
import { assertLives, errorOf, ledger } from './faults.js'
import { RawPeer } from './raw-peer.js'

const external: Directive = ['ferrite.host-mode', 'external']

function startExternal(program: TestServer['program'], ...config: readonly Directive[]): Promise<TestServer> {
  return startServer({ server: program, plugins: [ledger], waitForPlugins: false, config: [external, ...config] })
}

const routesPath = (server: TestServer): string => join(server.stateDir, 'routes')

/** The commands of the plugin `ledger` under another name. */
async function copyOfLedger(server: TestServer, plugin: string, prefix: string): Promise<PluginRoutes> {
  const [routes] = parseRouteTable(await readFile(routesPath(server), 'utf8'))
  if (routes === undefined) throw new Error('the route table has no plugin')
  const commands = routes.commands.map((one) => ({ ...one, name: one.name.replace('LEDGER', prefix) }))
  return { ...routes, name: plugin, commands }
}

/** Writes a route table as the host does, and has it read. */
async function announce(server: TestServer, control: RawPeer, plugins: readonly PluginRoutes[]) {
  await writeFile(`${routesPath(server)}.new`, formatRouteTable(plugins))
  await rename(`${routesPath(server)}.new`, routesPath(server))
  const id = control.received.length + 100
  control.send({ type: 'ROUTES', id })
  return (await control.next('ROUTES_READ', (message) => message.id === id)).problems
}

async function exists(client: Redis, command: string): Promise<boolean> {
  const [info] = (await client.call('COMMAND', 'INFO', command)) as unknown[]
  return info !== null && (!Array.isArray(info) || info.length > 0)
}

/** A lane that serves commands of a plugin. */
async function serve(t: ExecutionContext, server: TestServer, plugin: string, ...commands: string[]): Promise<RawPeer> {
  const lane = await RawPeer.lane(server, 'plugins', plugin)
  lane.answerAll('+served\r\n')
  t.deepEqual(await lane.attach(plugin, ...commands), [])
  return lane
}

/** The words of a line of redis.conf. */
function words(line: string): Directive {
  const parts = line.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []
  return parts.map((part) => (part.startsWith('"') ? (JSON.parse(part) as string) : part)) as unknown as Directive
}

/** Starts a server like this one with the module lines of its redis.conf in another order, and its users. */
async function startAgain(
  server: TestServer,
  order: (lines: readonly string[]) => readonly string[],
  further: readonly Directive[] = [],
): Promise<TestServer> {
  const lines = (await readFile(join(server.folder, 'redis.conf'), 'utf8')).split('\n')
  const kept = lines.filter((line) => /^(ferrite\.|user bob )/.test(line))
  const directives = [...order(lines.filter((line) => line.startsWith('loadmodule '))), ...kept].map(words)
  const options: StartServerOptions = {
    server: server.program,
    module: false,
    waitForPlugins: false,
    config: [...directives, ...further],
  }
  return await startServer(options)
}

forEachServer(
  test,
  'faults: commands that come at run time are real ones, over CONFIG REWRITE in any order',
  async (t, program) => {
    await using server = await startExternal(program)
    const client = await server.client()
    const control = await RawPeer.lane(server, 'control')
    const [own] = parseRouteTable(await readFile(routesPath(server), 'utf8')) as [PluginRoutes]
    const extra = await copyOfLedger(server, 'extra', 'EXTRA')
    const some = { ...extra, commands: extra.commands.slice(0, 3) }
    t.false(await exists(client, 'EXTRA.COUNT'))
    t.deepEqual(await announce(server, control, [own, some]), [])
    t.true(await exists(client, 'EXTRA.COUNT'))
    t.deepEqual(await client.call('COMMAND', 'GETKEYS', 'EXTRA.COUNT', 'k'), ['k'])
    t.is(await client.call('ACL', 'SETUSER', 'bob', 'on', '>pw', '~*', '+extra.count', '+ledger.count'), 'OK')
    t.regex(await errorOf(client, 'EXTRA.COUNT', 'k'), /^UNAVAILABLE /)
    await serve(t, server, 'extra', 'EXTRA.LOG', 'LEDGER.LOG')
    t.is(await client.call('EXTRA.LOG', 'k', 'x'), 'served')

    // More commands of the same plugin: another companion.
    t.deepEqual(await announce(server, control, [own, extra]), [])
    t.true(await exists(client, 'EXTRA.ECHO'))
    t.is(await client.config('REWRITE'), 'OK')
    await server.stop()

    const orders: Readonly<Record<string, (lines: readonly string[]) => readonly string[]>> = {
      'as written': (lines) => lines,
      reversed: (lines) => [...lines].reverse(),
      'ferrite.so first': (lines) => [...lines].sort((a) => (a.includes('ferrite.so') ? -1 : 1)),
      'ferrite.so last': (lines) => [...lines].sort((a) => (a.includes('ferrite.so') ? 1 : -1)),
    }
    for (const [title, order] of Object.entries(orders)) {
      await using again = await startAgain(server, order)
      const bob = await again.client({ username: 'bob', password: 'pw', enableReadyCheck: false })
      t.regex(await errorOf(bob, 'EXTRA.COUNT', 'k'), /^UNAVAILABLE /, title)
      t.regex(await errorOf(bob, 'LEDGER.COUNT', 'k'), /^UNAVAILABLE /, title)
      await serve(t, again, 'extra', 'EXTRA.LOG', 'EXTRA.ECHO', 'LEDGER.LOG')
      const admin = await again.client()
      t.is(await admin.call('EXTRA.LOG', 'k', 'x'), 'served', title)
      t.is(await admin.call('EXTRA.ECHO', 'x'), 'served', title)
      t.is(await admin.call('LEDGER.LOG', 'k', 'x'), 'served', title)
      // And a third time: names of companions that were written to redis.conf are taken.
      const third = { ...extra, commands: extra.commands.map((one) => ({ ...one, name: `${one.name}2` })) }
      const lane = await RawPeer.lane(again, 'control')
      await writeFile(routesPath(server), formatRouteTable([own, extra]))
      const merged = { ...extra, commands: [...extra.commands, ...third.commands] }
      t.deepEqual(await announce(server, lane, [own, merged]), [], title)
      t.true(await exists(admin, 'EXTRA.ECHO2'), title)
      await writeFile(routesPath(server), formatRouteTable([own, extra]))
      assertLives(t, again)
    }
    // A companion whose ferrite.so is gone says so.
    await using alone = await startAgain(
      server,
      (lines) => lines.filter((line) => !line.includes('ferrite.so')),
      [],
    ).catch(async () => await startServer({ server: program, module: false }))
    const lone = await alone.client()
    if (await exists(lone, 'EXTRA.COUNT')) t.regex(await errorOf(lone, 'EXTRA.COUNT', 'k'), /ferrite\.so is not loaded/)
  },
)

forEachServer(test, 'faults: a removed command answers an error and may come back', async (t, program) => {
  await using server = await startExternal(program)
  const client = await server.client()
  const control = await RawPeer.lane(server, 'control')
  const [own] = parseRouteTable(await readFile(routesPath(server), 'utf8')) as [PluginRoutes]
  const extra = await copyOfLedger(server, 'extra', 'EXTRA')
  await announce(server, control, [own, extra])
  await serve(t, server, 'extra', 'EXTRA.LOG', 'LEDGER.LOG')
  t.deepEqual(await announce(server, control, [extra]), [])
  t.is(await errorOf(client, 'LEDGER.LOG', 'k', 'x'), "ERR this command's plugin is not installed any more")
  t.is(await client.call('EXTRA.LOG', 'k', 'x'), 'served')
  t.deepEqual(await announce(server, control, [own]), [])
  t.is(await errorOf(client, 'EXTRA.LOG', 'k', 'x'), "ERR this command's plugin is not installed any more")
  t.is(await client.call('LEDGER.LOG', 'k', 'x'), 'served')
  t.deepEqual(await announce(server, control, [own, extra]), [])
  t.is(await client.call('EXTRA.LOG', 'k', 'x'), 'served')
  // A table that cannot be read leaves the one in force.
  await writeFile(routesPath(server), 'nonsense')
  control.send({ type: 'ROUTES', id: 9 })
  const [problem] = (await control.next('ROUTES_READ', ({ id }) => id === 9)).problems
  t.regex(problem?.problem ?? '', /routes: /)
  t.is(await client.call('EXTRA.LOG', 'k', 'x'), 'served')
  assertLives(t, server)
})

forEachServer(test, 'faults: a route table with a pending request of a removed command', async (t, program) => {
  await using server = await startExternal(program)
  const control = await RawPeer.lane(server, 'control')
  const [own] = parseRouteTable(await readFile(routesPath(server), 'utf8')) as [PluginRoutes]
  const extra = await copyOfLedger(server, 'extra', 'EXTRA')
  await announce(server, control, [own, extra])
  const lane = await RawPeer.lane(server, 'plugins', 'extra')
  await lane.attach('extra', 'EXTRA.COUNT', 'EXTRA.LOG')
  // Guarded: one is asked, the others wait in its queue, with reads of a route that goes away.
  const clients = await Promise.all([1, 2, 3].map(() => server.client()))
  const replies = clients.map((client) => client.call('EXTRA.COUNT', 'k').catch((err: unknown) => String(err)))
  const plain = (await server.client()).call('EXTRA.LOG', 'l', 'x').catch((err: unknown) => String(err))
  const first = await lane.next('INVOKE', ({ code }) => code === 0)
  const log = await lane.next('INVOKE', ({ code }) => code === 1)
  t.deepEqual(await announce(server, control, [own]), [])
  const reply = Buffer.from(':1\r\n')
  lane.send({ type: 'RESULT', id: log.id, outcome: 0, reply, commit: [['RPUSH', 'l', 'x']] })
  lane.send({ type: 'RESULT', id: first.id, outcome: 0, reply, commit: [['SET', 'k', '1']] })
  t.regex(String(await plain), /^1$|UNAVAILABLE/)
  lane.answerAll(':2\r\n')
  lane.send({ type: 'PING', cookie: 1 })
  await lane.next('PONG')
  lane.end()
  for (const text of await Promise.all(replies)) t.regex(String(text), /^[12]$|UNAVAILABLE/)
  assertLives(t, server)
})

const withoutCompanion: Readonly<Record<string, Directive>> = {
  'ferrite.dynamic-commands no': ['ferrite.dynamic-commands', 'no'],
  'MODULE renamed away': ['rename-command', 'MODULE', ''],
}

for (const [title, directive] of Object.entries(withoutCompanion)) {
  forEachServer(test, `faults: with ${title}, later commands are there through FERRITE.CALL`, async (t, program) => {
    await using server = await startExternal(program, directive)
    const client = await server.client()
    const control = await RawPeer.lane(server, 'control')
    const [own] = parseRouteTable(await readFile(routesPath(server), 'utf8')) as [PluginRoutes]
    const extra = await copyOfLedger(server, 'extra', 'EXTRA')
    const problems = await announce(server, control, [own, extra])
    t.is(problems.length, extra.commands.length)
    await server.logged(/command EXTRA\.COUNT of plugin extra: .*(dynamic-commands is no|MODULE LOAD .* failed)/)
    t.false(await exists(client, 'EXTRA.COUNT'))
    await serve(t, server, 'extra', 'EXTRA.LOG', 'LEDGER.LOG')
    t.is(await client.call('FERRITE.CALL', 'EXTRA.LOG', 'k', 'x'), 'served')
    t.is(await client.call('LEDGER.LOG', 'k', 'x'), 'served')
    t.regex(await errorOf(client, 'FERRITE.CALL', 'NO.SUCH'), /^ERR /)
    // A user needs the right to the command itself, and to its keys.
    await client.call('ACL', 'SETUSER', 'bob', 'on', '>pw', '~bob:*', '+ferrite.call')
    const bob = await server.client({ username: 'bob', password: 'pw', enableReadyCheck: false })
    t.regex(await errorOf(bob, 'FERRITE.CALL', 'LEDGER.LOG', 'bob:1', 'x'), /^NOPERM /)
    t.regex(await errorOf(bob, 'FERRITE.CALL', 'EXTRA.LOG', 'alice:1', 'x'), /^NOPERM /)
    assertLives(t, server)
  })
}

forEachServer(test, 'faults: enable-module-command no does not keep later commands out', async (t, program) => {
  await using server = await startExternal(program, ['enable-module-command', 'no'])
  const control = await RawPeer.lane(server, 'control')
  const [own] = parseRouteTable(await readFile(routesPath(server), 'utf8')) as [PluginRoutes]
  t.deepEqual(await announce(server, control, [own, await copyOfLedger(server, 'extra', 'EXTRA')]), [])
  t.true(await exists(await server.client(), 'EXTRA.COUNT'))
})

forEachServer(test, 'faults: a later command of a name that is taken is a problem, not a fault', async (t, program) => {
  await using server = await startExternal(program)
  const control = await RawPeer.lane(server, 'control')
  const [own] = parseRouteTable(await readFile(routesPath(server), 'utf8')) as [PluginRoutes]
  const extra = await copyOfLedger(server, 'extra', 'EXTRA')
  const [first, ...rest] = extra.commands
  if (first === undefined) throw new Error('the plugin has no command')
  const taken = { ...extra, commands: [{ ...first, name: 'GET' }, ...rest] }
  const problems = await announce(server, control, [own, taken])
  t.deepEqual(
    problems.map(({ command }) => command),
    ['GET'],
  )
  const client = await server.client()
  await client.set('k', 'v')
  t.is(await client.get('k'), 'v')
  t.true(await exists(client, 'EXTRA.LOG'))
  // Asked again and again, it does not load one companion after the other.
  for (let i = 0; i < 3; i++) await announce(server, control, [own, taken])
  const list = (await client.call('MODULE', 'LIST')) as unknown[]
  t.true(list.length <= 6, `${list.length} modules`)
})
