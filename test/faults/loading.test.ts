// The module is loaded wrongly, or into a place where it cannot work.
import { chmod, copyFile, mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'ava'
import type { Redis } from 'ioredis'
import { ensureModule } from '#lib/setup/module-build.js'
import { forEachServer, startServer, until, type TestServer } from '../helpers/index.js'
import { assertLives, childrenOf, descriptors, errorOf, hostPid, ledger, served, socketFolders } from './faults.js'

const modulePath = (await ensureModule(() => undefined)).path
const mayLoad = { 'enable-module-command': 'yes' }

/** The settings that a server of these tests would have had in its configuration. */
function settings(server: TestServer): readonly string[] {
  return [
    ...['CONFIG', 'ferrite.plugins-dir', server.pluginsDir],
    ...['CONFIG', 'ferrite.state-dir', server.stateDir],
    ...['CONFIG', 'ferrite.socket-dir', server.folder],
  ]
}

const wrongLoads: Readonly<Record<string, readonly string[]>> = {
  'an unknown name': ['CONFIG', 'ferrite.no-such', '1'],
  'a value out of range': ['CONFIG', 'ferrite.batch', '0'],
  'a value that is no number': ['CONFIG', 'ferrite.request-timeout', 'soon'],
  'an unknown word': ['CONFIG', 'ferrite.host-mode', 'sometimes'],
  'a folder that is too long': ['CONFIG', 'ferrite.socket-dir', `/${'x'.repeat(100)}`],
  'a line break in a path': ['CONFIG', 'ferrite.node-path', '/a\n/b'],
  'a folder that is not there': ['CONFIG', 'ferrite.socket-dir', '/nonexistent/folder'],
  arguments: ['ARGS', 'something'],
}

forEachServer(
  test,
  'faults: a wrong MODULE LOADEX leaves nothing behind, a right one works after it',
  async (t, program) => {
    // Started with its plugins, then once more without the module.
    await using server = await startServer({
      server: program,
      plugins: [ledger],
      module: false,
      waitForPlugins: false,
      config: mayLoad,
    })
    const client = await server.client()
    const before = (await descriptors(server.pid)).length
    for (const [title, wrong] of Object.entries(wrongLoads)) {
      const error = await errorOf(client, 'MODULE', 'LOADEX', modulePath, ...settings(server), ...wrong)
      t.regex(error, /^ERR Error loading the extension/, title)
      assertLives(t, server)
      t.deepEqual(childrenOf(server.pid), [], title)
      t.deepEqual(await socketFolders(server.folder), [], title)
      t.is((await descriptors(server.pid)).length, before, title)
      t.deepEqual(await client.call('COMMAND', 'INFO', 'LEDGER.COUNT'), [null], title)
      t.deepEqual(await client.call('CONFIG', 'GET', 'ferrite.*'), [], title)
    }
    t.is(await client.call('MODULE', 'LOADEX', modulePath, ...settings(server)), 'OK')
    t.is(await served(client, 'LEDGER.COUNT', 'k'), 1)
    t.regex(await errorOf(client, 'MODULE', 'LOADEX', modulePath, ...settings(server)), /^ERR Error loading/)
    t.is(await served(client, 'LEDGER.COUNT', 'k'), 2)
    // The server checks its ACL rules against commands that would be gone.
    const host = await hostPid(client)
    t.regex(await errorOf(client, 'MODULE', 'UNLOAD', 'ferrite'), /^ERR Error unloading module/)
    t.is(await served(client, 'LEDGER.COUNT', 'k'), 3)
    t.is(await hostPid(client), host)
    t.is((await socketFolders(server.folder)).length, 1)
  },
)

forEachServer(
  test,
  'faults: a tick of the server right after MODULE LOADEX starts no second host',
  async (t, program) => {
    await using server = await startServer({
      server: program,
      plugins: [ledger],
      module: false,
      waitForPlugins: false,
      config: mayLoad,
    })
    const client = await server.client()
    // In one turn of the server's loop: when the module has been loaded, the tick is late and comes at once.
    const load = ['LOADEX', modulePath, ...settings(server)]
    const [, loaded] =
      (await client
        .pipeline()
        .call('DEBUG', 'SLEEP', '0.3')
        .call('MODULE', ...load)
        .exec()) ?? []
    t.deepEqual(loaded, [null, 'OK'])
    t.is(await served(client, 'LEDGER.COUNT', 'k'), 1)
    t.is(childrenOf(server.pid).length, 1)
    t.is((await server.log()).match(/plugin host started/g)?.length, 1)
  },
)

forEachServer(
  test,
  'faults: arguments and wrong values in redis.conf are refused with the reason',
  async (t, program) => {
    const start = (...directives: (readonly [string, ...string[]])[]): Promise<string> =>
      startServer({ server: program, module: false, config: directives }).then(
        () => 'it started',
        (err: unknown) => String(err),
      )
    t.regex(await start(['loadmodule', modulePath, 'argument']), /ferrite\.so takes no arguments: write lines/)
    const wrong = await start(['loadmodule', modulePath], ['ferrite.batch', '0'])
    t.regex(wrong, /ferrite\.batch|argument must be between 1 and 1024/)
    const path = `/${'x'.repeat(100)}`
    t.regex(await start(['loadmodule', modulePath], ['ferrite.socket-dir', path]), /is 101 bytes long, at most 80 are/)
    t.regex(
      await start(['loadmodule', modulePath], ['ferrite.socket-dir', '/nonexistent']),
      /cannot create a folder in \/nonexistent: No such file or directory \(set ferrite\.socket-dir to a writable folder\)/,
    )
  },
)

/** An ACL file and a line of redis.conf that name plugin commands: the server ends at once when one is missing. */
async function namesCommands(server: TestServer): Promise<readonly (readonly [string, ...string[]])[]> {
  const file = join(server.folder, 'users.acl')
  await writeFile(
    file,
    'user default on nopass ~* &* +@all\nuser bob on nopass ~* -@all +ledger.count +get +set +ping +info\n',
  )
  return [['aclfile', file]]
}

async function isDown(
  t: { regex: (text: string, pattern: RegExp) => unknown },
  client: Redis,
  why: RegExp,
): Promise<void> {
  const error = async (): Promise<boolean> => why.test(await errorOf(client, 'LEDGER.COUNT', 'k'))
  await until(error, { what: `an error with ${String(why)}` })
  t.regex(await errorOf(client, 'LEDGER.COUNT', 'k'), /^UNAVAILABLE /)
}

const nodeMissing: Readonly<Record<string, readonly [Readonly<Record<string, string>>, NodeJS.ProcessEnv, RegExp]>> = {
  'ferrite.node-path wrong': [
    { 'ferrite.node-path': '/nonexistent/node' },
    process.env,
    /ferrite\.node-path \/nonexistent\/node: No such file or directory/,
  ],
  'ferrite.node-path not a program': [{ 'ferrite.node-path': '/etc/passwd' }, process.env, /\/etc\/passwd/],
  'ferrite.node-path a program that ends': [
    { 'ferrite.node-path': '/bin/false' },
    process.env,
    /plugin host ended with status 1, it is started again/,
  ],
  'ferrite.host-path wrong': [
    { 'ferrite.host-path': '/nonexistent/main.js' },
    process.env,
    /the host's program \/nonexistent\/main\.js: No such file or directory/,
  ],
}

forEachServer(test, 'faults: without Node a server starts whose users may run plugin commands', async (t, program) => {
  for (const [title, [config, env, why]] of Object.entries(nodeMissing)) {
    await using server = await startServer({
      server: program,
      plugins: [ledger],
      waitForPlugins: false,
      config: [
        ...Object.entries(config),
        ['user', 'bob', 'on', '>pw', '~*', '-@all', '+ledger.count', '+ping', '+info'],
      ],
      env,
    })
    const bob = await server.client({ username: 'bob', password: 'pw' })
    await isDown(t, bob, why)
    t.is(await bob.ping(), 'PONG', title)
    const admin = await server.client()
    t.is((await admin.call('COMMAND', 'GETKEYS', 'LEDGER.COUNT', 'k'))?.toString(), 'k')
    assertLives(t, server)
  }
})

forEachServer(test, 'faults: an empty PATH, and an ACL file that names plugin commands', async (t, program) => {
  // A copy of the module, without the file beside it that says where Node and the host are.
  await using first = await startServer({ server: program, plugins: [ledger], waitForPlugins: false })
  const folder = join(first.folder, 'copy')
  await mkdir(folder)
  await copyFile(modulePath, join(folder, 'ferrite.so'))
  const empty = join(first.folder, 'empty')
  await mkdir(empty)
  await using server = await startServer({
    server: program,
    module: join(folder, 'ferrite.so'),
    config: [
      ['ferrite.host-path', join(dirname(modulePath), '..', 'lib', 'host', 'main.js')],
      ['ferrite.plugins-dir', first.pluginsDir],
      ['ferrite.state-dir', first.stateDir],
      ...(await namesCommands(first)),
    ].filter(([name], i, all) => all.findIndex(([one]) => one === name) === i) as [string, string][],
    env: { PATH: empty },
  })
  const bob = await server.client({ username: 'bob', password: '' })
  await isDown(t, bob, /no node found on PATH: install Node\.js 20\.17 or newer, or set ferrite\.node-path/)
  // It comes by itself once there is one.
  await symlink(process.execPath, join(empty, 'node'))
  t.is(await served(bob, 'LEDGER.COUNT', 'k'), 1)
})

forEachServer(
  test,
  'faults: a state folder that cannot be written, and folders that are not there',
  async (t, program) => {
    await using server = await startServer({
      server: program,
      config: { 'ferrite.plugins-dir': '/nonexistent/plugins', 'ferrite.state-dir': '/nonexistent/state' },
    })
    const client = await server.client()
    await served(client, 'FERRITE.PLUGIN', 'LIST')
    assertLives(t, server)
    if (process.getuid?.() === 0) t.log('not checked: permissions do not bind root')
    else {
      await chmod(server.stateDir, 0o500)
      await server.restart()
      await served(await server.client(), 'FERRITE.PLUGIN', 'LIST')
    }
  },
)
