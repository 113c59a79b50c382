import test from 'ava'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RespError, RespMap, type RespValue } from '#lib/bridge/resp.js'
import { until } from '../helpers/until.js'
import { HostProcess } from './host-process.js'

/** A field of a map reply; texts as strings. */
function field(map: RespValue, name: string): unknown {
  if (!(map instanceof RespMap)) throw new TypeError('the reply is no map')
  const value = map.entries.find(([key]) => Buffer.isBuffer(key) && key.toString() === name)?.[1]
  return Buffer.isBuffer(value) ? value.toString() : value
}

test('host: serves the plugins of the catalogue, each on a lane of its own, and brings the route table up to date', async (t) => {
  const host = await HostProcess.start(t, ['bystander', 'trouble'])
  const bystander = await host.peer.serving('B.PING')
  const trouble = await host.peer.serving('T.PING')
  t.not(bystander, trouble)
  t.like(await bystander.invoke('B.PING'), { outcome: 0, reply: 'pong' })
  t.like(await bystander.invoke('hook bystander/watches', ['B.PING']), { outcome: 4, reply: null })
  t.like(await trouble.invoke('T.PING'), { outcome: 0, reply: 'pong' })
  t.like(await host.status('trouble', 'active'), { version: '1.2.3', restarts: 0, reason: '' })
  const control = await host.control
  t.is(control.all('ROUTES').length, 1)
  t.is(await readFile(join(host.folder, 'routes.backup'), 'utf8'), await readFile(join(host.folder, 'routes'), 'utf8'))
})

test('host: the backup of the route table is not replaced by one that the module refuses', async (t) => {
  const routesProblems = [{ command: '', problem: 'routes: line 3: no such flag' }]
  const host = await HostProcess.start(t, ['bystander'], { routesProblems })
  await host.logged('routes: line 3: no such flag')
  t.like(await (await host.peer.serving('B.PING')).invoke('B.PING'), { reply: 'pong' })
  t.true(existsSync(join(host.folder, 'routes')))
  t.false(existsSync(join(host.folder, 'routes.backup')))
})

test('host: a command that cannot be registered is no reason not to keep the route table', async (t) => {
  const routesProblems = [{ command: 'B.PING', problem: 'another module has it' }]
  const host = await HostProcess.start(t, ['bystander'], { routesProblems })
  await host.logged('B.PING could not be registered: another module has it')
  await host.peer.serving('B.PING')
  t.true(existsSync(join(host.folder, 'routes.backup')))
})

test('host: plugins are loaded when the loading of the server has ended', async (t) => {
  const host = await HostProcess.start(t, ['bystander'], {
    state: { primary: true, loading: true, shuttingDown: false },
  })
  const control = await host.control
  await control.next('ATTACH', ({ plugin }) => plugin === 'ferrite')
  t.deepEqual(await control.invoke('FERRITE.PLUGIN', ['LIST']), {
    outcome: 0,
    reply: [],
    commit: undefined,
    assumed: undefined,
  })
  host.peer.setState({ loading: false })
  t.like(await (await host.peer.serving('B.PING')).invoke('B.PING'), { reply: 'pong' })
})

test('host: FERRITE.PLUGIN lists the plugins and tells about one', async (t) => {
  const host = await HostProcess.start(t, ['bystander', 'trouble'])
  await host.status('bystander', 'active')
  await host.status('trouble', 'active')
  const control = await host.control
  const { reply: list } = await control.invoke('FERRITE.PLUGIN', ['list'])
  t.true(Array.isArray(list) && list.every((item) => item instanceof RespMap))
  t.deepEqual(
    (list as RespMap[]).map((map) => ['name', 'version', 'state', 'restarts'].map((name) => field(map, name))),
    [
      ['bystander', '1.0.0', 'active', 0],
      ['trouble', '1.2.3', 'active', 0],
    ],
  )
  const { reply: info } = await control.invoke('FERRITE.PLUGIN', ['INFO', 'bystander'])
  t.deepEqual(field(info, 'commands'), [Buffer.from('B.PING')])
  t.deepEqual(field(info, 'command-hooks'), [Buffer.from('watches')])
  t.is(field(info, 'worker'), 'bystander')
  await until(async () => {
    const { reply } = await control.invoke('FERRITE.PLUGIN', ['INFO', 'bystander'])
    return Number(field(reply, 'heap-bytes')) > 1_000_000
  })
  const unknown = (await control.invoke('FERRITE.PLUGIN', ['INFO', 'nobody'])).reply
  t.true(unknown instanceof RespError && unknown.message.includes("there is no plugin 'nobody'"))
  t.like(await control.invoke('FERRITE.PLUGIN', ['DROP']), { outcome: 1 })
  t.like(await control.invoke('FERRITE.PLUGIN', []), { outcome: 1 })
  t.like(await control.invoke('FERRITE.PLUGIN', ['HELP']), { outcome: 0 })
})

const crashes = [
  { command: 'T.NULL', reason: /crashed \(.*null.*\), restarting in 0\.1 s/ },
  { command: 'T.REJECT', reason: /crashed \(nobody looks\), restarting in 0\.1 s/ },
  { command: 'T.EXIT', reason: /crashed \(process\.exit\(3\) was called\), restarting/ },
  { command: 'T.HEAP', reason: /crashed \(out of memory: the heap's limit is 64 MiB\), restarting/ },
  { command: 'T.LOOP', reason: /crashed \(no answer for 1 s: an endless loop.*\), restarting/ },
] as const

for (const { command, reason } of crashes) {
  test(`host: only the plugin's own worker is replaced after ${command}`, async (t) => {
    // Filling the heap takes seconds on a busy machine, most of them in the collector, where no thread answers.
    const limits = { heapMiB: 64, callMs: command === 'T.HEAP' ? 30_000 : 1000 }
    const host = await HostProcess.start(t, ['bystander', 'trouble'], { manifest: { trouble: { limits } } })
    const bystander = await host.peer.serving('B.PING')
    const trouble = await host.peer.serving('T.PING')
    // A worker has its full time only once it has answered for the first time.
    await trouble.invoke('T.PING')
    trouble.send(trouble.invokeOf(command, []))
    t.like(await bystander.invoke('B.PING'), { reply: 'pong' })
    await until(() => !trouble.isOpen)
    const told = await host.detached('trouble', reason)
    t.true(told.startsWith('plugin trouble crashed'))
    const again = await host.peer.serving('T.PING')
    t.like(await again.invoke('T.PING'), { reply: 'pong' })
    t.like(await host.status('trouble', 'active'), { restarts: 1 })
    t.true(bystander.isOpen)
    t.like(await bystander.invoke('B.PING'), { reply: 'pong' })
  })
}

test('host: a worker with too much memory outside the heap is replaced', async (t) => {
  const limits = { externalMiB: 64 }
  const host = await HostProcess.start(t, ['bystander', 'trouble'], { manifest: { trouble: { limits } } })
  const trouble = await host.peer.serving('T.PING')
  await trouble.invoke('T.BUFFERS', ['100'])
  await host.detached('trouble', /out of memory: \d+ MiB outside the heap \(Buffers\), the limit is 64 MiB/)
  const again = await host.peer.serving('T.PING')
  t.like(await again.invoke('T.PING'), { reply: 'pong' })
})

test('host: a plugin that cannot be started is given up after five tries, and the others run', async (t) => {
  const host = await HostProcess.start(t, ['broken', 'bystander'])
  const { reason } = await host.status('broken', 'failed')
  t.regex(
    reason,
    /^plugin broken failed: 5 crashes within 60 s, the last one: setup\(\) failed: no database to be found$/,
  )
  await host.detached('broken', /^plugin broken failed/)
  t.like(await (await host.peer.serving('B.PING')).invoke('B.PING'), { reply: 'pong' })
  t.true(host.lines.some((line) => line.startsWith('<3>broken: the plugin could not be started')))
})

test('host: plugins that share a worker crash together, and one that cannot start leaves the others alone', async (t) => {
  const shared = { isolation: 'shared' }
  const host = await HostProcess.start(t, ['broken', 'bystander', 'trouble'], {
    manifest: { broken: shared, bystander: shared, trouble: shared },
  })
  const lane = await host.peer.serving('T.PING')
  t.is(await host.peer.serving('B.PING'), lane)
  t.is(lane.label, 'shared')
  t.like(await lane.invoke('B.PING'), { reply: 'pong' })
  t.like(await host.status('broken', 'failed'), { restarts: 0 })
  lane.send(lane.invokeOf('T.EXIT', []))
  await host.detached('bystander', /^the worker of plugin bystander crashed/)
  const again = await host.peer.serving('B.PING')
  t.like(await again.invoke('B.PING'), { reply: 'pong' })
})

test('host: a manifest that cannot be used is told as a failed plugin', async (t) => {
  const host = await HostProcess.start(t, ['bystander', 'trouble'], { manifest: { trouble: { apiVersion: 99 } } })
  t.regex((await host.status('trouble', 'failed')).reason, /apiVersion/)
  t.like(await (await host.peer.serving('B.PING')).invoke('B.PING'), { reply: 'pong' })
})

test("host: a stop of the whole process for longer than a plugin's limit is nobody's fault", async (t) => {
  const limits = { callMs: 500 }
  const host = await HostProcess.start(t, ['bystander', 'trouble'], {
    manifest: { bystander: { limits }, trouble: { limits } },
  })
  const bystander = await host.peer.serving('B.PING')
  const trouble = await host.peer.serving('T.PING')
  await bystander.invoke('B.PING')
  await trouble.invoke('T.PING')
  host.child.kill('SIGSTOP')
  // Real time has to pass while the process stands still; there is no state to wait for.
  await new Promise((resolve) => setTimeout(resolve, 4 * limits.callMs))
  host.child.kill('SIGCONT')
  t.like(await bystander.invoke('B.PING'), { reply: 'pong' })
  // One that really loops is found: the watch has gone on for as long as the limit since, and has seen them both.
  trouble.send(trouble.invokeOf('T.LOOP', []))
  await host.detached('trouble', /no answer for/)
  t.like(await bystander.invoke('B.PING'), { reply: 'pong' })
  t.deepEqual(
    (await host.control).all('DETACH').map(({ plugin }) => plugin),
    ['trouble'],
  )
})

test('host: what a plugin prints is a notice in its name', async (t) => {
  const host = await HostProcess.start(t, ['trouble'])
  const lane = await host.peer.serving('T.PRINT')
  await lane.invoke('T.PRINT')
  t.is(await host.logged('from console.log'), '<5>trouble: from console.log')
  t.is(await host.logged('from stdout.write'), '<5>trouble: from stdout.write')
})

test('host: ends when the control lane is closed', async (t) => {
  const host = await HostProcess.start(t, ['bystander'])
  await host.peer.serving('B.PING')
  ;(await host.control).end()
  t.is(await host.exited(), 0)
})

test('host: ends with all plugins when the server shuts down, even if a handler never answers', async (t) => {
  t.timeout(60_000)
  const host = await HostProcess.start(t, ['bystander', 'trouble'])
  await host.peer.serving('B.PING')
  const trouble = await host.peer.serving('T.FOREVER')
  trouble.send(trouble.invokeOf('T.FOREVER', []))
  await trouble.invoke('T.PING')
  host.peer.setState({ shuttingDown: true })
  t.is(await host.exited(), 0)
  t.true(host.lines.some((line) => line === '<6>bystander: bye'))
})

test('host: says in one line why it cannot start', async (t) => {
  const host = await HostProcess.start(t, [])
  await host.control
  const { spawnSync } = await import('node:child_process')
  const args = host.child.spawnargs.slice(1)
  const none = spawnSync(process.execPath, args, { env: { PATH: process.env['PATH'] ?? '' }, encoding: 'utf8' })
  t.is(none.status, 1)
  t.regex(none.stdout, /^<3>cannot start: FERRITE_SOCKET is not set.*\n$/)
})
