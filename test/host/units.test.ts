import test from 'ava'
import { Heartbeat, kBeatMs, kStartMs, kStuckMs } from '#lib/host/heartbeat.js'
import { planWorkers, type HostedPlugin } from '#lib/host/hosted-plugin.js'
import { consoleLine, limitRate } from '#lib/host/log-lines.js'
import { createLogger, setLevel } from '#lib/host/log.js'
import { createWorkerLogger } from '#lib/host/worker-log.js'
import { kCrashWindowMs, RestartPolicy } from '#lib/host/restart-policy.js'
import { thrownText } from '#lib/host/errors.js'

function watched() {
  let now = 0
  const heartbeat = new Heartbeat(() => now)
  const seen = { asked: 0, stuck: 0 }
  const thread = { ask: () => seen.asked++, stuck: () => seen.stuck++ }
  heartbeat.watch(thread)
  const tick = (ms = kBeatMs): void => {
    now += ms
    heartbeat.tick()
  }
  return { heartbeat, seen, thread, tick }
}

test('heartbeat: a thread that does not answer is stuck after its time', (t) => {
  const { heartbeat, seen, thread, tick } = watched()
  tick()
  heartbeat.beat(thread)
  for (let ms = 0; ms < kStuckMs; ms += kBeatMs) tick()
  t.is(seen.stuck, 0)
  tick()
  t.is(seen.stuck, 1)
  tick()
  t.is(seen.stuck, 1)
})

test('heartbeat: a thread that answers is left alone, and one that starts has more time', (t) => {
  const { heartbeat, seen, thread, tick } = watched()
  for (let ms = 0; ms < kStartMs - kBeatMs; ms += kBeatMs) tick()
  for (let round = 0; round < 100; round++) {
    heartbeat.beat(thread)
    tick()
  }
  t.is(seen.stuck, 0)
})

test('heartbeat: time in which the supervisor itself did not run does not count', (t) => {
  const { heartbeat, seen, thread, tick } = watched()
  tick()
  heartbeat.beat(thread)
  tick()
  for (let round = 0; round < 20; round++) tick(10_000)
  t.is(seen.stuck, 0)
})

test('restart: the delay doubles, five crashes in a minute are the end, a healthy time forgives', (t) => {
  const policy = new RestartPolicy()
  t.deepEqual(
    [0, 100, 300, 700, 1500].map((now) => policy.crashed(now)),
    [{ delayMs: 100 }, { delayMs: 200 }, { delayMs: 400 }, { delayMs: 800 }, 'give up'],
  )
  const patient = new RestartPolicy()
  const delays = Array.from({ length: 10 }, (_, turn) => patient.crashed(turn * 20_000))
  t.deepEqual(delays.at(-1), { delayMs: 10_000 })
  t.deepEqual(patient.crashed(9 * 20_000 + kCrashWindowMs + 1), { delayMs: 100 })
})

function plugin(name: string, isolation: 'shared' | 'worker' = 'worker', limits = {}): HostedPlugin {
  const manifest = { name, isolation, limits } as HostedPlugin['manifest'] // the plan looks at nothing else
  return { name, version: '1.0.0', folder: '/x', entry: '/x/index.js', manifest }
}

test('workers: each plugin has its own, shared ones have one together, and so have those beyond the number', (t) => {
  const names = (count: number, ...plugins: HostedPlugin[]) =>
    planWorkers(plugins, count).map((plan) => plan.plugins.map(({ name }) => name).join('+'))
  t.deepEqual(names(5, plugin('a'), plugin('b'), plugin('c', 'shared'), plugin('d', 'shared')), ['a', 'b', 'c+d'])
  t.deepEqual(names(2, plugin('a'), plugin('b'), plugin('c')), ['a', 'b+c'])
  t.deepEqual(names(3, plugin('a'), plugin('b'), plugin('c')), ['a', 'b', 'c'])
  t.deepEqual(names(1, plugin('a'), plugin('b')), ['a+b'])
  t.deepEqual(names(4), [])
  const [plan] = planWorkers([plugin('a', 'shared', { heapMiB: 32 }), plugin('b', 'shared')], 3)
  t.is(plan?.limits.heapMb, 32 + 128)
})

test('log: a line has level, name, message and fields, and no line break', (t) => {
  const lines: string[] = []
  const log = createLogger({ name: 'demo', level: 'debug', sink: (line) => lines.push(line) })
  log.info({ gone: 3, who: 'a b', key: 'k' }, 'counted')
  log.warn('two\nlines')
  log.debug({ nested: { a: [1] } })
  log.error({ err: new Error('boom') }, 'failed')
  t.is(lines[0], '<6>demo: counted gone=3 who="a b" key=k')
  t.is(lines[1], '<4>demo: two\\nlines')
  t.is(lines[2], '<7>demo: nested={"a":[1]}')
  t.regex(lines[3] ?? '', /^<3>demo: failed err="Error: boom\\n {4}at /)
  log.info('x'.repeat(10_000))
  t.true((lines[4]?.length ?? 0) < 4096)
})

test("log: levels below the server's are not written, and console.log is a notice", (t) => {
  const lines: string[] = []
  const log = createLogger({ name: 'demo', level: 'warning', sink: (line) => lines.push(line) })
  log.info('not written')
  log.warn('written')
  setLevel(log, 'notice')
  log.info('written since')
  t.deepEqual(lines, ['<4>demo: written', '<6>demo: written since'])
  t.is(consoleLine('demo', 'log', ['a %d', 1, { b: 2 }]), '<5>demo: a 1 { b: 2 }')
})

test('log: entries of a worker carry fields that can be sent, and none below the level', (t) => {
  const entries: { level: string; text: string; fields?: string }[] = []
  let level = 'warning'
  const log = createWorkerLogger(
    'demo',
    () => level,
    (entry) => entries.push(entry),
  )
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic
  log.info('not sent')
  log.warn({ big: 2n ** 64n, nested: { err: new Error('inner') } }, 'text')
  log.error(new Error('itself'))
  log.error(cyclic, 'cyclic')
  t.deepEqual(
    entries.map(({ level, text }) => [level, text]),
    [
      ['warn', 'text'],
      ['error', ''],
      ['error', 'cyclic'],
    ],
  )
  t.regex(entries[0]?.fields ?? '', /^\{"big":"18446744073709551616","nested":\{"err":"Error: inner\\n/)
  t.regex(entries[1]?.fields ?? '', /^\{"err":"Error: itself\\n/)
  t.regex(entries[2]?.fields ?? '', /cannot be written: TypeError/)
  level = 'notice'
  log.debug('not sent')
  log.info('sent')
  t.deepEqual(entries.slice(3), [{ type: 'entry', plugin: 'demo', level: 'info', text: 'sent' }] as never)
})

test('log: a flood is cut and counted', (t) => {
  const lines: string[] = []
  let now = 0
  const line = limitRate(
    (text: string) => lines.push(text),
    3,
    (text) => text,
    () => now,
  )
  for (let i = 0; i < 10; i++) line(String(i))
  now = 1000
  line('next second')
  t.deepEqual(lines, ['0', '1', '2', '<4>7 log lines were dropped: more than 3 in a second', 'next second'])
})

test('errors: the text of anything that can be thrown', (t) => {
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic
  t.is(thrownText(new TypeError('x')), 'x')
  t.is(thrownText('text'), 'text')
  t.is(thrownText(null), 'a value that is no Error was thrown: null')
  t.is(thrownText(undefined), 'a value that is no Error was thrown: undefined')
  t.is(thrownText({ a: 1 }), 'a value that is no Error was thrown: { a: 1 }')
  t.is(thrownText(cyclic), 'a value that is no Error was thrown: <ref *1> { self: [Circular *1] }')
})
