// Every setting: redis.conf, CONFIG GET, SET and REWRITE, MODULE LOADEX; what is refused, and with which reason.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { Redis } from 'ioredis'
import { ensureModule } from '#lib/setup/module-build.js'
import type { Directive } from '#lib/servers/server-process.js'
import { forEachServer, startServer, until } from '../helpers/index.js'
import { errorOf, ledger } from './faults.js'

const modulePath = (await ensureModule(() => undefined)).path

interface Setting {
  readonly fallback: string
  /** Other values, and what CONFIG GET says of them if it says it otherwise. */
  readonly valid: readonly (readonly [string, string?])[]
  readonly invalid: readonly string[]
  readonly immutable?: true
}

const mebibyte = 1 << 20
const path = (fallback: string): Setting => ({
  fallback,
  valid: [['/tmp'], ['']],
  invalid: ['/a\r/b'],
  immutable: true,
})

const settings: Readonly<Record<string, Setting>> = {
  'ferrite.plugins-dir': path(''),
  'ferrite.state-dir': path(''),
  'ferrite.node-path': path(''),
  'ferrite.host-path': path(''),
  'ferrite.socket-dir': {
    fallback: '/tmp',
    valid: [['/tmp'], ['.']],
    invalid: [`/${'x'.repeat(80)}`],
    immutable: true,
  },
  'ferrite.host-mode': { fallback: 'spawn', valid: [['external'], ['spawn']], invalid: ['no'], immutable: true },
  'ferrite.dynamic-commands': { fallback: 'yes', valid: [['no'], ['yes']], invalid: ['maybe'], immutable: true },
  'ferrite.enable-plugin-command': {
    fallback: 'local',
    valid: [['no'], ['yes'], ['local']],
    invalid: ['maybe'],
    immutable: true,
  },
  'ferrite.plugin-user': { fallback: '', valid: [['default'], ['']], invalid: ['a\nb'] },
  'ferrite.request-timeout': { fallback: '5000', valid: [['1'], ['86400000']], invalid: ['0', '-1', '86400001', 'x'] },
  'ferrite.sync-timeout': { fallback: '5', valid: [['1'], ['1000']], invalid: ['0', '1001', ''] },
  'ferrite.sync-budget': { fallback: '20', valid: [['1'], ['10000']], invalid: ['0', '10001', '1.5'] },
  'ferrite.lane-buffer': {
    fallback: String(64 * mebibyte),
    valid: [['1mb', String(mebibyte)], [String(2 * mebibyte)]],
    invalid: ['1', '20gb', '-1'],
  },
  'ferrite.buffer-total': {
    fallback: String(256 * mebibyte),
    valid: [
      ['1mb', String(mebibyte)],
      ['64gb', String(65536 * mebibyte)],
    ],
    invalid: ['1', '65gb'],
  },
  'ferrite.batch': { fallback: '64', valid: [['1'], ['1024']], invalid: ['0', '1025'] },
  'ferrite.max-inflight': { fallback: '16384', valid: [['1'], ['1000000']], invalid: ['0', '1000001'] },
  'ferrite.max-lanes': { fallback: '16', valid: [['2'], ['256']], invalid: ['1', '257'] },
  'ferrite.log-level': {
    fallback: 'notice',
    valid: [['debug'], ['verbose'], ['warning'], ['notice']],
    invalid: ['loud'],
  },
}

async function valueOf(client: Redis, name: string): Promise<string | undefined> {
  const [, value] = await client.config('GET', name)
  return value
}

/** Settings that a server can run with, each other than its default. */
const others: readonly Directive[] = [
  ['ferrite.host-mode', 'external'],
  ['ferrite.dynamic-commands', 'no'],
  ['ferrite.enable-plugin-command', 'no'],
  ['ferrite.socket-dir', '.'],
  ['ferrite.node-path', '/a/no de'], // no quote: CONFIG REWRITE of Valkey 8.1.1 does not escape it
  ['ferrite.host-path', '/a b/main.js'],
  ['ferrite.plugin-user', 'some body'],
  ['ferrite.request-timeout', '1234'],
  ['ferrite.sync-timeout', '7'],
  ['ferrite.sync-budget', '70'],
  ['ferrite.lane-buffer', String(3 * mebibyte)],
  ['ferrite.buffer-total', String(5 * mebibyte)],
  ['ferrite.batch', '3'],
  ['ferrite.max-inflight', '77'],
  ['ferrite.max-lanes', '9'],
  ['ferrite.log-level', 'verbose'],
]

forEachServer(test, 'faults: every setting has its default, range and rights', async (t, program) => {
  await using server = await startServer({ server: program, module: false, config: [['loadmodule', modulePath]] })
  const client = await server.client()
  const all = await client.config('GET', 'ferrite.*')
  const names = all.filter((_, i) => i % 2 === 0).sort()
  t.deepEqual(names, Object.keys(settings).sort(), 'a setting that this test does not know, or that is not there')
  for (const [name, { fallback, valid, invalid, immutable }] of Object.entries(settings)) {
    t.is(await valueOf(client, name), fallback, name)
    if (immutable === true) {
      for (const [value] of valid) {
        t.regex(await errorOf(client, 'CONFIG', 'SET', name, value), /can't set immutable config/, `${name} ${value}`)
      }
      continue
    }
    for (const value of invalid) {
      const error = await errorOf(client, 'CONFIG', 'SET', name, value)
      t.regex(
        error,
        /must be between|must be one of|couldn't be parsed|must be a memory value|must not hold/,
        `${name} ${value}`,
      )
      t.is(await valueOf(client, name), fallback, name)
    }
    for (const [value, seen] of valid) {
      t.is(await client.config('SET', name, value), 'OK')
      t.is(await valueOf(client, name), seen ?? value, name)
    }
    t.is(await client.config('SET', name, fallback), 'OK')
  }
})

forEachServer(test, 'faults: values of redis.conf hold, survive CONFIG REWRITE and a restart', async (t, program) => {
  await using server = await startServer({ server: program, config: others })
  const client = await server.client()
  for (const [name, value] of others) t.is(await valueOf(client, name), value, name)
  t.is(await client.config('SET', 'ferrite.batch', '5'), 'OK')
  t.is(await client.config('REWRITE'), 'OK')
  const lines = (await readFile(join(server.folder, 'redis.conf'), 'utf8')).split('\n')
  const kept = lines.filter((line) => line.startsWith('ferrite.') || line.startsWith('loadmodule '))
  const directives = kept.map((line): Directive => {
    const parts = line.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []
    return parts.map((one) => (one.startsWith('"') ? (JSON.parse(one) as string) : one)) as unknown as Directive
  })
  await using again = await startServer({ server: program, module: false, config: directives })
  const second = await again.client()
  for (const [name, value] of others) {
    t.is(await valueOf(second, name), name === 'ferrite.batch' ? '5' : value, name)
  }
})

forEachServer(test, 'faults: MODULE LOADEX takes every setting', async (t, program) => {
  const config = { 'enable-module-command': 'yes' }
  await using server = await startServer({ server: program, module: false, config })
  const client = await server.client()
  const words = others.flatMap(([name, value]) => ['CONFIG', name, value ?? ''])
  t.is(await client.call('MODULE', 'LOADEX', modulePath, ...words), 'OK')
  for (const [name, value] of others) t.is(await valueOf(client, name), value, name)
})

forEachServer(test, 'faults: what CONFIG SET changes is in force at once', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [ledger] })
  const client = await server.client()
  await client.config('SET', 'ferrite.request-timeout', '100')
  const begun = performance.now()
  t.regex(await errorOf(client, 'LEDGER.WAIT'), /^TIMEOUT /)
  t.true(performance.now() - begun < 30_000)
  await client.config('SET', 'ferrite.request-timeout', '60000')
  await client.config('SET', 'ferrite.sync-timeout', '20')
  const [[error] = []] = (await client.multi().call('LEDGER.SLOW', 'k', 'late', '200').exec()) ?? []
  t.regex(String(error), /TIMEOUT /)
  await client.config('SET', 'ferrite.sync-timeout', '1000')
  // A missed deadline changes nothing, and the lane is trusted again when it has answered.
  const slow = async (): Promise<unknown> => {
    const [[, reply] = []] = (await client.multi().call('LEDGER.SLOW', 'k', 'x', '100').exec()) ?? []
    return reply
  }
  t.is(await until(slow, { what: 'the lane to be used in transactions again' }), 1)
  t.deepEqual(await client.lrange('k', 0, -1), ['x'])
})
