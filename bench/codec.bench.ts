// Topic codec: functions of the host's hot path, one by one, by benchmark.js. A thread of the host has some 3 µs for a
// request; what these take is part of it.
import Benchmark from 'benchmark'
import { ByteWriter } from '#lib/bridge/byte-writer.js'
import { beginFrame, endFrame, FrameParser, type Frame } from '#lib/bridge/frame.js'
import { decodeInvoke, MessageType, Outcome } from '#lib/bridge/messages.js'
import { decodeResp } from '#lib/bridge/resp.js'
import { compilePlugin, type CompiledCommand } from '#lib/sdk/compile.js'
import { encodeReply } from '#lib/sdk/encode-reply.js'
import { arg, command, definePlugin } from '#lib/sdk/index.js'
import { ownFunction, type Measured } from './harness/functions.js'
import type { BenchOptions } from './harness/options.js'
import type { Report } from './harness/report.js'

const kFrames = 50

export function benchCodec(options: BenchOptions, say: (line: string) => void): Report {
  const seconds = options.isQuick ? 0.3 : 2
  const results = [...cases()].map(([name, work]) => {
    if (options.rows.length > 0 && !options.rows.includes(name)) return undefined
    say(name)
    return measured(name, work, seconds)
  })
  const kept = results.filter((one) => one !== undefined)
  if (kept.length === 0)
    throw new RangeError(`no row ${options.rows.join(', ')}; there are ${[...cases().keys()].join(', ')}`)
  return { topic: 'codec', rows: kept.map(ownFunction) }
}

function measured(name: string, { what, each = 1, run }: Case, seconds: number): Measured {
  const bench = new Benchmark(name, run, { minTime: seconds / 5, maxTime: seconds })
  bench.run()
  if (bench.aborted) throw bench.error
  return { name, what, samples: bench.stats.sample.map((one) => (one * 1e9) / each) }
}

interface Case {
  readonly what: string
  /** Things that one run does. Default 1. */
  readonly each?: number
  readonly run: () => unknown
}

function cases(): ReadonlyMap<string, Case> {
  const chunk = invokes(kFrames)
  const frames: Frame[] = []
  new FrameParser((frame) => frames.push(frame)).push(chunk)
  const [frame] = frames
  if (frame === undefined) throw new Error('no frame was parsed')
  return new Map<string, Case>([
    ['parse-frames', parseFrames(chunk)],
    ['decode-invoke', { what: 'one INVOKE with three arguments and a read', run: () => decodeInvoke(frame) }],
    ['decode-reads', decodeReads()],
    ...argumentCases(),
    ...replyCases(),
    ['encode-result', encodeResult()],
  ])
}

function parseFrames(chunk: Buffer): Case {
  let seen = 0
  const parser = new FrameParser(() => seen++)
  return { what: `a frame, out of a chunk of ${kFrames}`, each: kFrames, run: () => parser.push(chunk) }
}

function decodeReads(): Case {
  const bytes = Buffer.from('$17\r\n1763812345678.125\r\n')
  return { what: 'a bulk string', run: () => decodeResp(bytes) }
}

function argumentCases(): [string, Case][] {
  const parser = commandWith()
  const words = ['a-key-of-some-length', '100', '60000'].map((word) => Buffer.from(word))
  const more = [...words, Buffer.from('COST'), Buffer.from('5')]
  return [
    ['parse-arguments', { what: 'a key and two integers', run: () => parser.parse(words) }],
    ['parse-option', { what: 'the same and an option with a value', run: () => parser.parse(more) }],
  ]
}

function replyCases(): [string, Case][] {
  const writer = new ByteWriter()
  const map = { allowed: true, remaining: 99, 'retry-after-ms': 0, 'reset-after-ms': 600 }
  const list = Array.from({ length: 100 }, (_, i) => `member:${i}`)
  const reply = (value: unknown) => (): void => {
    encodeReply(writer, value)
    writer.take()
  }
  return [
    ['encode-text', { what: 'a reply of 20 characters', run: reply('twenty characters ok') }],
    ['encode-map', { what: 'a reply of four fields', run: reply(map) }],
    ['encode-list', { what: 'an item, in a reply of 100', each: 100, run: reply(list) }],
  ]
}

function encodeResult(): Case {
  const writer = new ByteWriter()
  const run = (): void => {
    const at = beginFrame(writer, MessageType.RESULT, 0, Outcome.done, 7)
    writer.u32(0)
    const start = writer.length
    encodeReply(writer, 'twenty characters ok')
    writer.patchU32(start - 4, writer.length - start)
    endFrame(writer, at)
    writer.take()
  }
  return { what: 'a whole RESULT', run }
}

function commandWith(): CompiledCommand {
  const limits = { max: arg.integer({ min: 1 }), window: arg.integer({ min: 1 }) }
  const args = { bucket: arg.key('rw'), ...limits, cost: arg.integer({ min: 1 }).token('COST').default(1) }
  const plugin = compilePlugin(
    definePlugin({ name: 'bench', commands: { 'BENCH.ARGS': command({ summary: 'None', args, handler: () => 1 }) } }),
  )
  const [compiled] = plugin.commands
  if (compiled === undefined) throw new Error('the plugin has no command')
  return compiled
}

/** What the module sends for a rate limiter's request. */
function invokes(count: number): Buffer {
  const writer = new ByteWriter()
  for (let id = 1; id <= count; id++) {
    const at = beginFrame(writer, MessageType.INVOKE, 32, 0, id)
    writer.u64(1234)
    writer.u32(0)
    writer.u8(2)
    writer.u64(1_763_812_345_678)
    writer.u32(5000)
    writer.str('default')
    writer.u32(3)
    for (const word of ['a-key-of-some-length', '100', '60000']) writer.str(word)
    writer.u32(1)
    writer.str('$17\r\n1763812345678.125\r\n')
    endFrame(writer, at)
  }
  return writer.take()
}
