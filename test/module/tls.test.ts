// Clients that come over TLS: for the module they are clients as any others. Needs openssl, for a certificate.
import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { Redis, type RedisOptions } from 'ioredis'
import { createClient } from 'redis'
import { findFreePort } from '#lib/servers/free-port.js'
import { findProgram, run } from '#lib/setup/programs.js'
import { fixturePlugin, messageOf, shareServers, until, type TestServer } from '../helpers/index.js'

const plugins = ['types', 'arguments', 'counters', 'slow'].map(fixturePlugin)
const folder = await mkdtemp(join(tmpdir(), 'ferrite-test-'))
const keyFile = join(folder, 'key.pem')
const certificateFile = join(folder, 'certificate.pem')

const openssl = findProgram('openssl')
const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
const files = ['-keyout', keyFile, '-out', certificateFile]
const made = openssl === undefined ? undefined : await run(openssl, ['req', '-x509', ...curve, ...subject, ...files])
const problem = openssl === undefined ? 'openssl is not there' : made?.code === 0 ? undefined : made?.output

test.after.always(() => rm(folder, { recursive: true, force: true }))

/** The port on which a server speaks TLS, from now on; undefined, and said in the test's log, if it cannot. */
async function tlsPort(t: ExecutionContext, server: TestServer): Promise<number | undefined> {
  if (problem !== undefined) {
    notChecked(t, problem)
    return undefined
  }
  const client = await server.client()
  const [, open] = await client.config('GET', 'tls-port')
  if (open === undefined) {
    notChecked(t, `${server.program.name} has no TLS`)
    return undefined
  }
  if (open !== '0') return Number(open)
  const settings = { 'tls-cert-file': certificateFile, 'tls-key-file': keyFile, 'tls-ca-cert-file': certificateFile }
  await client.call('CONFIG', 'SET', ...Object.entries(settings).flat(), 'tls-auth-clients', 'no')
  const openOne = async (): Promise<number> => {
    const port = await findFreePort()
    await client.config('SET', 'tls-port', port)
    return port
  }
  return await until(openOne, { what: 'a port for TLS' })
}

function notChecked(t: ExecutionContext, reason: string): void {
  t.log(`not checked: ${reason}`)
  t.pass()
}

async function ioredis(
  t: ExecutionContext,
  port: number,
  options: Omit<RedisOptions, 'replyMapping'> = {},
): Promise<Redis> {
  const tls = { ca: [readFileSync(certificateFile)] }
  const client = new Redis({ port, host: '127.0.0.1', tls, lazyConnect: true, retryStrategy: null, ...options })
  client.on('error', () => undefined)
  t.teardown(() => client.disconnect())
  await client.connect()
  return client
}

async function inFlight(client: Redis): Promise<number> {
  return Number(/ferrite_inflight:(\d+)/.exec(await client.info('ferrite'))?.[1])
}

shareServers(test, { plugins }, (it) => {
  for (const resp of [2, 3] as const) {
    it(`TLS: ioredis in RESP${String(resp)}: shapes, errors, bytes, pipelines, transactions`, async (t, server) => {
      const port = await tlsPort(t, server)
      if (port === undefined) return
      const options = resp === 3 ? { protocol: 3, replyMapping: 'resp3' } : { protocol: 2 }
      const client = await ioredis(t, port, options as object)
      t.deepEqual(await client.call('TYPES.REPLY', 'map'), resp === 3 ? { a: 1, b: 'two' } : ['a', 1, 'b', 'two'])
      t.is(await messageOf(client.call('TYPES.REPLY', 'error')), 'NOTFOUND no such thing')
      t.regex(await messageOf(client.call('COUNTER.ADD', 'k')), /^ERR wrong number of arguments/)
      const bytes = Buffer.alloc(3_000_000, 'any\0bytes\r\n')
      t.is(await client.call('ARGS.PUT', 'b', bytes), 'OK')
      t.true(bytes.equals((await client.callBuffer('ARGS.FETCH', 'b')) as Buffer))
      const pipeline = client.pipeline()
      for (let n = 0; n < 100; n++) pipeline.set('k', n).call('COUNTER.PEEK', 'k').call('COUNTER.ADD', 'k', '1000')
      const replies = ((await pipeline.exec()) ?? []).map(([error, reply]) => error ?? reply)
      t.deepEqual(replies, Array.from({ length: 100 }, (_, n) => ['OK', n, n + 1000]).flat())
      const transaction = await client.multi().call('COUNTER.ADD', 'k', '1').get('k').exec()
      t.deepEqual(transaction?.map(String), [',1100', ',1100'])
      t.is(await client.eval("return redis.call('COUNTER.ADD', KEYS[1], 1)", 1, 'k'), 1101)
    })

    it(`TLS: node-redis in RESP${String(resp)}: shapes, errors, pipelines, transactions`, async (t, server) => {
      const port = await tlsPort(t, server)
      if (port === undefined) return
      const socket = { host: '127.0.0.1', port, tls: true as const, ca: await readFile(certificateFile) }
      const client = createClient({ socket, RESP: resp })
      await client.connect()
      t.teardown(() => client.destroy())
      const ask = (...words: string[]): Promise<unknown> => client.sendCommand(words)
      const map: unknown = JSON.parse(JSON.stringify(await ask('TYPES.REPLY', 'map')))
      t.deepEqual(map, resp === 3 ? { a: 1, b: 'two' } : ['a', 1, 'b', 'two'])
      t.is(await messageOf(ask('TYPES.REPLY', 'error')), 'NOTFOUND no such thing')
      const several = [client.set('k', '1'), ask('COUNTER.ADD', 'k', '1'), client.get('k'), ask('COUNTER.INCR', 'k')]
      t.deepEqual(await Promise.all(several), ['OK', 2, '2', 3])
      const replies = await client.multi().set('k', '5').addCommand(['COUNTER.ADD', 'k', '1']).get('k').exec()
      t.deepEqual(replies.map(String), ['OK', '6', '6'])
    })
  }

  it('TLS: guarded commands of many clients, with and without TLS, count exactly', async (t, server) => {
    const port = await tlsPort(t, server)
    if (port === undefined) return
    const others = await Promise.all(Array.from({ length: 10 }, () => server.client()))
    const clients = await Promise.all(Array.from({ length: 10 }, () => ioredis(t, port)))
    const all = [...others, ...clients].flatMap((client) =>
      Array.from({ length: 20 }, () => client.call('COUNTER.ADD', 'n', '1')),
    )
    const replies = (await Promise.all(all)).map(Number).sort((a, b) => a - b)
    t.deepEqual(
      replies,
      all.map((_, n) => n + 1),
    )
  })

  it('TLS: a client that leaves, or is killed, ends its request', async (t, server) => {
    const port = await tlsPort(t, server)
    if (port === undefined) return
    const other = await server.client()
    const leaver = await ioredis(t, port)
    const left = messageOf(leaver.call('SLOW.WAIT', 'tls-left'))
    const killed = await ioredis(t, port)
    const id = String(await killed.client('ID'))
    const ended = messageOf(killed.call('SLOW.APPEND', 'k', 'x', 'tls-killed'))
    await until(async () => (await other.call('SLOW.WAITING', 'tls-left')) === 1)
    await until(async () => (await other.call('SLOW.WAITING', 'tls-killed')) === 1)
    leaver.disconnect()
    t.is(await other.call('CLIENT', 'KILL', 'ID', id), 1)
    t.regex(await left, /closed/)
    t.regex(await ended, /closed/)
    await until(async () => (await inFlight(other)) === 0, { what: 'no request to be left' })
    await other.call('SLOW.OPEN', 'tls-killed')
    await other.call('SLOW.APPEND', 'other-key', '', 'tls-killed')
    t.is(await other.exists('k'), 0)
  })

  it('TLS: a connection that is cut without a good-bye ends its request', async (t, server) => {
    const port = await tlsPort(t, server)
    if (port === undefined) return
    const other = await server.client()
    const socket = connect({ port, host: '127.0.0.1', ca: await readFile(certificateFile) })
    socket.on('error', () => undefined)
    socket.write('*2\r\n$9\r\nSLOW.WAIT\r\n$7\r\ntls-cut\r\n')
    await until(async () => (await other.call('SLOW.WAITING', 'tls-cut')) === 1)
    socket.destroy()
    await until(async () => (await other.call('SLOW.WAITING', 'tls-cut')) === 0, { what: 'the handler to be told' })
    await until(async () => (await inFlight(other)) === 0, { what: 'no request to be left' })
    t.is(await other.ping(), 'PONG')
  })
})
