// Commands that come after the server's start: through the companion, which CONFIG REWRITE lists as a module of its own.
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'ava'
import type { Directive } from '#lib/servers/server-process.js'
import { ensureModule } from '#lib/setup/module-build.js'
import { RawPeer } from '../faults/raw-peer.js'
import { fixturePlugin, forEachServer, messageOf, patience, startServer, type TestServer } from '../helpers/index.js'

async function builtModules(): Promise<{ readonly ferrite: string; readonly companion: string }> {
  const ferrite = process.env['FERRITE_MODULE'] ?? (await ensureModule(() => undefined)).path
  return { ferrite, companion: join(dirname(ferrite), 'ferrite-command.so') }
}

/** A server whose modules are loaded in the order given, with a companion of plugin `counters` that was there before. */
async function start(
  program: TestServer['program'],
  order: 'companion first' | 'companion last' | 'no companion',
  more: readonly Directive[] = [],
): Promise<TestServer> {
  const { ferrite, companion } = await builtModules()
  const ours: readonly Directive[] = [
    ['loadmodule', ferrite],
    ['ferrite.plugins-dir', 'ferrite/plugins'],
    ['ferrite.state-dir', 'ferrite/state'],
    ['ferrite.host-mode', 'external'],
    ...patience,
    ...more,
  ]
  const its: readonly Directive[] = [['loadmodule', companion, 'counters', 'ferrite/state', '1']]
  const config = order === 'companion first' ? [...its, ...ours] : order === 'companion last' ? [...ours, ...its] : ours
  return await startServer({
    server: program,
    plugins: [fixturePlugin('counters')],
    waitForPlugins: false,
    module: false,
    config,
  })
}

const peerOf = async (server: TestServer): Promise<RawPeer> => {
  const peer = await RawPeer.lane(server, 'plugins')
  peer.answerAll('+served\r\n')
  return peer
}

/** Adds a command to the route table on disk and has the module read it; gives the problems that it tells. */
async function addCommand(server: TestServer, control: RawPeer, name: string): Promise<readonly string[]> {
  const path = join(server.stateDir, 'routes')
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n').slice(0, -1)
  lines.push(
    `command name=${name} arity=-2 flags=readonly categories=read`,
    'key flags=RO,access begin=index:1 find=range:0:1:0',
    'key flags=RO,access,incomplete begin=keyword:AND:2 find=range:0:1:0',
    'arg name=key type=key key=0',
    'arg name=note type=string token=NOTE flags=optional',
    'arg name=and type=key token=AND flags=optional key=1',
  )
  await writeFile(path, [...lines, `end ${String(lines.length)}`, ''].join('\n'))
  const id = lines.length
  control.send({ type: 'ROUTES', id })
  const { problems } = await control.next('ROUTES_READ', (message) => Number(message.id) === id)
  return problems.map(({ command, problem }) => `${command}: ${problem}`)
}

forEachServer(test, 'companion: a command that comes later is a real one', async (t, program) => {
  await using server = await start(program, 'no companion')
  const control = await RawPeer.lane(server, 'control')
  const peer = await peerOf(server)
  t.deepEqual(await addCommand(server, control, 'COUNTER.LATER'), [])
  t.deepEqual(await addCommand(server, control, 'COUNTER.LAST'), [])
  t.deepEqual(await peer.attach('counters', 'COUNTER.LATER', 'COUNTER.LAST'), [])
  const client = await server.client()
  t.is(await client.call('COUNTER.LATER', 'k'), 'served')
  t.is(await client.call('COUNTER.LAST', 'k'), 'served')
  t.deepEqual(await client.call('COMMAND', 'GETKEYS', 'COUNTER.LATER', 'k'), ['k'])
  t.deepEqual(await client.call('COMMAND', 'GETKEYS', 'COUNTER.LATER', 'k', 'NOTE', 'AND', 'AND', 'l'), ['k', 'l'])
  t.regex(await messageOf(client.call('COUNTER.LATER')), /^ERR wrong number of arguments/)
  t.deepEqual(await client.multi().call('COUNTER.LATER', 'k').exec(), [[null, 'served']])
})

for (const order of ['companion first', 'companion last'] as const) {
  forEachServer(test, `companion: found again after a restart, ${order}, and others can follow`, async (t, program) => {
    await using server = await start(program, order)
    const control = await RawPeer.lane(server, 'control')
    const peer = await peerOf(server)
    t.deepEqual(await peer.attach('counters', 'COUNTER.PEEK'), [])
    const client = await server.client()
    t.is(await client.call('COUNTER.PEEK', 'k'), 'served')
    t.deepEqual(await addCommand(server, control, 'COUNTER.LATER'), [])
    t.deepEqual(await peer.attach('counters', 'COUNTER.PEEK', 'COUNTER.LATER'), [])
    t.is(await client.call('COUNTER.LATER', 'k'), 'served')
  })
}

forEachServer(test, 'companion: a subcommand that comes after others of its container', async (t, program) => {
  await using server = await start(program, 'no companion')
  const control = await RawPeer.lane(server, 'control')
  const peer = await peerOf(server)
  t.deepEqual(await addCommand(server, control, 'COUNTER.BOX|ONE'), [])
  const modules = (await server.cli('module', 'list')).split('\n').length
  t.deepEqual(await addCommand(server, control, 'COUNTER.BOX|TWO'), [
    'COUNTER.BOX|TWO: a running server takes no further subcommands for a command that is there: restart the server; ' +
      'until then it can be run through FERRITE.CALL',
  ])
  t.is((await server.cli('module', 'list')).split('\n').length, modules, 'no companion is loaded in vain')
  await peer.attach('counters', 'COUNTER.BOX|ONE', 'COUNTER.BOX|TWO')
  const client = await server.client()
  t.is(await client.call('COUNTER.BOX', 'ONE', 'k'), 'served')
  t.regex(await messageOf(client.call('COUNTER.BOX', 'TWO', 'k')), /^ERR unknown subcommand/i)
  t.is(await client.call('FERRITE.CALL', 'COUNTER.BOX', 'TWO', 'k'), 'served')
})

forEachServer(test, 'companion: dynamic-commands no leaves FERRITE.CALL', async (t, program) => {
  await using server = await start(program, 'no companion', [['ferrite.dynamic-commands', 'no']])
  const control = await RawPeer.lane(server, 'control')
  const peer = await peerOf(server)
  t.regex(
    (await addCommand(server, control, 'COUNTER.LATER'))[0] ?? '',
    /^COUNTER\.LATER: ferrite\.dynamic-commands is no/,
  )
  await peer.attach('counters', 'COUNTER.LATER')
  const client = await server.client()
  t.regex(await messageOf(client.call('COUNTER.LATER', 'k')), /^ERR unknown command/)
  t.is(await client.call('FERRITE.CALL', 'COUNTER.LATER', 'k'), 'served')
})

forEachServer(test, 'companion: without ferrite.so its commands say so, and tell no keys', async (t, program) => {
  const { companion } = await builtModules()
  await using server = await startServer({
    server: program,
    plugins: [fixturePlugin('counters')],
    waitForPlugins: false,
    module: false,
    config: [['loadmodule', companion, 'counters', 'ferrite/state', '1']],
  })
  const client = await server.client()
  t.regex(await messageOf(client.call('COUNTER.BOTH', 'a', 'b')), /^UNAVAILABLE ferrite\.so is not loaded/)
  t.true(JSON.stringify(await client.call('COMMAND', 'INFO', 'COUNTER.BOTH')).includes('movablekeys'))
  await client.call('CLIENT', 'TRACKING', 'ON')
  t.regex(await messageOf(client.call('COUNTER.BOTH', 'a', 'b')), /^UNAVAILABLE/)
})
