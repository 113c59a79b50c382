import test from 'ava'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ByteWriter } from '#lib/bridge/byte-writer.js'
import { connectLane, type Lane } from '#lib/bridge/lane.js'
import { encodeMessage, type Invoke, type ModuleMessage } from '#lib/bridge/messages.js'
import { until } from '../helpers/until.js'

const state = { primary: true, loading: false, shuttingDown: false }
const welcome: ModuleMessage = { type: 'WELCOME', version: 1, lane: 3, state, values: { product: 'redis' } }

const invoke: Invoke = {
  type: 'INVOKE',
  id: 1,
  code: 0,
  flags: 0,
  clientId: 1,
  db: 0,
  resp: 3,
  now: 0,
  timeoutMs: 0,
  user: 'default',
  args: [],
  reads: [],
}

function bytes(...messages: ModuleMessage[]): Buffer {
  const writer = new ByteWriter()
  for (const message of messages) encodeMessage(writer, message)
  return writer.take()
}

/** Connects a lane to a socket that does with each connection what the test says. */
async function laneTo(
  t: { teardown: (end: () => Promise<void>) => void },
  onConnection: (socket: Socket) => void,
): Promise<Lane> {
  const folder = await mkdtemp(join(tmpdir(), 'ferrite-lane-'))
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined) // the lane may be gone already
    onConnection(socket)
  })
  await writeFile(join(folder, 'token'), 'secret\n')
  await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve))
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
    await rm(folder, { recursive: true })
  })
  return connectLane({ socketPath: join(folder, 's'), kind: 'plugins', label: 'test' })
}

test('lane: knows what WELCOME said, and gets what came before it was started', async (t) => {
  const lane = await laneTo(t, (socket) => {
    socket.write(bytes(welcome, { type: 'GAP', dropped: 4 }, { type: 'STATE', state: { ...state, primary: false } }))
  })
  t.is(lane.welcome.lane, 3)
  t.deepEqual(lane.welcome.values, { product: 'redis' })
  const seen: string[] = []
  lane.start({ onInvoke: () => undefined, onMessage: ({ type }) => seen.push(type) })
  await until(() => seen.length === 2)
  t.deepEqual(seen, ['GAP', 'STATE'])
  t.false(lane.state.primary)
})

test('lane: is refused when the module closes it, speaks another version or begins with another message', async (t) => {
  await t.throwsAsync(laneTo(t, (socket) => socket.destroy()))
  await t.throwsAsync(
    laneTo(t, (socket) => socket.write(bytes({ ...welcome, version: 2 }))),
    { code: 'FERRITE_PROTOCOL_FIELD', message: /version 2 of the protocol, this host version 1/ },
  )
  await t.throwsAsync(
    laneTo(t, (socket) => socket.write(bytes({ type: 'PING', cookie: 1 }))),
    { code: 'FERRITE_PROTOCOL_TYPE', message: /the first message of the module is PING/ },
  )
})

test('lane: is refused when there is no token or no socket', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ferrite-lane-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const options = { socketPath: join(folder, 's'), kind: 'plugins', label: 'test' } as const
  await t.throwsAsync(connectLane(options), { code: 'ENOENT', message: /token/ })
  await writeFile(join(folder, 'token'), 'secret')
  await t.throwsAsync(connectLane(options), { code: 'ENOENT', message: /connect/ })
})

test('lane: ends without an error when the module closes it in good order', async (t) => {
  const lane = await laneTo(t, (socket) => socket.end(bytes(welcome)))
  t.deepEqual(await lane.closed, { reason: 'closed' })
  t.true(lane.isClosed)
  t.notThrows(() => {
    lane.send({ type: 'PING', cookie: 1 })
  })
})

test('lane: reads nothing more while the module does not read, and goes on afterwards', async (t) => {
  let peer: Socket | undefined
  const lane = await laneTo(t, (socket) => {
    peer = socket
    socket.write(bytes(welcome))
  })
  let seen = 0
  const large = Buffer.alloc(1024 * 1024)
  lane.start({
    onInvoke: ({ id }) => {
      seen++
      lane.send({ type: 'RESULT', id, outcome: 0, reply: large })
    },
    onMessage: () => undefined,
  })
  // More than a read of the socket gives, so that every frame comes in a chunk of its own.
  const args = [Buffer.alloc(128 * 1024)]
  for (let id = 1; id <= 100; id++) peer?.write(bytes({ ...invoke, id, args }))
  await until(() => lane.backlog > 16 * 1024 * 1024)
  // Twenty turns of the event loop, in which further input would be read if it were.
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  t.true(seen < 25, `${seen} frames were handled`)
  let received = 0
  peer?.on('data', (chunk) => (received += chunk.length))
  await until(() => received > 100 * large.length)
  t.is(seen, 100)
})
