// Machines that forbid something: folders from which nothing may be executed or into which nothing may be written, memory
// that may not be both written and executed, a limit of memory. Needs root for most; what could not be tried says so.
import { spawnSync } from 'node:child_process'
import { copyFile, mkdir, readFile, rmdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ensureModule } from '#lib/setup/module-build.js'
import { forEachServer, startServer, until } from '../helpers/index.js'
import { assertLives, errorOf, havoc, hostPid, isRunning, ledger, served, wrapped } from './faults.js'

const modulePath = (await ensureModule(() => undefined)).path

function works(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0
}

const canMount = works('unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /mnt')
const protectMemory = 'import ctypes, os, sys; sys.exit(ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) and 1)'
const canProtectMemory = works('python3', '-c', protectMemory)

function notChecked(t: ExecutionContext, why: string): void {
  t.log(`not checked: ${why}`)
  t.pass()
}

/** Shell lines that mount a folder over itself with options, for this process and its children alone. */
const bind = (folder: string, options: string): string =>
  `mount --bind '${folder}' '${folder}' && mount -o remount,bind,${options} '${folder}'`

/** Lines that begin a mount namespace and run the rest of the script in it. */
const ownMounts = `[ "$FERRITE_UNSHARED" = 1 ] || FERRITE_UNSHARED=1 exec unshare -m --propagation private "$0" "$@"`

forEachServer(test, 'faults: a module or Node in a folder from which nothing may be executed', async (t, program) => {
  if (!canMount) {
    notChecked(t, 'mounting needs root')
    return
  }
  await using home = await startServer({ server: program, module: false })
  const folder = join(home.folder, 'noexec')
  await mkdir(folder)
  await copyFile(modulePath, join(folder, 'ferrite.so'))
  await copyFile('/bin/true', join(folder, 'node'))
  const server = await wrapped(home.folder, program, `${ownMounts}\n${bind(folder, 'noexec')}`)
  await using second = await startServer({
    server,
    plugins: [ledger],
    waitForPlugins: false,
    config: { 'enable-module-command': 'yes', 'ferrite.node-path': join(folder, 'node') },
  })
  const client = await second.client()
  const isTold = async (): Promise<boolean> => (await errorOf(client, 'LEDGER.SEEN')).includes('Permission denied')
  await until(isTold, { what: 'the reason' })
  await using third = await startServer({ server, module: false, config: { 'enable-module-command': 'yes' } })
  t.regex(
    await errorOf(await third.client(), 'MODULE', 'LOAD', join(folder, 'ferrite.so')),
    /Error loading the extension/,
  )
  t.regex(await third.log(), /failed to map segment/)
  assertLives(t, third)
})

forEachServer(test, 'faults: folders that are read-only', async (t, program) => {
  if (!canMount) {
    notChecked(t, 'mounting needs root')
    return
  }
  // Its host has written the route table by then, and does not write it again.
  await using home = await startServer({ server: program, plugins: [ledger] })
  const readOnly = `${ownMounts}\n${bind(home.stateDir, 'ro')}\n${bind(home.pluginsDir, 'ro')}`
  const server = await wrapped(home.folder, program, readOnly)
  const config = { 'ferrite.plugins-dir': home.pluginsDir, 'ferrite.state-dir': home.stateDir }
  const directives = [['loadmodule', modulePath] as const, ...Object.entries(config)]
  {
    await using second = await startServer({ server, module: false, config: directives })
    t.is(await served(await second.client(), 'LEDGER.COUNT', 'k'), 1)
  }
  // With a route table that is out of date and cannot be written.
  const routes = join(home.stateDir, 'routes')
  const lines = (await readFile(routes, 'utf8')).split('\n').filter((line) => line !== '')
  const seen = lines.findIndex((line) => line.includes('name=LEDGER.SEEN'))
  const fewer = lines.slice(0, seen)
  await writeFile(routes, `${[...fewer, `end ${fewer.length}`].join('\n')}\n`)
  await using third = await startServer({ server, module: false, config: directives })
  const client = await third.client()
  t.is(await served(client, 'LEDGER.COUNT', 'k'), 1)
  await third.logged(/the route table in .* is out of date and cannot be written .*make the folder writable/)
  t.regex(await errorOf(client, 'LEDGER.SEEN'), /^ERR unknown command/)
  // The place for the socket.
  const path = await third.logged('plugin host started').then(() => home.stateDir)
  const refused = await startServer({
    server,
    module: false,
    config: [...directives, ['ferrite.socket-dir', path]],
  }).then(String, String)
  t.regex(refused, /Read-only file system \(set ferrite\.socket-dir to a writable folder\)/)
})

forEachServer(
  test,
  'faults: memory that may not be written and executed kills Node, not the server',
  async (t, program) => {
    if (!canProtectMemory) {
      notChecked(t, 'PR_SET_MDWE needs Linux 6.3 and python3')
      return
    }
    await using home = await startServer({ server: program, module: false })
    const server = await wrapped(
      home.folder,
      program,
      `[ "$FERRITE_PROTECTED" = 1 ] || FERRITE_PROTECTED=1 exec python3 -c \\
      'import ctypes, os, sys; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])' "$0" "$@"`,
    )
    await using second = await startServer({ server, plugins: [ledger], waitForPlugins: false })
    const client = await second.client()
    const why = async (): Promise<string> => {
      const error = await errorOf(client, 'LEDGER.COUNT', 'k')
      return /plugin host (was killed by signal|ended)/.test(error) ? error : ''
    }
    t.log(await until(why, { what: 'the reason' }))
    await second.logged(/plugin host \(pid \d+\) (was killed by signal|ended).*next start in/)
    t.is(await client.set('k', 'v'), 'OK')
    assertLives(t, second)
  },
)

const groups = '/sys/fs/cgroup'

/** A control group with a limit of memory, or undefined where none can be made. */
async function memoryGroup(bytes: number): Promise<{ path: string } | undefined> {
  for (const [folder, limit] of [
    [join(groups, 'memory'), 'memory.limit_in_bytes'],
    [groups, 'memory.max'],
  ] as const) {
    const path = join(folder, `ferrite-test-${process.pid}-${Date.now()}`)
    try {
      await mkdir(path)
    } catch {
      continue // no such hierarchy, or no right to it
    }
    try {
      await writeFile(join(path, limit), String(bytes), { flag: 'r+' })
      return { path }
    } catch {
      await rmdir(path)
    }
  }
  return undefined
}

async function oomScore(pid: number): Promise<number> {
  return Number(await readFile(`/proc/${pid}/oom_score_adj`, 'utf8'))
}

/** The scheduling policy of a process, from its stat line, as in sched(7). */
async function schedulingPolicy(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // Counted from behind the name, which may hold blanks: field 3 is the first, the policy is field 41.
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38])
}

forEachServer(test, 'faults: the host never takes the processor from the server', async (t, program) => {
  const other = 0
  const batch = 3
  await using server = await startServer({ server: program, plugins: [ledger] })
  t.is(await schedulingPolicy(await hostPid(await server.client())), batch)
  t.is(await schedulingPolicy(server.pid), other)
})

forEachServer(test, 'faults: out of memory in a container, the host dies and never the server', async (t, program) => {
  const group = await memoryGroup(260 << 20)
  if (group === undefined) {
    notChecked(t, 'no control group with a memory limit can be made here')
    return
  }
  try {
    await using home = await startServer({ server: program, module: false })
    const server = await wrapped(home.folder, program, `echo $$ > '${group.path}/cgroup.procs'`)
    await using second = await startServer({ server, plugins: [havoc, ledger] })
    const client = await second.client()
    await client.set('k', 'v')
    const pid = await hostPid(client)
    t.is(await oomScore(pid), 1000)
    t.is(await oomScore(second.pid), await oomScore(process.pid), 'the server is no likelier victim than before')
    await client.call('HAVOC.BUFFERS').catch(() => undefined)
    // Its own watch may be quicker, and end the worker alone.
    await second.logged(new RegExp(`plugin host \\(pid ${pid}\\)|out of memory`))
    t.log((await second.log()).split('\n').filter((line) => /out of memory|plugin host \(pid/.test(line)))
    t.is(await client.get('k'), 'v')
    t.is(await served(client, 'LEDGER.COUNT', 'c'), 1)
    assertLives(t, second)
    await second.stop()
    await until(() => !isRunning(pid))
  } finally {
    await until(async () => await rmdir(group.path).then(() => true), { what: 'the control group to be empty' })
  }
})

forEachServer(test, 'faults: a module that is found through links, and a path with spaces', async (t, program) => {
  await using home = await startServer({ server: program, module: false })
  const folder = join(home.folder, 'a folder')
  await mkdir(folder)
  await symlink(modulePath, join(folder, 'ferrite.so'))
  await using server = await startServer({
    server: program,
    plugins: [ledger],
    module: join(folder, 'ferrite.so'),
    config: { 'ferrite.socket-dir': folder },
  })
  t.is(await served(await server.client(), 'LEDGER.COUNT', 'k'), 1)
})
