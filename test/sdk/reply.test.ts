import test from 'ava'
import fc from 'fast-check'
import { ByteWriter } from '#lib/bridge/byte-writer.js'
import { decodeResp, RespError, RespMap, RespSet, RespVerbatim, type RespValue } from '#lib/bridge/resp.js'
import { encodeReply } from '#lib/sdk/encode-reply.js'
import { CommitResult, PluginError, reply } from 'ferrite-plugins/sdk'

function encoded(value: unknown, committed = 0): string {
  const w = new ByteWriter()
  encodeReply(w, value, committed)
  return w.take().toString('utf8').replaceAll('\r\n', ' ')
}

test('reply: plain values', (t) => {
  t.is(encoded(null), '_ ')
  t.is(encoded(true), '#t ')
  t.is(encoded('größe'), '$7 größe ')
  t.is(encoded(''), '$0  ')
  t.is(encoded(Buffer.from([0x61])), '$1 a ')
  t.is(encoded(new Uint8Array([0x61, 0x62]).subarray(1)), '$1 b ')
  t.is(encoded(42), ':42 ')
  t.is(encoded(-0), ':0 ')
  t.is(encoded(1.5), ',1.5 ')
  t.is(encoded(2 ** 53), ',9007199254740992 ')
  t.is(encoded(Infinity), ',inf ')
  t.is(encoded(2n ** 63n - 1n), ':9223372036854775807 ')
  t.is(encoded(2n ** 63n), '(9223372036854775808 ')
  t.is(encoded([1, ['a', null]]), '*2 :1 *2 $1 a _ ')
  t.is(encoded({ a: 1, b: [] }), '%2 $1 a :1 $1 b *0 ')
  t.is(encoded(Object.create(null)), '%0 ')
  t.is(
    encoded(
      new Map<unknown, unknown>([
        [1, 'a'],
        ['k', 2],
      ]),
    ),
    '%2 :1 $1 a $1 k :2 ',
  )
  t.is(encoded(new Set(['a'])), '~1 $1 a ')
})

test('reply: markers', (t) => {
  t.is(encoded(reply.error('NOTFOUND', 'no such\r\nthing')), '-NOTFOUND no such thing ')
  t.is(encoded(new PluginError('ERR', 'a')), '-ERR a ')
  t.is(encoded(reply.simple('OK')), '+OK ')
  t.is(encoded(reply.verbatim('# a', 'mkd')), '=7 mkd:# a ')
  t.is(encoded(reply.verbatim(Buffer.from('a'))), '=5 txt:a ')
  t.is(encoded(reply.double(2)), ',2 ')
  t.is(encoded(reply.bigNumber(1n)), '(1 ')
  t.is(encoded(reply.set([1, 2])), '~2 :1 :2 ')
  t.is(encoded(reply.map([[reply.double(1), [new CommitResult(1)]]]), 2), '%1 ,1 *1 @1 ')
  t.is(encoded(new CommitResult(0), 1), '@0 ')
  t.throws(() => reply.error('bad code', 'x'), {
    instanceOf: RangeError,
    message: /error code "bad code" is not valid/,
  })
})

test('reply: what RESP cannot carry is refused, by its place, and leaves nothing behind', (t) => {
  const w = new ByteWriter()
  w.raw('before')
  const message = (value: unknown): string => t.throws(() => encodeReply(w, value)).message
  const undefinedHint = "is undefined; return null, 'OK' or leave the field out"
  t.is(message(undefined), `reply ${undefinedHint}`)
  t.is(message({ a: [1, undefined] }), `reply.a[1] ${undefinedHint}`)
  t.is(message(new Map([['k', undefined]])), `reply.k ${undefinedHint}`)
  t.is(message([Promise.resolve(1)]), 'reply[0] is a promise; await it')
  t.regex(message(new Date()), /^reply is of type Date, which has no form in RESP/)
  t.regex(
    message(() => 1),
    /^reply is of type function/,
  )
  t.is(message([new CommitResult(0)]), 'reply[0] is the result of a commit that this call has not made')
  t.regex(message(Symbol('x')), /^reply is of type symbol/)
  t.regex(message(new Error('x')), /^reply is of type Error/)
  const cycle: unknown[] = []
  cycle.push(cycle)
  t.regex(message(cycle), /is nested deeper than 32 levels/)
  t.is(w.take().toString(), 'before')
})

/** What a client gets for a value. */
function received(value: unknown): RespValue {
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'number') return value === 0 ? 0 : value
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value
  if (typeof value === 'string') return Buffer.from(value)
  if (value instanceof Uint8Array) return Buffer.from(value)
  if (Array.isArray(value)) return value.map(received)
  if (value instanceof Set) return new RespSet([...value].map(received))
  if (value instanceof Map) return new RespMap([...value].map(([key, item]) => [received(key), received(item)]))
  return new RespMap(Object.entries(value as object).map(([key, item]) => [Buffer.from(key), received(item)]))
}

const value = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }),
    fc.bigInt(),
    fc.string({ unit: 'binary' }),
    fc.uint8Array(),
    fc.array(tie('any')),
    fc.array(tie('any')).map((items) => new Set(items)),
    fc.array(fc.tuple(tie('any'), tie('any'))).map((entries) => new Map(entries)),
    fc.dictionary(fc.string(), tie('any')),
  ),
})).any

test('reply: every value arrives as it was sent', (t) => {
  fc.assert(
    fc.property(value, (sent) => {
      const w = new ByteWriter()
      encodeReply(w, sent)
      t.deepEqual(decodeResp(w.take()), received(sent))
    }),
    { numRuns: 500 },
  )
})

test('reply: errors and verbatim strings arrive as they were sent', (t) => {
  const line = fc.string().filter((text) => !/[\r\n]/.test(text) && text !== '')
  fc.assert(
    fc.property(line, (text) => {
      const w = new ByteWriter()
      encodeReply(w, [reply.error('CODE', text), reply.verbatim(text)])
      t.deepEqual(decodeResp(w.take()), [new RespError('CODE', text), new RespVerbatim('txt', Buffer.from(text))])
    }),
  )
})

test('reply: what ctx.call gave can be the reply', (t) => {
  const value: RespValue = [
    new RespMap([['a', new RespSet([1, Buffer.from('b')])]]),
    new RespVerbatim('mkd', Buffer.from('# c')),
    new RespError('WRONGTYPE', 'no'),
  ]
  t.is(encoded(value), '*3 %1 $1 a ~2 :1 $1 b =7 mkd:# c -WRONGTYPE no ')
})
