import test from 'ava'
import { decodeResp, type RespValue } from '#lib/bridge/resp.js'
import { arg, command, PluginError, read, type Arg } from 'ferrite-plugins/sdk'
import { compileOne } from './compile-one.js'

const handler = (): null => null

test('reads: references become positions in the route table', (t) => {
  const { route } = compileOne(
    command({
      summary: 'x',
      args: { key: arg.key('r'), field: arg.string(), from: arg.integer(), keys: arg.key('r').multiple() },
      reads: ({ key, field, from, keys }) => ({
        a: read.get(key),
        b: read.hget(key, field),
        c: read.lrange(key, from, -1),
        d: read.mget(key, keys),
        e: read.hmget(key, 'x', field),
      }),
      handler,
    }),
  )
  t.deepEqual(route.reads, [
    [{ lit: 'GET' }, { key: 1 }],
    [{ lit: 'HGET' }, { key: 1 }, { arg: 2 }],
    [{ lit: 'LRANGE' }, { key: 1 }, { arg: 3 }, { lit: '-1' }],
    [{ lit: 'MGET' }, { key: 1 }, { keys: [4, -1] }],
    [{ lit: 'HMGET' }, { key: 1 }, { lit: 'x' }, { arg: 2 }],
  ])
})

test('reads: positions count both words of a subcommand, and from the end behind several keys', (t) => {
  const { route } = compileOne(
    command({
      summary: 'x',
      args: { keys: arg.key('r').multiple(), timeout: arg.float() },
      reads: ({ keys }) => ({ all: read.mget(keys) }),
      handler,
    }),
    'LIST|ALL',
  )
  t.deepEqual(route.reads, [[{ lit: 'MGET' }, { keys: [2, -2] }]])
})

/** Refuses `reads` with this message. */
const refused = test.macro({
  exec(t, args: Readonly<Record<string, Arg<unknown>>>, reads: (refs: never) => unknown, message: RegExp) {
    const options = { summary: 'x', args, reads, handler } as unknown as Parameters<typeof command>[0]
    t.throws(() => compileOne(command(options)), { message })
  },
  title: (name = '') => `reads: refuses ${name}`,
})
type Refs = Record<string, never>
const key = { key: arg.key('r') }

test(
  'a computed key',
  refused,
  key,
  (r: Refs) => ({ a: read.get(`${r['key'] as unknown as string}:x` as never) }),
  /^commands\.TEST\.RUN\.reads: the argument 'key' was used as a value\. 'reads' runs once at build/,
)
test(
  'arithmetic',
  refused,
  { n: arg.integer() },
  (r: Refs) => ({ a: (r['n'] as unknown as number) * 2 }),
  /the argument 'n' was used as a value/,
)
test(
  'a constant key',
  refused,
  key,
  () => ({ a: read.get('fixed' as never) }),
  /reads\.a: the key must be an argument made by arg\.key\(\)/,
)
test(
  'a key that is plain text',
  refused,
  { key: arg.string() },
  (r: Refs) => ({ a: read.get(r['key'] as never) }),
  /reads\.a: the key must be an argument made by arg\.key\(\)/,
)
test(
  'an argument with a token',
  refused,
  { key: arg.key('r').token('K') },
  (r: Refs) => ({ a: read.get(r['key'] as never) }),
  /the argument 'key' cannot be used in reads: it has a token/,
)
test(
  'an argument that is not there',
  refused,
  key,
  (r: Refs) => ({ a: read.get(r['kee'] as never) }),
  /reads: there is no argument 'kee'; there are: key/,
)
test('something that is no read', refused, key, () => ({ a: 'GET' }), /reads\.a: must be a read, such as read\.get/)
test('a promise', refused, key, async () => Promise.resolve({}), /reads: must return an object of reads at once/)
test(
  'an error in reads',
  refused,
  key,
  () => {
    throw new Error('oops')
  },
  /reads: oops$/,
)

const all = compileOne(
  command({
    summary: 'x',
    args: { k: arg.key('r') },
    reads: ({ k }) => ({
      text: read.get(k),
      bytes: read.getBuffer(k),
      list: read.mget(k),
      exists: read.exists(k),
      ttl: read.pttl(k),
      type: read.type(k),
      hash: read.hgetall(k),
      set: read.smembers(k),
      member: read.sismember(k, 'a'),
      score: read.zscore(k, 'a'),
      scores: read.zrangeWithScores(k, 0, -1),
    }),
    handler,
  }),
)

/** Decodes values written as RESP, separated by spaces where a line break belongs. */
function decode(...values: readonly string[]): Record<string, unknown> {
  const decoded = values.map((value): RespValue => decodeResp(Buffer.from(value.replaceAll(' ', '\r\n') + '\r\n')))
  return all.decodeReads(decoded)
}

test('reads: RESP3 values get their types', (t) => {
  const values = decode(
    '$1 a',
    '$1 b',
    '*2 $1 a _',
    ':1',
    ':-1',
    '+string',
    '%1 $1 f $1 v',
    '~1 $1 m',
    ':0',
    ',1.5',
    '*1 *2 $1 m ,2',
  )
  t.is(Object.getPrototypeOf(values['hash']), null)
  t.deepEqual(
    { ...values, hash: { ...(values['hash'] as object) } },
    {
      text: 'a',
      bytes: Buffer.from('b'),
      list: ['a', null],
      exists: true,
      ttl: -1,
      type: 'string',
      hash: { f: 'v' },
      set: new Set(['m']),
      member: false,
      score: 1.5,
      scores: [{ member: 'm', score: 2 }],
    },
  )
})

test('reads: missing keys and RESP2 shapes', (t) => {
  const values = decode('_', '$-1', '*1 $-1', ':0', ':-2', '+none', '*0', '*0', ':0', '_', '*2 $1 m $3 inf')
  t.deepEqual(
    { ...values, hash: { ...(values['hash'] as object) } },
    {
      text: null,
      bytes: null,
      list: [null],
      exists: false,
      ttl: -2,
      type: 'none',
      hash: {},
      set: new Set(),
      member: false,
      score: null,
      scores: [{ member: 'm', score: Infinity }],
    },
  )
})

test("reads: an error of the server is the client's reply", (t) => {
  const { decodeReads } = compileOne(
    command({ summary: 'x', args: { k: arg.key('r') }, reads: ({ k }) => ({ a: read.get(k) }), handler }),
  )
  const error = t.throws(() => decodeReads([decodeResp(Buffer.from('-WRONGTYPE Operation against a key\r\n'))]), {
    instanceOf: PluginError,
  })
  t.is(error.message, 'WRONGTYPE Operation against a key')
  t.throws(() => decodeReads([Buffer.from([0xff])]), { message: "ERR the value of read 'a' is not UTF-8 text" })
  t.throws(() => decodeReads([]), { message: 'expected the values of 1 declared reads, got 0' })
  t.throws(() => decodeReads([[]]), { message: /read 'a' expected a string from the server/ })
})
