import test from 'ava'
import { compilePlugin } from '#lib/sdk/compile.js'
import {
  arg,
  command,
  cron,
  definePlugin,
  every,
  onKey,
  PluginDefinitionError,
  read,
  setting,
  settings,
  shape,
  type Arg,
  type Command,
  type Hook,
} from 'ferrite-plugins/sdk'
import { compileOne } from './compile-one.js'

type Args = Readonly<Record<string, Arg<unknown>>>

const handler = (): null => null

function route(args: Args, more: Partial<Parameters<typeof command>[0]> = {}, name = 'TEST.RUN') {
  return compileOne(command({ ...more, summary: 'x', args, handler }), name).route
}

/** Key specs as short text: flags, begin, find. */
function keys(args: Args, name?: string): string[] {
  return route(args, {}, name).keySpecs.map(({ flags, begin, find }) => {
    const from = begin.kind === 'index' ? String(begin.position) : `${begin.word}@${begin.from}`
    const range = find.kind === 'range' ? `${find.last}/${find.step}` : `num${find.index},${find.first}`
    return `${flags.join('+')} ${from} ${range}`
  })
}

test('declaration: arity follows from the arguments', (t) => {
  const arity = (args: Args, name?: string): number => route(args, {}, name).arity
  t.is(arity({}), 1)
  t.is(arity({ a: arg.string(), b: arg.integer() }), 3)
  t.is(arity({ a: arg.string() }, 'SESSION|GET'), 3)
  t.is(arity({ a: arg.string(), b: arg.integer().optional() }), -2)
  t.is(arity({ a: arg.string(), dry: arg.flag() }), -2)
  t.is(arity({ a: arg.string().multiple({ min: 2 }) }), -3)
  t.is(arity({ a: arg.string().multiple({ min: 2, max: 2 }) }), 3)
  t.is(arity({ a: arg.string().multiple({ min: 0 }) }), -1)
  t.is(arity({ n: arg.integer().token('N') }), 3)
  t.is(arity({ b: arg.block({ x: arg.integer(), y: arg.integer() }).multiple() }), -3)
  t.is(arity({ keys: arg.numkeys() }), -3)
  t.is(arity({ t: arg.oneOf({ ex: arg.integer().token('EX'), keep: arg.flag() }) }), -2)
})

test('declaration: key specs follow from the keys', (t) => {
  t.deepEqual(keys({ a: arg.key('r'), b: arg.key('w') }), ['RO+access 1 0/1', 'OW+update 2 0/1'])
  t.deepEqual(keys({ a: arg.key() }, 'SESSION|GET'), ['RW+access+update 2 0/1'])
  t.deepEqual(keys({ n: arg.integer(), all: arg.keyBuffer('rm').multiple() }), ['RM+delete 2 -1/1'])
  t.deepEqual(keys({ all: arg.key('r').multiple(), timeout: arg.float() }), ['RO+access 1 -2/1'])
  t.deepEqual(keys({ all: arg.block({ key: arg.key('w'), value: arg.string() }).multiple() }), ['OW+update 1 -1/2'])
  t.deepEqual(keys({ n: arg.string(), at: arg.block({ n: arg.integer(), key: arg.key('r') }) }), ['RO+access 3 0/1'])
  t.deepEqual(keys({ a: arg.key('r'), to: arg.key('w').token('STORE').optional() }), [
    'RO+access 1 0/1',
    'OW+update STORE@2 0/1',
  ])
  t.deepEqual(keys({ from: arg.key('r').token('STREAMS').multiple() }), ['RO+access STREAMS@1 -1/1'])
  t.deepEqual(keys({ to: arg.key('w'), from: arg.numkeys('r') }), ['OW+update 1 0/1', 'RO+access 2 num0,1'])
  t.deepEqual(keys({ a: arg.string(), from: arg.numkeys('r').token('KEYS') }), ['RO+access KEYS@2 num0,1'])
  t.deepEqual(keys({ text: arg.string().token('TEXT').optional(), to: arg.key('w').token('STORE').optional() }), [
    'OW+update+incomplete STORE@1 0/1',
  ])
  const guess = 'OW+update+incomplete STORE@1 0/1'
  const store = arg.key('w').token('STORE')
  for (const args of [
    { to: store.optional(), tail: arg.string().multiple({ min: 2, max: 2 }) },
    { as: arg.enum('store', 'x').token('AS').optional(), to: store.optional() },
    { to: arg.oneOf({ to: store, as: arg.string().token('AS') }) },
    { way: arg.oneOf({ to: store, keep: arg.flag() }).optional(), text: arg.string().token('TEXT').optional() },
    {
      to: arg
        .block({ to: arg.key('w'), n: arg.integer() })
        .token('STORE')
        .optional(),
      n: arg.string().token('N'),
    },
    { ways: arg.oneOf({ to: store, keep: arg.flag() }).multiple() },
  ]) {
    t.deepEqual(keys(args), [guess])
  }
  // No word of the other option can be taken for the token, so the server can find the key by itself.
  t.deepEqual(keys({ dry: arg.flag(), to: arg.key('w').token('STORE').optional() }), ['OW+update STORE@1 0/1'])
  t.deepEqual(keys({ a: arg.integer(), to: arg.key('w').optional() }), ['OW+update 2 0/1'])
})

test('declaration: flags and categories follow from the keys', (t) => {
  const of = (args: Args, more = {}) => {
    const { flags, categories } = route(args, more)
    return `${flags.join(' ')} | ${categories.join(' ')}`
  }
  t.is(of({}), ' | slow')
  t.is(of({ a: arg.key('r') }), 'readonly | read slow')
  t.is(of({ a: arg.key('rw') }), 'write deny-oom | write slow')
  t.is(of({ a: arg.key('rm') }), 'write | write slow')
  t.is(of({ a: arg.key('w') }, { denyOom: false, flags: ['fast'] }), 'write fast | write fast')
  t.is(of({}, { readonly: true, categories: ['string', 'read'] }), 'readonly | read slow string')
  t.is(of({}, { flags: ['admin', 'deny-oom'] }), 'admin deny-oom | admin dangerous slow')
  t.is(of({ a: arg.key('r').optional() }), 'readonly no-mandatory-keys | read slow')
})

test('declaration: the route has the rest of what the module needs', (t) => {
  const args = { a: arg.key() }
  const { transaction, timeoutMs, retry, doc } = compileOne(
    command({
      summary: 'Does it',
      since: '1.2.0',
      complexity: 'O(1)',
      group: 'tests',
      args,
      reads: (refs) => ({ a: read.get(refs.a) }),
      retryOnChange: 3,
      inTransaction: 'refuse',
      timeoutMs: 250,
      returns: shape.integer(),
      handler: () => 1,
    }),
  ).route
  t.deepEqual(
    { transaction, timeoutMs, retry, doc },
    {
      transaction: 'refuse',
      timeoutMs: 250,
      retry: 3,
      doc: { summary: 'Does it', since: '1.2.0', complexity: 'O(1)' },
    },
  )
  const plain = route(args)
  t.is(plain.transaction, 'sync')
  t.is(plain.timeoutMs, 0)
  t.is(plain.retry, 0)
})

test('declaration: how many values must come is said where the keys behind them depend on it', (t) => {
  const { args } = route({ all: arg.key('r').multiple(), pair: arg.string().multiple({ min: 2, max: 2 }) })
  t.deepEqual(
    args.map(({ least }) => least),
    [undefined, 2],
  )
})

test('declaration: COMMAND DOCS get every argument', (t) => {
  const { args } = route({
    key: arg.key('r'),
    order: arg.enum('asc', 'desc'),
    n: arg.integer(),
    ttl: arg.oneOf({ ex: arg.integer().token('EX'), keep: arg.flag('KEEPTTL') }).optional(),
    limit: arg.block({ offset: arg.integer(), count: arg.float() }).token('LIMIT').optional(),
    tag: arg.string().token('TAG').multiple({ repeatToken: true }),
    from: arg.numkeys('r').token('FROM').optional(),
  })
  const one = (name: string, type: string, more = {}) => ({ name, type, flags: [], ...more })
  t.deepEqual<unknown, unknown>(args, [
    one('key', 'key', { key: 0 }),
    one('order', 'oneof', {
      args: [one('asc', 'pure-token', { token: 'ASC' }), one('desc', 'pure-token', { token: 'DESC' })],
    }),
    one('n', 'integer'),
    one('ttl', 'oneof', {
      flags: ['optional'],
      args: [
        one('ex', 'integer', { token: 'EX' }),
        one('keep', 'pure-token', { token: 'KEEPTTL', flags: ['optional'] }),
      ],
    }),
    one('limit', 'block', {
      token: 'LIMIT',
      flags: ['optional'],
      args: [one('offset', 'integer'), one('count', 'double')],
    }),
    one('tag', 'string', { token: 'TAG', flags: ['multiple', 'multiple_token'] }),
    one('from', 'block', {
      token: 'FROM',
      flags: ['optional'],
      args: [one('numkeys', 'integer'), one('key', 'key', { flags: ['multiple'], key: 1 })],
    }),
  ])
})

/** Refuses a definition with this message. */
const refused = test.macro({
  exec(t, definition: Readonly<Record<string, unknown>>, message: string | RegExp) {
    const make = () => compilePlugin(definePlugin({ name: 'test', ...definition }))
    const error = t.throws(make, { instanceOf: PluginDefinitionError })
    if (typeof message === 'string') t.is(error.message, message)
    else t.regex(error.message, message)
  },
  title: (name = '') => `declaration: refuses ${name}`,
})

const one = (args: Args, more: object = {}): { commands: Record<string, Command> } => ({
  commands: { A: command({ summary: 'x', args, handler, ...more }) },
})
const hook = (declared: unknown): { hooks: Record<string, Hook> } => ({ hooks: { h: declared as Hook } })

test(
  'a bad name',
  refused,
  { name: 'Test' },
  'name: must be a small letter, then at most 63 of a-z 0-9 . _ -, got "Test"',
)
test('a name that leads elsewhere', refused, { name: '../x' }, /^name: must be a small letter/)
test('a bad version', refused, { version: '1' }, 'version: must be as in 1.2.3, got "1"')
test('an unknown option', refused, { command: {} }, /^command: is not known; known are name, version, /)
test(
  'a small command name',
  refused,
  { commands: { a: command({ summary: 'x', handler }) } },
  /^commands\.a: a command is named in capitals/,
)
test(
  'a command not made by command()',
  refused,
  { commands: { A: { handler } } },
  'commands.A: must be made by command()',
)
test(
  'an unknown option of a command',
  refused,
  one({}, { timeout: 5 }),
  /^commands\.A\.timeout: is not known; known are summary, /,
)
test('a summary of two lines', refused, one({}, { summary: 'a\nb' }), 'commands.A.summary: must be one line of text')
test(
  'a timeout of 0',
  refused,
  one({}, { timeoutMs: 0 }),
  'commands.A.timeoutMs: must be a whole number from 1 to 3600000, got 0',
)
test(
  'retries without reads',
  refused,
  one({}, { retryOnChange: 1 }),
  'commands.A.retryOnChange: needs reads, whose change is what it looks at',
)
test(
  'read-only with a written key',
  refused,
  one({ a: arg.key('w') }, { readonly: true }),
  /^commands\.A\.readonly: a command with a key of mode/,
)
test('an unknown flag', refused, one({}, { flags: ['write'] }), /^commands\.A\.flags: 'write' is not one of fast, /)
test(
  'a command that is a container',
  refused,
  {
    commands: { S: command({ summary: 'x', handler }), 'S|GET': command({ summary: 'x', handler }) },
  },
  'commands.S|GET: S cannot be a command of its own and have subcommands',
)
test(
  'an argument that is none',
  refused,
  one({ a: 'string' as unknown as Arg<unknown> }),
  'commands.A.args.a: must be an argument made by arg.*, such as arg.string()',
)
test('a bad argument name', refused, one({ 'a b': arg.string() }), /^commands\.A\.args\.a b: the name must be a letter/)
test('__proto__ as a name', refused, one(JSON.parse('{"__proto__":1}') as Args), /^commands\.A\.args\.__proto__/)
test(
  'bounds the wrong way round',
  refused,
  one({ a: arg.integer({ min: 2, max: 1 }) }),
  'commands.A.args.a: min 2 is above max 1',
)
test(
  'bounds that are no integers',
  refused,
  one({ a: arg.integer({ min: 0.5 }) }),
  'commands.A.args.a: bound 0.5 is not a safe integer',
)
test(
  'the same token twice',
  refused,
  one({ a: arg.flag('X'), b: arg.string().token('x').optional() }),
  'commands.A.args.b: the word X already begins another option',
)
test(
  'enum words that differ in case',
  refused,
  one({ a: arg.enum('a', 'A') }),
  'commands.A.args.a: the words a, A must differ in more than their case',
)
test(
  'a required argument behind one that may be left out',
  refused,
  one({ a: arg.integer().optional(), b: arg.string() }),
  "commands.A.args.b: a required argument cannot stand behind 'a', which may be left out",
)
test(
  'free text that may be left out before options',
  refused,
  one({ a: arg.string().optional(), b: arg.flag() }),
  /^commands\.A\.args\.a: it may be left out before options/,
)
test(
  'options behind several values',
  refused,
  one({ a: arg.string().multiple(), b: arg.flag() }),
  /^commands\.A\.args\.b: behind 'a', which takes several values/,
)
test(
  'two arguments with several values',
  refused,
  one({ a: arg.string().multiple(), b: arg.string().multiple() }),
  /^commands\.A\.args\.b: behind 'a'/,
)
test(
  'several values behind a token before others',
  refused,
  one({ a: arg.string().token('A').multiple(), b: arg.string() }),
  'commands.A.args.a: several values behind one token must come last',
)
test(
  'several values in a block',
  refused,
  one({ a: arg.block({ b: arg.string().multiple() }) }),
  /^commands\.A\.args\.a\.b: inside a block nothing tells/,
)
test(
  'a block of options that repeats, which would never end',
  refused,
  one({ a: arg.block({ dry: arg.flag() }).multiple() }),
  'commands.A.args.a: a block that may be empty cannot be multiple',
)
test(
  'more words than an arity can say',
  refused,
  one({ a: arg.string().multiple({ min: 40_000 }) }),
  'commands.A.args.a: needs 40000 words at least, at most 1000 are possible',
)
test(
  'two open members of oneOf',
  refused,
  one({ a: arg.oneOf({ b: arg.string(), c: arg.string() }) }),
  /^commands\.A\.args\.a\.b: only the last member of oneOf/,
)
test(
  'a key whose place varies',
  refused,
  one({ a: arg.flag(), b: arg.key() }),
  /^commands\.A\.args\.b: its place varies, so Redis could not tell/,
)
test(
  'a number of keys that a call can leave out, on which servers crash',
  refused,
  one({ keys: arg.numkeys().optional() }),
  /^commands\.A\.args\.keys: it can be left out: give it a token/,
)
test(
  'a number of keys in an optional block, on which servers crash',
  refused,
  one({ more: arg.block({ keys: arg.numkeys() }).optional() }),
  /^commands\.A\.args\.more\.keys: it can be left out: give it a token/,
)
test(
  'a key with a repeated token',
  refused,
  one({ a: arg.key().token('K').multiple({ repeatToken: true }) }),
  /^commands\.A\.args\.a: its token is repeated, so Redis/,
)
test(
  'a hook that is none',
  refused,
  hook({}),
  'hooks.h: must be made by before(), after(), onKey(), onClient(), onServer(), on(), every() or cron()',
)
test(
  'a bad interval',
  refused,
  hook(every('1w' as '1m', handler)),
  /^hooks\.h: every\(\) takes 10 ms to 24 days, .* got "1w"$/,
)
test('a tiny interval', refused, hook(every(1, handler)), /^hooks\.h: every\(\) takes 10 ms to 24 days/)
test('a bad cron pattern', refused, hook(cron('0 25 * * *', handler)), /^hooks\.h: .*\(pattern "0 25 \* \* \*"\)$/)
test('a bad time zone', refused, hook(cron('0 3 * * *', handler, { timezone: 'Mars/Base' })), /^hooks\.h: /)
test(
  'a misspelt hook option',
  refused,
  hook(onKey({ pattern: 'a', handler } as Parameters<typeof onKey>[0])),
  /^hooks\.h\.pattern: is not known/,
)
test(
  'a bad event',
  refused,
  hook(onKey({ events: ['Expired!'], handler })),
  "hooks.h.events: 'Expired!' is no event: small letters, as in 'expired'",
)
test(
  'a bad default of a setting',
  refused,
  { config: settings({ a: setting.integer({ default: 0, min: 1 }) }) },
  'config.a: must be a whole number ≥ 1, got 0',
)

test('declaration: refuses what definePlugin did not make', (t) => {
  t.throws(() => compilePlugin({ name: 'x' }), { message: /^the default export is not the result of definePlugin/ })
})

test('declaration: hooks and timers are compiled with their defaults', (t) => {
  const plugin = compilePlugin(
    definePlugin({
      name: 'hooks',
      hooks: {
        all: onKey({ handler }),
        some: onKey({ key: ['a*', 'b*'], events: ['set', 'set'], ownWrites: true, onReplica: true, handler }),
        often: every('1.5s', handler),
        nightly: cron('0 3 * * *', handler, { timezone: 'UTC', onReplica: true }),
      },
    }),
  )
  const facts = (items: readonly object[]) =>
    items.map((item) => Object.entries(item).filter(([name]) => name !== 'handler'))
  t.deepEqual(facts(plugin.keyHooks).map(Object.fromEntries), [
    { name: 'all', events: [], keys: [], ownWrites: false, oldValue: false, onReplica: false },
    { name: 'some', events: ['set'], keys: ['a*', 'b*'], ownWrites: true, oldValue: false, onReplica: true },
  ])
  t.deepEqual(facts(plugin.timers).map(Object.fromEntries), [
    { name: 'often', kind: 'every', everyMs: 1500, onReplica: false },
    { name: 'nightly', kind: 'cron', cron: '0 3 * * *', timezone: 'UTC', onReplica: true },
  ])
})

test('declaration: settings are checked and filled up', (t) => {
  const config = settings({
    length: setting.integer({ default: 5, min: 1, max: 9 }),
    mode: setting.enum(['a', 'b'], { default: 'a' }),
    names: setting.strings({ default: [] }),
    on: setting.boolean({ default: false }),
  })
  const plugin = compilePlugin(definePlugin({ name: 'x', config }))
  t.deepEqual(plugin.resolveConfig({}), { length: 5, mode: 'a', names: [], on: false })
  const resolved = plugin.resolveConfig({ length: 9, names: ['x'] })
  t.deepEqual(config.of({ config: resolved }), { length: 9, mode: 'a', names: ['x'], on: false })
  const message = (given: Record<string, unknown>) => t.throws(() => plugin.resolveConfig(given)).message
  t.is(message({ length: 10 }), 'config.length: must be a whole number ≥ 1 ≤ 9, got 10')
  t.is(message({ mode: 'c' }), 'config.mode: must be one of a, b, got "c"')
  t.is(message({ names: 'x' }), 'config.names: must be a list of strings, got "x"')
  t.is(message({ lenght: 1 }), 'config.lenght: there is no such setting; there are: length, mode, names, on')
  t.is(message({ toString: 1 }), 'config.toString: there is no such setting; there are: length, mode, names, on')
})
