// A peer that breaks the protocol: its connection is closed with a log line, and nothing else happens.
import { spawnSync } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { chmod, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ByteWriter } from '#lib/bridge/byte-writer.js'
import { encodeMessage, MessageType, type HostMessage, type LaneKind } from '#lib/bridge/messages.js'
import { forEachServer, startServer, until, type TestServer } from '../helpers/index.js'
import { assertLives, count, errorOf, ledger, socketFolders } from './faults.js'
import { RawPeer, socketPathOf } from './raw-peer.js'

const external = { 'ferrite.host-mode': 'external' }

function startExternal(program: TestServer['program'], config = {}): Promise<TestServer> {
  return startServer({
    server: program,
    plugins: [ledger],
    waitForPlugins: false,
    config: { ...external, ...config },
  })
}

/** A lane that serves ECHO all the while, and so proves that others are not touched. */
async function bystander(t: ExecutionContext, server: TestServer): Promise<() => Promise<void>> {
  const lane = await RawPeer.lane(server, 'plugins', 'bystander')
  lane.answerAll('+fine\r\n')
  t.deepEqual(await lane.attach('ledger', 'LEDGER.ECHO'), [])
  const client = await server.client()
  return async () => {
    t.is(await client.call('LEDGER.ECHO', 'x'), 'fine')
    t.true(lane.isOpen)
    assertLives(t, server)
  }
}

interface BadPeer {
  /** What the log must say. */
  readonly log: RegExp
  /** Default: a lane of kind `plugins` that has had its WELCOME. */
  readonly begin?: 'connection' | LaneKind
  act(peer: RawPeer): unknown
}

const str = (text: string): Buffer => {
  const writer = new ByteWriter()
  writer.str(text)
  return writer.take()
}

function bodyOf(message: HostMessage): Buffer {
  const writer = new ByteWriter()
  encodeMessage(writer, message)
  return writer.take().subarray(16)
}

/** A body that is well-formed, for each message of the host that has one. */
const messages: readonly HostMessage[] = [
  { type: 'ATTACH', id: 1, plugin: 'p', version: '1', commands: [{ name: 'X', code: 0 }], subscriptions: [] },
  { type: 'DETACH', plugin: 'p', reason: 'r' },
  { type: 'RESULT', id: 1, outcome: 0, reply: Buffer.from('+OK\r\n'), commit: [['SET', 'a', 'b']] },
  { type: 'CALL', id: 1, flags: 0, requestId: 0, plugin: 'p', db: 0, commands: [['PING']] },
  { type: 'EMIT', plugin: 'p', hops: 1, event: 'x', format: 'json', payload: Buffer.from('1') },
]

const emit = { type: 'EMIT', plugin: 'p', hops: 1, event: 'x', format: 'none', payload: Buffer.alloc(0) } as const

const beforeHello: Readonly<Record<string, BadPeer>> = {
  'a wrong token': {
    log: /closed: wrong token/,
    act: async (peer) => peer.send({ ...(await peer.hello('plugins')), token: 'f'.repeat(64) }),
  },
  'a short token': {
    log: /closed: wrong token/,
    act: async (peer) => peer.send({ ...(await peer.hello('plugins')), token: '' }),
  },
  'another version of the protocol': {
    log: /closed: the host speaks another version of the protocol/,
    act: async (peer) => peer.send({ ...(await peer.hello('plugins')), version: 2 }),
  },
  'an unknown kind of lane': {
    log: /closed: protocol error: malformed HELLO/,
    act: async (peer) => {
      const body = bodyOf(await peer.hello('plugins'))
      body[0] = 9
      peer.sendFrame(MessageType.HELLO, body, { code: 1 })
    },
  },
  'a HELLO with surplus bytes': {
    log: /closed: protocol error: malformed HELLO/,
    act: async (peer) =>
      peer.sendFrame(MessageType.HELLO, Buffer.concat([bodyOf(await peer.hello('plugins')), str('')]), { code: 1 }),
  },
  'a first frame that is not HELLO': {
    log: /closed: protocol error: the first frame is not HELLO/,
    act: (peer) => peer.send({ type: 'PING', cookie: 1 }),
  },
  'a frame that is too long': {
    log: /closed: protocol error: a frame's length is out of range/,
    act: (peer) => peer.sendBytes(Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0])),
  },
  'a frame that is too short': {
    log: /closed: protocol error: a frame's length is out of range/,
    act: (peer) => peer.sendBytes(Buffer.from([11, 0, 0, 0])),
  },
  'a connection that says nothing': { log: /closed: no HELLO within 5 s/, act: () => undefined },
  'half a HELLO': { log: /closed: no HELLO within 5 s/, act: (peer) => peer.sendBytes(Buffer.from([60, 0, 0, 0, 1])) },
}

const afterHello: Readonly<Record<string, BadPeer>> = {
  'a second HELLO': {
    log: /closed: protocol error: a second HELLO/,
    act: async (peer) => peer.send(await peer.hello('plugins')),
  },
  'a second control lane': {
    log: /closed: there is a control lane already/,
    begin: 'connection',
    act: async (peer) => peer.send(await peer.hello('control')),
  },
  'an unknown type': {
    log: /closed: protocol error: unknown frame type/,
    act: (peer) => peer.sendFrame(99, Buffer.alloc(0)),
  },
  'a type of the other direction': {
    log: /closed: protocol error: unknown frame type/,
    act: (peer) => peer.sendFrame(MessageType.INVOKE, Buffer.alloc(40)),
  },
  'a PING with a body': {
    log: /closed: protocol error: PING with a body/,
    act: (peer) => peer.sendFrame(MessageType.PING, str('x')),
  },
  'a PONG with a body': {
    log: /closed: protocol error: PONG with a body/,
    act: (peer) => peer.sendFrame(MessageType.PONG, str('x')),
  },
  'STATUS on a lane of plugins': {
    log: /closed: protocol error: only the control lane may say this/,
    act: (peer) => peer.send({ type: 'STATUS', plugins: [] }),
  },
  'ROUTES on a lane of plugins': {
    log: /closed: protocol error: only the control lane may say this/,
    act: (peer) => peer.send({ type: 'ROUTES', id: 1 }),
  },
  'a CALL without commands': {
    log: /closed: protocol error: malformed CALL/,
    act: (peer) => peer.send({ type: 'CALL', id: 1, flags: 0, requestId: 0, plugin: 'p', db: 0, commands: [] }),
  },
  'a CALL with an empty command': {
    log: /closed: protocol error: malformed CALL/,
    act: (peer) => peer.send({ type: 'CALL', id: 1, flags: 0, requestId: 0, plugin: 'p', db: 0, commands: [[]] }),
  },
  'a subscription of an unknown kind': {
    log: /closed: protocol error: malformed ATTACH/,
    act: (peer) => {
      const subscription = { id: 1, kind: 'plugins', flags: 0, events: ['x'], keys: [] } as const
      const body = bodyOf({ ...(messages[0] as HostMessage & { type: 'ATTACH' }), subscriptions: [subscription] })
      body[body.lastIndexOf(3)] = 4
      peer.sendFrame(MessageType.ATTACH, body)
    },
  },
  'an EMIT of what is no name': {
    log: /closed: protocol error: malformed EMIT/,
    act: (peer) => peer.send({ ...emit, event: 'two words' }),
  },
  'an EMIT of too much': {
    log: /closed: protocol error: malformed EMIT/,
    act: (peer) => peer.send({ ...emit, format: 'bytes', payload: Buffer.alloc(1024 * 1024 + 1) }),
  },
  'an EMIT of nothing with a payload': {
    log: /closed: protocol error: malformed EMIT/,
    act: (peer) => peer.send({ ...emit, payload: Buffer.from('x') }),
  },
  'an EMIT that eight others have led to': {
    log: /closed: protocol error: an EMIT without end/,
    act: (peer) => peer.send({ ...emit, hops: 9 }),
  },
  'a list that says it is longer than the frame': {
    log: /closed: protocol error: malformed/,
    act: (peer) => {
      const body = bodyOf(messages[0] as HostMessage)
      body.writeUInt32LE(0xffff_fff0, 10) // the number of commands, after two strings of one byte
      peer.sendFrame(MessageType.ATTACH, body)
    },
  },
}

async function isBad(t: ExecutionContext, server: TestServer, title: string, bad: BadPeer): Promise<void> {
  const begin = bad.begin ?? 'plugins'
  const from = (await server.log()).length
  const peer = begin === 'connection' ? await RawPeer.connect(server) : await RawPeer.lane(server, begin, 'bad')
  await bad.act(peer)
  await peer.closed().catch((err: unknown) => t.fail(`${title}: ${String(err)}`))
  const line = async (): Promise<boolean> => bad.log.test((await server.log()).slice(from))
  await until(line, { what: `${title}: a log line ${String(bad.log)}` }).catch((err: unknown) => t.fail(String(err)))
}

forEachServer(test, 'faults: a peer that does not prove itself is closed with a log line', async (t, program) => {
  await using server = await startExternal(program)
  const others = await bystander(t, server)
  const cases = Object.entries(beforeHello)
  await Promise.all(cases.map(([title, bad]) => isBad(t, server, title, { begin: 'connection', ...bad })))
  await others()
})

forEachServer(test, 'faults: a lane that breaks the protocol is closed with a log line', async (t, program) => {
  await using server = await startExternal(program)
  const others = await bystander(t, server)
  const control = await RawPeer.lane(server, 'control')
  for (const [title, bad] of Object.entries(afterHello)) {
    await isBad(t, server, title, bad)
    await others()
  }
  t.true(control.isOpen)
})

forEachServer(test, 'faults: cut and padded bodies close the lane', async (t, program) => {
  await using server = await startExternal(program)
  const others = await bystander(t, server)
  const client = await server.client()
  for (const message of messages) {
    const whole = bodyOf(message)
    const bodies = [...whole.keys()].map((length) => whole.subarray(0, length))
    for (const body of [...bodies, Buffer.concat([whole, Buffer.from([0])])]) {
      const peer = await RawPeer.lane(server, 'plugins', 'cut')
      const isResult = message.type === 'RESULT'
      const request = isResult ? await asked(peer, server) : undefined
      const id = request === undefined ? 1 : Number(request.id)
      peer.sendFrame(MessageType[message.type], body, { id, flags: isResult ? 2 : 0 })
      await peer.closed()
      if (request !== undefined) t.regex(await request.error, /^UNAVAILABLE /)
    }
    await others()
  }
  t.is(await client.exists('a'), 0)
})

/** A request that the peer owes an answer, after `before` others. */
async function asked(peer: RawPeer, server: TestServer, before = 0): Promise<{ id: unknown; error: Promise<string> }> {
  await peer.attach('ledger', 'LEDGER.SEEN')
  const error = errorOf(await server.client(), 'LEDGER.SEEN')
  const request = await until(() => peer.all('INVOKE')[before], { what: 'INVOKE of the module' })
  return { id: request.id, error }
}

const notResp = [
  '',
  '+OK',
  '+OK\r\n+OK\r\n',
  ':x\r\n',
  '$5\r\nabc\r\n',
  '*1\r\n',
  '@0\r\n',
  '>1\r\n+x\r\n',
  '|1\r\n+a\r\n+b\r\n+c\r\n',
]

forEachServer(test, 'faults: a RESULT that is no reply closes the lane', async (t, program) => {
  await using server = await startExternal(program)
  const others = await bystander(t, server)
  const nested = '*1\r\n'.repeat(40) + ':1\r\n'
  for (const reply of [...notResp, nested]) {
    const peer = await RawPeer.lane(server, 'plugins', 'reply')
    const { id, error } = await asked(peer, server)
    peer.send({ type: 'RESULT', id: Number(id), outcome: 0, reply: Buffer.from(reply) })
    await peer.closed().catch((err: unknown) => t.fail(`${JSON.stringify(reply)}: ${String(err)}`))
    t.regex(await error, /^UNAVAILABLE /)
  }
  for (const frame of [{ code: 6 }, { flags: 1 }, { flags: 128 }]) {
    const peer = await RawPeer.lane(server, 'plugins', 'reply')
    const { id, error } = await asked(peer, server)
    peer.sendFrame(MessageType.RESULT, str('+OK\r\n'), { id: Number(id), ...frame })
    await peer.closed()
    t.regex(await error, /^UNAVAILABLE /)
  }
  await others()
})

forEachServer(test, "faults: a hook's answer to a command is an error, and the lane stays", async (t, program) => {
  await using server = await startExternal(program)
  const peer = await RawPeer.lane(server, 'plugins', 'reply')
  for (const outcome of [4, 5]) {
    const { id, error } = await asked(peer, server, outcome - 4)
    const reply = Buffer.from(outcome === 4 ? '' : '*1\r\n$4\r\nPING\r\n')
    peer.send({ type: 'RESULT', id: Number(id), outcome, reply })
    t.is(await error, 'ERR the plugin answered a command as if it were a hook')
  }
  t.true(peer.isOpen)
})

forEachServer(test, 'faults: answers that nobody waits for are dropped', async (t, program) => {
  await using server = await startExternal(program)
  const others = await bystander(t, server)
  const peer = await RawPeer.lane(server, 'plugins', 'late')
  const { id, error } = await asked(peer, server)
  const reply = Buffer.from(':1\r\n')
  const commit = [['SET', 'late', '1']]
  const other = await RawPeer.lane(server, 'plugins', 'other')
  // Of another lane; of slots that never were; of another generation; then the one that is awaited, twice.
  other.send({ type: 'RESULT', id: Number(id), outcome: 0, reply, commit })
  const ids = [0, 1, 0xffff_ffff, Number(id) + 2 ** 32, Number(id) + 1, 2n ** 64n - 1n]
  for (const wrong of ids) peer.send({ type: 'RESULT', id: wrong, outcome: 0, reply, commit })
  peer.send({ type: 'PING', cookie: 7 })
  await peer.next('PONG')
  peer.send({ type: 'RESULT', id: Number(id), outcome: 1, reply: Buffer.from('-MINE yes\r\n') })
  peer.send({ type: 'RESULT', id: Number(id), outcome: 0, reply, commit })
  t.is(await error, 'MINE yes')
  // CALLs of requests that are gone are refused.
  peer.send({ type: 'CALL', id: 5, flags: 0, requestId: Number(id), plugin: 'ledger', db: 0, commands: [['PING']] })
  const refused = await peer.next('CALL_RESULT')
  t.true(refused.refused)
  t.regex(String(refused.values[0]), /-ERR the request of this call has ended/)
  t.is(await (await server.client()).exists('late'), 0)
  t.true(other.isOpen)
  await others()
})

forEachServer(
  test,
  'faults: unknown commands, plugins and databases of a peer are told as problems',
  async (t, program) => {
    await using server = await startExternal(program)
    const others = await bystander(t, server)
    const peer = await RawPeer.lane(server, 'plugins', 'odd')
    const names = ['GET', 'FERRITE.INFO', 'NO.SUCH', 'x'.repeat(5000), '', 'a\r\nb', 'LEDGER.ECHO|X']
    const problems = await peer.attach('nobody', ...names)
    t.deepEqual(
      problems.map(({ command }) => command),
      names,
    )
    peer.send({ type: 'DETACH', plugin: 'nobody', reason: 'one\r\n+two' })
    peer.send({ type: 'DETACH', plugin: 'ledger', reason: 'not of this lane' })
    for (const db of [16, 0xffff_ffff]) {
      peer.send({ type: 'CALL', id: db, flags: 0, requestId: 0, plugin: 'ledger', db, commands: [['PING']] })
      t.regex(String((await peer.next('CALL_RESULT', ({ id }) => id === db)).values[0]), /-(ERR|NOPERM) /)
    }
    peer.send({
      type: 'CALL',
      id: 1,
      flags: 0,
      requestId: 0,
      plugin: 'x'.repeat(1000),
      db: 0,
      commands: [['SET', 'a', 'b']],
    })
    t.regex(String((await peer.next('CALL_RESULT', ({ id }) => id === 1)).values[0]), /NOPERM/)
    await others()
  },
)

forEachServer(test, 'faults: line breaks in the reason of a peer do not break the protocol', async (t, program) => {
  await using server = await startExternal(program)
  const peer = await RawPeer.lane(server, 'plugins', 'line\r\n1:M forged')
  await peer.attach('ledger', 'LEDGER.SEEN')
  peer.send({ type: 'DETACH', plugin: 'ledger', reason: 'one\r\n+two\r\n\0three' })
  peer.send({ type: 'PING', cookie: 7 })
  await peer.next('PONG')
  const client = await server.client()
  const [error, echo] = await Promise.all([errorOf(client, 'LEDGER.SEEN'), client.echo('in step')])
  t.regex(error, /^UNAVAILABLE one\s+\+two/)
  t.is(echo, 'in step')
  peer.end()
  await server.logged(/closed: (closed by the host|Connection reset)/)
  t.notRegex(await server.log(), /^1:M forged/m)
})

forEachServer(test, 'faults: random bytes close their connection', async (t, program) => {
  const times = count(t, 'peers with random bytes', 60, 5000)
  await using server = await startExternal(program)
  const others = await bystander(t, server)
  for (let i = 0; i < times; i++) {
    const peer = i % 3 === 0 ? await RawPeer.connect(server) : await RawPeer.lane(server, 'plugins', 'random')
    if (i % 3 === 2) peer.sendFrame([10, 12, 21, 23][i % 4] ?? 1, randomBytes(randomInt(0, 200)))
    // Whatever they seem to mean, in the end a length that cannot be.
    peer.sendBytes(randomBytes(randomInt(0, 300)))
    peer.halfClose()
    await peer.closed()
  }
  await others()
})

forEachServer(test, 'faults: half-closed connections, either way', async (t, program) => {
  await using server = await startExternal(program)
  const others = await bystander(t, server)
  const control = await RawPeer.lane(server, 'control')
  const peer = await RawPeer.lane(server, 'plugins', 'half')
  const { error } = await asked(peer, server)
  peer.halfClose()
  await peer.closed()
  t.regex(await error, /^UNAVAILABLE the plugin's worker has ended/)
  await others()
  const lane = await RawPeer.lane(server, 'plugins', 'with the control lane')
  const second = await asked(lane, server)
  control.halfClose()
  await Promise.all([control.closed(), lane.closed()])
  t.regex(await second.error, /^UNAVAILABLE /)
  t.regex(await errorOf(await server.client(), 'LEDGER.ECHO', 'x'), /^UNAVAILABLE waiting for an external host/)
  const again = await RawPeer.lane(server, 'control')
  t.true(again.isOpen)
  assertLives(t, server)
})

forEachServer(test, 'faults: the bridge is closed to other users', async (t, program) => {
  if (process.getuid?.() !== 0) {
    t.log('not checked: another user needs root')
    t.pass()
    return
  }
  await using server = await startExternal(program)
  const path = await socketPathOf(server)
  const attempt = (): string =>
    spawnSync(
      process.execPath,
      [
        '-e',
        `require('net').connect(${JSON.stringify(path)}).on('error', (e) => console.log(e.code)).on('close', () => console.log('closed'))`,
      ],
      { uid: 65534, gid: 65534, encoding: 'utf8', cwd: '/' },
    ).stdout
  t.regex(attempt(), /EACCES/)
  // Even where the permissions of the folder were opened, the peer's uid counts.
  await chmod(dirname(path), 0o777)
  await chmod(path, 0o777)
  t.is(attempt().trim(), 'closed')
  await server.logged('connection to the bridge refused: it is of another user')
  assertLives(t, server)
})

forEachServer(test, 'faults: the private folder is private and goes with the server', async (t, program) => {
  await using server = await startExternal(program, { 'ferrite.socket-dir': '.' })
  const folders = await socketFolders(server.folder)
  t.is(folders.length, 1)
  const folder = join(server.folder, folders[0] ?? '')
  t.regex(await readFile(join(folder, 'token'), 'utf8'), /^[0-9a-f]{64}$/)
  await server.stop()
  t.deepEqual(await socketFolders(server.folder), [])
})
