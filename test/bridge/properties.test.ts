import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { ByteWriter } from '#lib/bridge/byte-writer.js'
import { FrameParser, type Frame } from '#lib/bridge/frame.js'
import { decodeFromHost, decodeFromModule, encodeMessage, type Message } from '#lib/bridge/messages.js'
import { ProtocolError } from '#lib/bridge/protocol-error.js'
import {
  decodeResp,
  encodeResp,
  RespError,
  respInteger,
  RespMap,
  RespSet,
  RespVerbatim,
  type RespValue,
} from '#lib/bridge/resp.js'
import { testFile } from '../helpers/paths.js'
import { readVectors, reviveMessage } from './vectors.js'

const kRuns = Number(process.env['FERRITE_TEST_RUNS'] ?? 300)
const vectors = readVectors(testFile('bridge/vectors.json'))

/** Runs a property; the seed is printed so that a failure can be repeated. */
function holds<T>(t: ExecutionContext, property: fc.IProperty<T>, numRuns = kRuns): void {
  const result = fc.check(property, { numRuns })
  t.false(result.failed, `seed ${result.seed}, path ${result.counterexamplePath}: ${fc.defaultReportMessage(result)}`)
}

const bytes = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array))
const line = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replace(/[\r\n]/g, ''))
const word = line.map((text) => text.replaceAll(' ', ''))
const i64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const isSafe = (value: bigint): boolean =>
  value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= -BigInt(Number.MAX_SAFE_INTEGER)

const respValue = fc.letrec<{ value: RespValue; scalar: RespValue }>((tie) => ({
  scalar: fc.oneof(
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    i64.filter((value) => !isSafe(value)),
    fc.bigInt({ min: 2n ** 64n, max: 2n ** 200n }),
    fc.double().filter((value) => !Number.isSafeInteger(value) || Object.is(value, -0)),
    line,
    bytes,
    fc.tuple(word, line).map(([code, text]) => new RespError(code, text)),
    bytes.map((text) => new RespVerbatim('txt', text)),
  ),
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('scalar'),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map((entries) => new RespMap(entries)),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => new RespSet(items)),
  ),
})).value

test('resp: any value comes back as it was written', (t) => {
  holds(
    t,
    fc.property(respValue, (value) => {
      const writer = new ByteWriter()
      encodeResp(writer, value)
      return t.deepEqual(decodeResp(writer.take()), value)
    }),
  )
})

test('resp: any bytes decode or throw ProtocolError', (t) => {
  const respLike = fc.string({
    unit: fc.constantFrom(...Array.from('$:+*_-%,#~(=@!|>0123456789tfeinaTX.\r\n \0')),
    maxLength: 40,
  })
  const lined = fc.array(respLike, { maxLength: 6 }).map((lines) => Buffer.from(lines.join('\r\n')))
  holds(
    t,
    fc.property(fc.oneof(bytes, lined), (garbage) => decodesOrRefuses(() => decodeResp(garbage))),
    kRuns * 10,
  )
})

test('resp: any valid value with a byte changed, cut or added decodes or throws ProtocolError', (t) => {
  holds(
    t,
    fc.property(respValue, fc.nat(), fc.nat(255), (value, place, byte) => {
      const writer = new ByteWriter()
      encodeResp(writer, value)
      const whole = writer.take()
      const at = place % whole.length
      const changed = Buffer.from(whole)
      changed[at] = byte
      const longer = Buffer.concat([whole, Buffer.from([byte])])
      return [changed, whole.subarray(0, at), longer].every((damaged) => decodesOrRefuses(() => decodeResp(damaged)))
    }),
  )
})

test('bridge: any bytes give frames or throw ProtocolError', (t) => {
  const header = fc.tuple(fc.nat(80), fc.nat(40), bytes).map(([length, type, rest]) => {
    return Buffer.concat([Buffer.from([length, 0, 0, 0, type, 0, 0, 0]), rest])
  })
  holds(
    t,
    fc.property(fc.array(fc.oneof(header, bytes), { maxLength: 5 }), (chunks) =>
      decodesOrRefuses(() => {
        const parser = new FrameParser((frame) => {
          decodesOrRefuses(() => decodeFromHost(frame))
          decodesOrRefuses(() => decodeFromModule(frame))
        })
        for (const chunk of chunks) parser.push(chunk)
      }),
    ),
    kRuns * 10,
  )
})

test('bridge: any message with a byte changed decodes or throws ProtocolError', (t) => {
  const all = [...vectors.hostFrames, ...vectors.moduleFrames].map((vector) => Buffer.from(vector.hex ?? '', 'hex'))
  holds(
    t,
    fc.property(fc.constantFrom(...all), fc.nat(), fc.nat(255), (whole, place, byte) => {
      const changed = Buffer.from(whole)
      changed[4 + (place % (whole.length - 4))] = byte
      return decodesOrRefuses(() => {
        new FrameParser((frame) => {
          decodesOrRefuses(() => decodeFromHost(frame))
          decodesOrRefuses(() => decodeFromModule(frame))
        }).push(changed)
      })
    }),
    kRuns * 10,
  )
})

test('bridge: any chunking of a stream gives the same frames', (t) => {
  const messages = vectors.hostFrames.map((vector) => reviveMessage(vector.message))
  const large: Message = { type: 'RESULT', id: 1, outcome: 0, reply: Buffer.alloc(300_000, 'x') }
  holds(
    t,
    fc.property(
      fc.array(fc.constantFrom(...messages, large), { maxLength: 8 }),
      fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 100_000 })), {
        minLength: 1,
        maxLength: 20,
      }),
      (list, sizes) => {
        const writer = new ByteWriter()
        for (const message of list) encodeMessage(writer, message)
        const stream = writer.take()
        t.deepEqual(parsed(stream, sizes), parsed(stream, [stream.length + 1]))
      },
    ),
    Math.ceil(kRuns / 3),
  )
})

/** The frames of a stream that is cut into pieces of the given sizes, used round and round. */
function parsed(stream: Buffer, sizes: number[]): unknown[] {
  const frames: unknown[] = []
  const parser = new FrameParser(({ type, flags, code, id, body }) => {
    frames.push({ type, flags, code, id, body: Buffer.from(body) })
  })
  for (let at = 0, turn = 0; at < stream.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    parser.push(stream.subarray(at, at + size))
    at += size
  }
  return frames
}

function decodesOrRefuses(decode: () => unknown): boolean {
  try {
    decode()
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
  }
  return true
}

test('bridge: a frame inside one chunk is not copied', (t) => {
  const writer = new ByteWriter()
  encodeMessage(writer, { type: 'DETACH', plugin: 'x', reason: 'y' })
  const chunk = writer.take()
  let frame: Frame | undefined
  new FrameParser((each) => (frame = each)).push(chunk)
  t.is(frame?.source, chunk)
})

test('bridge: a large frame in small chunks takes linear time and no memory ahead of its bytes', (t) => {
  const size = 64 * 1024 * 1024
  const head = Buffer.alloc(16)
  head.writeUInt32LE(12 + size, 0)
  head[4] = 3
  let received = 0
  const parser = new FrameParser((frame) => (received = frame.end - frame.start))
  const before = process.memoryUsage().arrayBuffers
  parser.push(head)
  t.true(process.memoryUsage().arrayBuffers - before < 1024 * 1024)
  const chunk = Buffer.alloc(8 * 1024)
  for (let sent = 0; sent < size; sent += chunk.length) parser.push(chunk)
  t.is(received, size)
})

test('bridge: a writer gives back the bytes in their order over many sizes and takes', (t) => {
  holds(
    t,
    fc.property(
      fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.nat(200_000), bytes), { maxLength: 30 }),
      (items) => {
        const writer = new ByteWriter()
        const taken: Buffer[] = []
        const expected: Buffer[] = []
        for (const item of items) {
          const piece = typeof item === 'number' ? Buffer.alloc(item, item) : item
          writer.raw(piece)
          expected.push(Buffer.from(piece as Buffer))
          if (piece.length % 3 === 0) taken.push(writer.take())
        }
        taken.push(writer.take())
        return Buffer.concat(taken).equals(Buffer.concat(expected))
      },
    ),
    Math.ceil(kRuns / 3),
  )
})

test('writer: whole numbers are written in decimal, whatever their size', (t) => {
  const edges = [0, -0, 1, 9, 10, 99, 100, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]
  const writer = new ByteWriter()
  const written = (value: number): string => {
    respInteger(writer, value)
    return writer.take().toString()
  }
  for (const value of [...edges, ...edges.map((edge) => -edge)]) t.is(written(value), `:${String(value)}\r\n`)
  holds(
    t,
    fc.property(fc.maxSafeInteger(), (value) => written(value) === `:${String(value)}\r\n`),
  )
  holds(
    t,
    fc.property(fc.integer(), (value) => written(value) === `:${String(value)}\r\n`),
  )
})
