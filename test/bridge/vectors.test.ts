import test from 'ava'
import { ByteWriter } from '#lib/bridge/byte-writer.js'
import { FrameParser, type Frame } from '#lib/bridge/frame.js'
import { decodeFromHost, decodeFromModule, encodeMessage, type Message } from '#lib/bridge/messages.js'
import { ProtocolError } from '#lib/bridge/protocol-error.js'
import { decodeResp } from '#lib/bridge/resp.js'
import { testFile } from '../helpers/paths.js'
import {
  badBytes,
  decodedForm,
  readable,
  readVectors,
  reviveMessage,
  writeReadable,
  type BadVector,
} from './vectors.js'

const vectors = readVectors(testFile('bridge/vectors.json'))

function framesOf(bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  new FrameParser((frame) => frames.push(frame)).push(bytes)
  return frames
}

function encoded(message: Message): string {
  const writer = new ByteWriter()
  encodeMessage(writer, message)
  return writer.take().toString('hex')
}

for (const { name, message, hex } of vectors.hostFrames) {
  test(`bridge: encodes and decodes ${name} of the host as its bytes say`, (t) => {
    t.is(encoded(reviveMessage(message)), hex ?? '')
    const frames = framesOf(Buffer.from(hex ?? '', 'hex'))
    t.deepEqual(frames.map(decodeFromHost).map(readable), [message])
  })
}

for (const { name, message, hex } of vectors.moduleFrames) {
  test(`bridge: encodes and decodes ${name} of the module as its bytes say`, (t) => {
    t.is(encoded(reviveMessage(message)), hex ?? '')
    const frames = framesOf(Buffer.from(hex ?? '', 'hex'))
    t.deepEqual(frames.map(decodeFromModule).map(readable), [message])
  })
}

function refuses(vector: BadVector, decode: (frame: Frame) => unknown): string {
  try {
    framesOf(badBytes(vector)).forEach(decode)
    return 'accepted'
  } catch (error) {
    return error instanceof ProtocolError ? error.code : String(error)
  }
}

for (const vector of vectors.badHostFrames) {
  test(`bridge: refuses the host frame ${vector.name}`, (t) => {
    t.is(refuses(vector, decodeFromHost), vector.code)
  })
}

for (const vector of vectors.badModuleFrames) {
  test(`bridge: refuses the module frame ${vector.name}`, (t) => {
    t.is(refuses(vector, decodeFromModule), vector.code)
  })
}

for (const { name, value, hex, decodeOnly } of [...vectors.resp, ...vectors.slots]) {
  test(`resp: ${decodeOnly === true ? 'decodes' : 'writes and decodes'} ${name} as its bytes say`, (t) => {
    if (decodeOnly !== true) {
      const writer = new ByteWriter()
      writeReadable(writer, value)
      t.is(writer.take().toString('hex'), hex ?? '')
    }
    t.deepEqual(decodeResp(Buffer.from(hex ?? '', 'hex'), { slots: true }), decodedForm(value))
  })
}

for (const vector of vectors.badResp) {
  test(`resp: refuses ${vector.name}`, (t) => {
    const error = t.throws(() => decodeResp(badBytes(vector)), { instanceOf: ProtocolError })
    const code: string = error.code
    t.is(code, vector.code)
  })
}

test('bridge: a frame has the layout of the protocol page when written by hand', (t) => {
  const bytes = '19000000' + '0c' + '00' + '0000' + '0000000000000000' + '01000000' + '78' + '04000000' + '626f6f6d'
  t.is(encoded({ type: 'DETACH', plugin: 'x', reason: 'boom' }), bytes)
})
