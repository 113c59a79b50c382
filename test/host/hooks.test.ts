import test from 'ava'
import { definePlugin, every, onKey, type KeyEventContext } from 'ferrite-plugins/sdk'
import type { Event } from '#lib/bridge/messages.js'
import { EventQueue } from '#lib/host/event-queue.js'
import { Timers } from '#lib/host/timers.js'
import type { CompiledTimer } from '#lib/sdk/compile.js'
import { until } from '../helpers/until.js'
import { hostPlugin } from './lane-host.js'

const event = (key: string, sequence = 1, more: Partial<Event> = {}): Event => ({
  type: 'EVENT',
  sequence,
  now: 1785000000000,
  db: 0,
  origin: 'client',
  oldType: 'unknown',
  oldLength: 0,
  event: 'set',
  key: Buffer.from(key),
  subscriptions: [1],
  ...more,
})

test('key events: are subscribed as the hook says and handed to it with all that is known', async (t) => {
  const seen: KeyEventContext[] = []
  const { lane } = await hostPlugin(
    t,
    definePlugin({
      name: 'hooks',
      hooks: {
        first: onKey({
          key: ['user:*', 'x'],
          events: ['set', 'expired'],
          ownWrites: true,
          oldValue: true,
          handler: (ctx) => void seen.push(ctx),
        }),
        second: onKey({ onReplica: true, handler: () => undefined }),
      },
    }),
  )
  t.deepEqual(lane.attached('hooks')?.subscriptions, [
    { id: 1, kind: 'keys', flags: 5, events: ['set', 'expired'], keys: [Buffer.from('user:*'), Buffer.from('x')] },
    { id: 2, kind: 'keys', flags: 2, events: [], keys: [] },
  ])
  lane.send(
    event('user:1', 1, { db: 3, origin: 'expire', event: 'expired', oldType: 'hash', oldLength: 5 }),
    event('x', 2),
  )
  await until(() => seen.length === 2)
  t.like(seen[0], { event: 'expired', key: 'user:1', db: 3, origin: 'expire', now: 1785000000000, dropped: 0 })
  t.deepEqual(seen[0]?.old, { type: 'hash', length: 5 })
  t.is(seen[1]?.old, null)
  t.deepEqual(seen[1]?.keyBuffer, Buffer.from('x'))
})

test('key events: one after the other, in their order, and a failing handler does not stop the next', async (t) => {
  const seen: string[] = []
  const { lane, log } = await hostPlugin(
    t,
    definePlugin({
      name: 'order',
      hooks: {
        all: onKey({
          handler: async (ctx) => {
            seen.push(`${ctx.key} begins`)
            await new Promise((resolve) => setImmediate(resolve))
            seen.push(`${ctx.key} ends`)
            if (ctx.key === 'b') throw new Error('b is bad')
          },
        }),
      },
    }),
  )
  lane.send(event('a', 1), event('b', 2), event('c', 3))
  await until(() => seen.length === 6)
  t.deepEqual(seen, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
  t.true(log.some((line) => line.startsWith('<3>order: ') && line.includes('b is bad') && line.includes('hook=all')))
})

test('key events: a gap is told with the next event, and logged', async (t) => {
  const seen: number[] = []
  const { lane, log } = await hostPlugin(
    t,
    definePlugin({ name: 'gap', hooks: { all: onKey({ handler: (ctx) => void seen.push(ctx.dropped) }) } }),
  )
  lane.send(event('a', 1), { type: 'GAP', dropped: 5 }, event('b', 7), event('c', 8))
  await until(() => seen.length === 3)
  t.deepEqual(seen, [0, 5, 0])
  t.true(log.some((line) => line.startsWith('<4>gap: ') && line.includes('dropped=5')))
})

test('key events: calls of a hook act as the plugin, in the database of the event', async (t) => {
  const { lane } = await hostPlugin(
    t,
    definePlugin({ name: 'writes', hooks: { all: onKey({ handler: (ctx) => ctx.redis.incr('gone') }) } }),
  )
  lane.send(event('a', 1, { db: 4 }))
  t.like(await lane.next('CALL'), { requestId: 0, db: 4, plugin: 'writes' })
})

test('key events: a handler that is too slow loses events, and is told how many', async (t) => {
  const seen: [string, number][] = []
  let release: () => void = () => undefined
  const queue = new EventQueue<Event>(
    (each, dropped) => {
      seen.push([each.key.toString(), dropped])
      return each.key.toString() === 'first' ? new Promise<void>((resolve) => (release = resolve)) : undefined
    },
    () => t.fail(),
    3,
  )
  queue.push(event('first'))
  for (const key of ['a', 'b', 'c', 'd', 'e']) queue.push(event(key))
  t.is(queue.length, 3)
  release()
  await queue.idle
  queue.push(event('last'))
  t.deepEqual(seen, [['first', 0], ['a', 2], ['b', 0], ['c', 0], ['last', 0]]) // prettier-ignore
})

function timer(handler: () => unknown, onReplica = false): CompiledTimer {
  return { name: 'tick', kind: 'every', everyMs: 10, onReplica, handler }
}

test('timers: run again and again, act as the plugin, and a failing run does not stop the next', async (t) => {
  let runs = 0
  const { lane, log } = await hostPlugin(
    t,
    definePlugin({
      name: 'timers',
      hooks: {
        tick: every('10ms', async (ctx) => {
          runs++
          if (runs === 1) throw new Error('first run')
          await ctx.redis.incr('ticks')
        }),
      },
    }),
  )
  t.like(await lane.next('CALL'), { requestId: 0, db: 0, plugin: 'timers' })
  await until(() => runs > 3)
  t.true(log.some((line) => line.includes('first run') && line.includes('timer=tick')))
})

test('timers: do not run on a replica unless asked, nor while the server loads', async (t) => {
  const state = { primary: false, loading: false, shuttingDown: false }
  const runs: string[] = []
  const timers = new Timers({
    timers: [timer(() => runs.push('primary')), timer(() => runs.push('both'), true)],
    state: () => state,
    run: (each) => each.handler({} as never),
    onError: () => t.fail(),
  })
  timers.start()
  await until(() => runs.length > 3)
  t.false(runs.includes('primary'))
  state.primary = true
  await until(() => runs.includes('primary'))
  await timers.stop()
})

test('timers: a run is not started while the last one goes on, and stop waits for it', async (t) => {
  let started = 0
  let ended = 0
  let others = 0
  const ends: (() => void)[] = []
  const state = { primary: true, loading: false, shuttingDown: false }
  const slow = async (): Promise<void> => {
    started++
    await new Promise<void>((resolve) => ends.push(resolve))
    ended++
  }
  const timers = new Timers({
    timers: [timer(slow), timer(() => others++)],
    state: () => state,
    run: (each) => each.handler({} as never),
    onError: () => t.fail(),
  })
  timers.start()
  // The other timer shows that time has passed.
  await until(() => others > 3)
  t.deepEqual([started, ended], [1, 0])
  ends.pop()?.()
  await until(() => started === 2)
  t.is(ended, 1)
  let isStopped = false
  const stopped = timers.stop().then(() => (isStopped = true))
  await new Promise((resolve) => setImmediate(resolve))
  t.false(isStopped)
  ends.pop()?.()
  await stopped
  t.deepEqual([started, ended], [2, 2])
})

test('timers: a cron pattern with seconds fires', async (t) => {
  let runs = 0
  const state = { primary: true, loading: false, shuttingDown: false }
  const timers = new Timers({
    timers: [
      {
        name: 'cron',
        kind: 'cron',
        cron: '* * * * * *',
        timezone: 'Europe/Berlin',
        onReplica: false,
        handler: () => undefined,
      },
    ],
    state: () => state,
    run: () => runs++,
    onError: () => t.fail(),
  })
  timers.start()
  await until(() => runs > 0)
  await timers.stop()
  t.true(runs > 0)
})

test('plugin: teardown runs once with a signal that has fired, and is not waited for beyond its time', async (t) => {
  const seen: boolean[] = []
  const { plugin, log } = await hostPlugin(
    t,
    definePlugin({
      name: 'ends',
      teardown: (ctx) => {
        seen.push(ctx.signal.aborted)
        return new Promise(() => undefined)
      },
    }),
  )
  await plugin.stop(50)
  t.deepEqual(seen, [true])
  t.true(log.some((line) => line.includes('teardown() had not ended in time')))
})
