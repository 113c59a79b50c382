// Plugins that do what they must not: each takes its own worker down, never the server and never another plugin.
import test from 'ava'
import type { Redis } from 'ioredis'
import { forEachServer, startServer, until, type TestServer } from '../helpers/index.js'
import { assertLives, count, errorOf, figure, havoc, hostPid, ledger, served } from './faults.js'
import { Load } from './load.js'

interface PluginState {
  readonly state: string
  readonly restarts: number
}

async function stateOf(client: Redis, plugin: string): Promise<PluginState> {
  const line = new RegExp(`ferrite_plugin_${plugin}:.*state=(\\w+),restarts=(\\d+)`).exec(await client.info('ferrite'))
  return { state: line?.[1] ?? 'none', restarts: Number(line?.[2] ?? 0) }
}

/** Waits until the plugin has been started again and answers. */
async function restarted(client: Redis, restarts: number): Promise<void> {
  await until(async () => (await stateOf(client, 'havoc')).restarts > restarts, {
    what: 'another start of the plugin havoc',
  })
  await served(client, 'HAVOC.PING')
}

/** What waits for the plugin while it crashes is answered at once, and the rest goes on. */
async function crash(server: TestServer, load: Load, command: string): Promise<string> {
  const client = await server.client()
  const waiting = await server.client()
  await served(client, 'HAVOC.PING')
  const { restarts } = await stateOf(client, 'havoc')
  const wait = errorOf(waiting, 'HAVOC.WAIT')
  const cause = client.call(command).catch((err: unknown) => err)
  await load.flows()
  const error = await wait
  await cause
  await restarted(await server.client(), restarts)
  return error
}

forEachServer(test, 'faults: a plugin that loops, or eats memory, ends alone', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [ledger, havoc] })
  const client = await server.client()
  const pid = await hostPid(client)
  await using load = Load.start(server, { clients: count(t, 'clients', 12, 48) })
  for (const command of ['HAVOC.LOOP', 'HAVOC.HEAP', 'HAVOC.BUFFERS']) {
    t.regex(await crash(server, load, command), /^UNAVAILABLE /, command)
  }
  await load.stop(t)
  t.is(load.number('refused'), 0, 'another plugin was affected')
  await load.verify(t, client)
  t.is(await hostPid(client), pid)
  t.is((await stateOf(client, 'ledger')).restarts, 0)
  t.is(await figure(client, 'inflight'), 0)
  const log = await server.log()
  t.regex(log, /crashed \(no answer for \d+ s: an endless loop/)
  t.regex(log, /crashed \(out of memory: the heap's limit is/)
  t.regex(log, /crashed \(out of memory: \d+ MiB outside the heap \(Buffers\)/)
})

forEachServer(test, 'faults: a plugin that throws null, rejects or exits ends alone', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [ledger, havoc] })
  const client = await server.client()
  const pid = await hostPid(client)
  await using load = Load.start(server, { clients: count(t, 'clients', 12, 48) })
  t.regex(await errorOf(client, 'HAVOC.THROW'), /^ERR plugin havoc failed/)
  t.is((await stateOf(client, 'havoc')).restarts, 0, 'what a handler throws is no crash')
  for (const command of ['HAVOC.THROWLATER', 'HAVOC.REJECT', 'HAVOC.EXIT']) {
    t.regex(await crash(server, load, command), /^UNAVAILABLE /, command)
  }
  await load.stop(t)
  t.is(load.number('refused'), 0, 'another plugin was affected')
  await load.verify(t, client)
  t.is(await hostPid(client), pid)
  t.is(await figure(client, 'inflight'), 0)
  assertLives(t, server)
})

forEachServer(test, 'faults: after five crashes within a minute a plugin is given up', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [ledger, havoc] })
  const client = await server.client()
  for (let crashes = 1; crashes <= 5; crashes++) {
    await served(client, 'HAVOC.PING')
    await client.call('HAVOC.EXIT').catch(() => undefined)
    const isDown = async (): Promise<boolean> => /crashed|failed/.test(await errorOf(client, 'HAVOC.PING'))
    if (crashes === 5) await until(isDown, { what: 'the plugin to be given up' })
    else await restarted(client, crashes - 1)
  }
  t.is((await stateOf(client, 'havoc')).state, 'failed')
  t.regex(await errorOf(client, 'HAVOC.PING'), /^UNAVAILABLE plugin havoc failed: 5 crashes within 60 s/)
  t.is(await served(client, 'LEDGER.COUNT', 'k'), 1)
})

forEachServer(test, 'faults: line breaks in what a plugin throws do not break the protocol', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [havoc] })
  const client = await server.client()
  await client.call('HAVOC.THROWLINES')
  // Its replies are told apart by their order: a surplus line would shift all that follow.
  const seen = new Set<string>()
  const crashed = async (): Promise<boolean> => {
    const replies = await Promise.all([
      client.call('HAVOC.PING').catch((err: unknown) => String(err)),
      client.echo('a'),
      client.echo('b'),
    ])
    seen.add(String(replies[0]))
    t.deepEqual(replies.slice(1), ['a', 'b'])
    return String(replies[0]).includes('crashed')
  }
  await until(crashed, { what: 'the crash to be told', intervalMs: 1 })
  t.log([...seen])
  await served(client, 'HAVOC.PING')
})

forEachServer(test, 'faults: a plugin that kills the whole host has it started again', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [ledger, havoc] })
  const client = await server.client()
  await using load = Load.start(server, { clients: count(t, 'clients', 12, 48) })
  for (const signal of ['SIGKILL', 'SIGABRT', 'SIGTERM']) {
    await served(client, 'HAVOC.PING')
    const pid = await hostPid(client)
    await client.call('HAVOC.KILL', signal).catch(() => undefined)
    await hostPid(client, pid)
    await load.flows(2)
  }
  await load.stop(t)
  await load.verify(t, client)
})
