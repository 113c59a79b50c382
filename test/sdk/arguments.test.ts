import test from 'ava'
import { arg, ArgumentError, command, type Arg } from 'ferrite-plugins/sdk'
import { compileOne, words } from './compile-one.js'

type Args = Readonly<Record<string, Arg<unknown>>>

function parser(args: Args): (line: string) => unknown {
  const compiled = compileOne(command({ summary: 'test', args, handler: () => null }))
  return (line) => compiled.parse(words(line))
}

/** Accepts some lines, and refuses others with these texts. */
const lines = test.macro({
  exec(t, args: Args, accepted: Readonly<Record<string, unknown>>, refused: Readonly<Record<string, string>>) {
    const parse = parser(args)
    for (const [line, expected] of Object.entries(accepted)) t.deepEqual(parse(line), expected, line)
    for (const [line, text] of Object.entries(refused)) {
      const error = t.throws(() => parse(line), { instanceOf: ArgumentError }, line)
      t.is(error.message, `ERR ${text}`, line)
    }
  },
  title: (name = '') => `arguments: ${name}`,
})

const wrongNumber = "wrong number of arguments for 'test.run' command"

test('a command without arguments takes none', lines, {}, { '': {} }, { a: wrongNumber })

test(
  'integers are written as Redis writes them',
  lines,
  { n: arg.integer() },
  {
    '0': { n: 0 },
    '-1': { n: -1 },
    '9007199254740991': { n: 9007199254740991 },
    '-9007199254740991': { n: -9007199254740991 },
  },
  Object.fromEntries(
    ['9007199254740992', '9999999999999999999', '01', '-0', '+1', '1.0', '1e3', 'x', '-', '0x10', '1a'].map((word) => [
      word,
      `argument 'n' must be an integer within ±9007199254740991, got '${word}'`,
    ]),
  ),
)

test(
  'integers keep to their bounds',
  lines,
  { max: arg.integer({ min: 1 }), part: arg.integer({ min: -5, max: 5 }), less: arg.integer({ max: 9 }) },
  { '1 -5 9': { max: 1, part: -5, less: 9 } },
  {
    '0 0 0': "argument 'max' must be an integer ≥ 1, got '0'",
    '1 6 0': "argument 'part' must be an integer from -5 to 5, got '6'",
    '1 0 10': "argument 'less' must be an integer ≤ 9, got '10'",
    '1 0': wrongNumber,
    '1 0 0 0': wrongNumber,
  },
)

test(
  'bigint takes 64 bits',
  lines,
  { n: arg.bigint({ max: 2n ** 63n - 1n }), m: arg.bigint({ min: 0n }) },
  { '-9223372036854775808 9223372036854775807': { n: -(2n ** 63n), m: 2n ** 63n - 1n } },
  {
    '9223372036854775808 0': "argument 'n' must be a 64-bit integer ≤ 9223372036854775807, got '9223372036854775808'",
    '0 -1': "argument 'm' must be a 64-bit integer ≥ 0, got '-1'",
    '01 1': "argument 'n' must be a 64-bit integer ≤ 9223372036854775807, got '01'",
  },
)

test(
  'float takes finite numbers',
  lines,
  { x: arg.float({ min: -10 }) },
  { '1': { x: 1 }, '-.5': { x: -0.5 }, '1.': { x: 1 }, '+2.5e3': { x: 2500 } },
  Object.fromEntries(
    ['inf', 'nan', '1e999', '', 'e1', '0x1', '-11', '1 2'].map((word) => [
      word,
      word.includes(' ') || word === '' ? wrongNumber : `argument 'x' must be a finite number ≥ -10, got '${word}'`,
    ]),
  ),
)

test(
  'enum takes its words in any case and gives them as declared',
  lines,
  { order: arg.enum('asc', 'Desc'), unit: arg.enum('ms', 's').optional() },
  { ASC: { order: 'asc', unit: undefined }, 'dESC S': { order: 'Desc', unit: 's' } },
  {
    up: "argument 'order' must be one of asc, Desc, got 'up'",
    'asc h': "syntax error, expected MS or S, got 'h'",
    'asc ms s': "syntax error, only one MS|S is possible, got another 's'",
  },
)

test(
  'options come in any order and any case',
  lines,
  {
    key: arg.key('r'),
    cost: arg.integer({ min: 1 }).token('COST').default(1),
    dry: arg.flag(),
    limit: arg.block({ offset: arg.integer(), count: arg.integer() }).token('LIMIT').optional(),
    need: arg.string().token('WITH'),
  },
  {
    'k with a': { key: 'k', cost: 1, dry: false, limit: undefined, need: 'a' },
    'k LIMIT 1 2 DRY WITH a cost 3': { key: 'k', cost: 3, dry: true, limit: { offset: 1, count: 2 }, need: 'a' },
    'k COST 3 WITH dry DRY': { key: 'k', cost: 3, dry: true, limit: undefined, need: 'dry' },
  },
  {
    'k dry cost 2': 'syntax error, WITH is missing',
    'k WITH a COST': 'syntax error, COST needs a value',
    'k WITH a LIMIT 1': 'syntax error, LIMIT needs a value',
    'k WITH a WITH b': "syntax error, only one WITH is possible, got another 'WITH'",
    'k WITH a FAST': "syntax error, expected COST or DRY or LIMIT or WITH, got 'FAST'",
    'k WITH a COST 0': "argument 'cost' must be an integer ≥ 1, got '0'",
    k: wrongNumber,
  },
)

test(
  'oneOf takes exactly one of its members',
  lines,
  {
    key: arg.key(),
    ttl: arg
      .oneOf({ ex: arg.integer().token('EX'), px: arg.integer().token('PX'), keep: arg.flag('KEEPTTL') })
      .optional(),
  },
  {
    k: { key: 'k', ttl: undefined },
    'k ex 5': { key: 'k', ttl: { ex: 5 } },
    'k PX 6': { key: 'k', ttl: { px: 6 } },
    'k keepttl': { key: 'k', ttl: { keep: true } },
  },
  {
    'k EX 1 PX 2': "syntax error, only one EX|PX|KEEPTTL is possible, got another 'PX'",
    'k EX': 'syntax error, EX needs a value',
  },
)

test(
  'oneOf may end with a member that takes any word',
  lines,
  { id: arg.oneOf({ auto: arg.flag('*'), id: arg.string() }), value: arg.string() },
  { '* v': { id: { auto: true }, value: 'v' }, '1-1 *': { id: { id: '1-1' }, value: '*' } },
  { '*': wrongNumber },
)

test(
  'the last positional arguments may be left out',
  lines,
  { key: arg.key(), from: arg.integer().default(0), to: arg.integer().optional(), fast: arg.flag() },
  {
    k: { key: 'k', from: 0, to: undefined, fast: false },
    'k 5': { key: 'k', from: 5, to: undefined, fast: false },
    'k 5 6 FAST': { key: 'k', from: 5, to: 6, fast: true },
    'k fast': { key: 'k', from: 0, to: undefined, fast: true },
  },
  { 'k x': "argument 'from' must be an integer within ±9007199254740991, got 'x'" },
)

test(
  'multiple takes all words but those of the arguments behind it',
  lines,
  { keys: arg.key().multiple({ min: 2 }), timeout: arg.float() },
  { 'a b 1': { keys: ['a', 'b'], timeout: 1 }, 'a b c 2.5': { keys: ['a', 'b', 'c'], timeout: 2.5 } },
  { 'a 1': wrongNumber, 'a b c': "argument 'timeout' must be a finite number, got 'c'" },
)

test(
  'multiple blocks come whole',
  lines,
  { key: arg.key(), pairs: arg.block({ field: arg.string(), value: arg.integer() }).multiple({ max: 2 }) },
  {
    'k a 1': { key: 'k', pairs: [{ field: 'a', value: 1 }] },
    'k a 1 b 2': {
      key: 'k',
      pairs: [
        { field: 'a', value: 1 },
        { field: 'b', value: 2 },
      ],
    },
  },
  { k: wrongNumber, 'k a': wrongNumber, 'k a 1 b': wrongNumber, 'k a 1 b 2 c 3': wrongNumber },
)

test(
  'multiple may be empty',
  lines,
  { a: arg.string().token('A').multiple({ repeatToken: true, min: 0 }), b: arg.string().multiple().optional() },
  { '': { a: [], b: undefined }, 'A 1 a 2': { a: ['1', '2'], b: undefined }, 'A 1 x y': { a: ['1'], b: ['x', 'y'] } },
  {},
)

test(
  'multiple with a token takes the rest, with a repeated token one each time',
  lines,
  {
    get: arg.string().token('GET').multiple({ repeatToken: true, max: 2 }),
    by: arg.string().token('BY').multiple().default([]),
  },
  {
    'GET a GET b': { get: ['a', 'b'], by: [] },
    'GET a BY x y GET': { get: ['a'], by: ['x', 'y', 'GET'] },
  },
  {
    'GET a GET b GET c': "argument 'get' needs at least 1 and at most 2 values, got 3",
    'BY x': 'syntax error, GET is missing',
  },
)

test(
  'numkeys takes a count and that many keys',
  lines,
  { keys: arg.numkeys('r'), weights: arg.integer().token('WEIGHTS').multiple().optional() },
  {
    '2 a b': { keys: ['a', 'b'], weights: undefined },
    '1 a weights 1 2': { keys: ['a'], weights: [1, 2] },
  },
  {
    '0 a': "argument 'keys' must be an integer ≥ 1, got '0'",
    '3 a b': "argument 'keys' says 3 keys, only 2 follow",
    '1 a b': "syntax error, expected WEIGHTS, got 'b'",
  },
)

test(
  'options in front leave the words that the arguments behind them need',
  lines,
  { nx: arg.flag(), value: arg.string() },
  { nx: { nx: false, value: 'nx' }, 'nx nx': { nx: true, value: 'nx' }, a: { nx: false, value: 'a' } },
  { 'a b': wrongNumber },
)

test('arguments: text must be UTF-8, Buffers take any bytes', (t) => {
  const { parse } = compileOne(
    command({ summary: 'x', args: { a: arg.string(), b: arg.buffer() }, handler: () => null }),
  )
  const bad = Buffer.from([0x61, 0xff, 0x0d, 0x0a])
  t.deepEqual(parse([Buffer.from('größe €'), bad]), { a: 'größe €', b: bad })
  const long = 'ä'.repeat(1000)
  t.deepEqual(parse([Buffer.from(long), Buffer.alloc(0)]), { a: long, b: Buffer.alloc(0) })
  t.throws(() => parse([bad, bad]), {
    message: String.raw`ERR argument 'a' must be text in UTF-8, got 'a\xff\x0d\x0a'`,
  })
  const cut = Buffer.concat([Buffer.from('x'.repeat(100)), Buffer.from([0xc3])])
  t.throws(() => parse([cut, bad]), { message: `ERR argument 'a' must be text in UTF-8, got '${'x'.repeat(64)}'…` })
})

test('arguments: a byte that would be two capitals is no part of a token', (t) => {
  const { parse } = compileOne(
    command({ summary: 'x', args: { c: arg.enum('ss', 'b').token('CLASS').optional() }, handler: () => null }),
  )
  t.deepEqual(parse(words('class SS')), { c: 'ss' })
  t.throws(() => parse([Buffer.from('CLA\xdf', 'latin1'), Buffer.from('ss')]), { instanceOf: ArgumentError })
  t.throws(() => parse([Buffer.from('CLASS'), Buffer.from('\xdf', 'latin1')]), { instanceOf: ArgumentError })
})

test('arguments: keys are text or Buffers', (t) => {
  const args = { a: arg.key(), b: arg.keyBuffer(), c: arg.numkeysBuffer() }
  const { parse } = compileOne(command({ summary: 'x', args, handler: () => null }))
  const bytes = Buffer.from([0xff])
  t.deepEqual(parse([Buffer.from('k'), bytes, Buffer.from('1'), bytes]), { a: 'k', b: bytes, c: [bytes] })
  t.throws(() => parse([bytes, bytes, Buffer.from('1'), bytes]), { message: /argument 'a' must be a key in UTF-8/ })
})

test('arguments: a subcommand is named in errors', (t) => {
  const { parse } = compileOne(command({ summary: 'x', args: { a: arg.key() }, handler: () => null }), 'SESSION|GET')
  t.throws(() => parse([]), { message: "ERR wrong number of arguments for 'session|get' command" })
})
