import test from 'ava'
import fc from 'fast-check'
import {
  argTypes,
  formatRouteTable,
  parseRouteTable,
  RouteTableError,
  type ArgDoc,
  type CommandRoute,
  type HookRoute,
  type RuleRoute,
} from '#lib/plugin/route-table.js'

const example = `ferrite-routes 1
plugin name=rate-limiter version=1.0.0
command name=RATELIMIT.CHECK arity=-4 flags=write,deny-oom,fast categories=write,fast transaction=sync timeout=0 retry=3
doc summary=Takes%20one since=1.0.0 complexity=O(1)
key flags=RW,access,update begin=index:1 find=range:0:1:0
arg depth=0 name=bucket type=key key=0
arg depth=0 name=cost type=integer token=COST flags=optional
read lit=GET key=1
hook name=no-huge-users kind=before commands=SET,@write keys=user:* users= dbs= timeout=50 failure=deny transaction=sync priority=100
rule name=no-flush action=deny commands=FLUSHALL,FLUSHDB keys= users= dbs= priority=100 args=0:async error=NOPERM%20ask%20the%20operators
end 10 crc=1e81f3ec
`

const handMade = example.replace(/ crc=.*/, '')

const route: CommandRoute = {
  name: 'RATELIMIT.CHECK',
  arity: -4,
  flags: ['write', 'deny-oom', 'fast'],
  categories: ['write', 'fast'],
  transaction: 'sync',
  timeoutMs: 0,
  retry: 3,
  doc: { summary: 'Takes one', since: '1.0.0', complexity: 'O(1)' },
  keySpecs: [
    {
      flags: ['RW', 'access', 'update'],
      begin: { kind: 'index', position: 1 },
      find: { kind: 'range', last: 0, step: 1, limit: 0 },
    },
  ],
  args: [
    { name: 'bucket', type: 'key', flags: [], key: 0 },
    { name: 'cost', type: 'integer', token: 'COST', flags: ['optional'] },
  ],
  reads: [[{ lit: 'GET' }, { key: 1 }]],
}

const hook: HookRoute = {
  name: 'no-huge-users',
  kind: 'before',
  commands: ['SET', '@write'],
  keys: ['user:*'],
  users: [],
  dbs: [],
  timeoutMs: 50,
  failure: 'deny',
  transaction: 'sync',
  priority: 100,
  breaker: 10,
  breakerMs: 1000,
  sample: 1_000_000,
}

const rule: RuleRoute = {
  name: 'no-flush',
  action: 'deny',
  commands: ['FLUSHALL', 'FLUSHDB'],
  keys: [],
  users: [],
  dbs: [],
  priority: 100,
  arguments: [{ at: 0, glob: 'async' }],
  error: 'NOPERM ask the operators',
}

test('route table: the example of the protocol is written and read', (t) => {
  const plugins = [{ name: 'rate-limiter', version: '1.0.0', commands: [route], hooks: [hook], rules: [rule] }]
  t.is(formatRouteTable(plugins), example)
  t.deepEqual<unknown, unknown>(parseRouteTable(example), plugins)
})

test('route table: a table may be empty', (t) => {
  t.is(formatRouteTable([]), 'ferrite-routes 1\nend 1 crc=011733c4\n')
  t.deepEqual(parseRouteTable('ferrite-routes 1\nend 1 crc=011733c4\n'), [])
})

test('route table: one written by hand needs no checksum', (t) => {
  t.deepEqual(parseRouteTable('ferrite-routes 1\nend 1\n'), [])
  t.deepEqual(parseRouteTable(handMade), parseRouteTable(example))
})

const text = fc.string({ unit: 'binary' }).filter((value) => Buffer.from(value).toString() === value)
const word = fc.string({ unit: 'binary', minLength: 1 }).filter((value) => Buffer.from(value).toString() === value)
const small = fc.integer({ min: -1000, max: 1000 })
const words = fc.array(word, { maxLength: 3 })

const keySpec = fc.record({
  flags: words,
  begin: fc.oneof(
    fc.record({ kind: fc.constant('index' as const), position: small }),
    fc.record({ kind: fc.constant('keyword' as const), word, from: small }),
  ),
  find: fc.oneof(
    fc.record({ kind: fc.constant('range' as const), last: small, step: small, limit: small }),
    fc.record({ kind: fc.constant('keynum' as const), index: small, first: small, step: small }),
  ),
})

const argDoc = fc.letrec<{ arg: ArgDoc }>((tie) => ({
  arg: fc.record(
    {
      name: word,
      type: fc.constantFrom(...argTypes),
      flags: fc.subarray(['optional', 'multiple', 'multiple_token'] as const).map((flags) => [...flags]),
      token: word,
      least: fc.nat({ max: 9 }),
      key: fc.nat({ max: 9 }),
      args: fc.array(tie('arg'), { minLength: 1, maxLength: 3 }),
    },
    { requiredKeys: ['name', 'type', 'flags'] },
  ),
})).arg

const readWord = fc.oneof(
  fc.record({ lit: text }),
  fc.record({ arg: small }),
  fc.record({ key: small }),
  fc.record({ keys: fc.tuple(small, small) }),
)

const anyRoute = fc.record({
  name: word,
  arity: small,
  flags: words,
  categories: words,
  transaction: fc.constantFrom('sync' as const, 'refuse' as const),
  timeoutMs: fc.nat({ max: 3_600_000 }),
  retry: fc.nat({ max: 100 }),
  doc: fc.record({ summary: text, since: text, complexity: text }, { requiredKeys: ['summary'] }),
  keySpecs: fc.array(keySpec, { maxLength: 3 }),
  args: fc.array(argDoc, { maxLength: 3 }),
  reads: fc.array(fc.array(readWord, { minLength: 1, maxLength: 4 }), { maxLength: 3 }),
})

const anyHook = fc.record({
  name: word,
  kind: fc.constantFrom('before' as const, 'after' as const, 'after-wait' as const),
  commands: words,
  keys: words,
  users: words,
  dbs: fc.array(fc.nat({ max: 999_999 }), { maxLength: 3 }),
  timeoutMs: fc.nat({ max: 60_000 }),
  failure: fc.constantFrom('deny' as const, 'allow' as const),
  transaction: fc.constantFrom('sync' as const, 'allow' as const, 'deny' as const),
  priority: small,
  breaker: fc.nat({ max: 1000 }),
  breakerMs: fc.integer({ min: 10, max: 600_000 }),
  sample: fc.integer({ min: 1, max: 1_000_000 }),
})

const anyRule = fc.record(
  {
    name: word,
    action: fc.constantFrom(...(['deny', 'allow', 'rename', 'rate', 'read-only', 'size'] as const)),
    commands: words,
    keys: words,
    users: words,
    dbs: fc.array(fc.nat({ max: 999_999 }), { maxLength: 3 }),
    priority: small,
    arguments: fc.array(fc.record({ at: fc.oneof(small, fc.constant('any' as const)), glob: text }), { maxLength: 3 }),
    error: text,
    to: word,
    rate: fc.record({
      limit: fc.integer({ min: 1, max: 1_000_000 }),
      intervalMs: fc.integer({ min: 1, max: 86_400_000 }),
      burst: fc.integer({ min: 1, max: 1_000_000 }),
      per: fc.constantFrom('rule' as const, 'user' as const, 'prefix' as const),
      separator: fc.constantFrom(':', '.', ',', '%', '='),
    }),
    maxBytes: fc.nat({ max: 2 ** 40 }),
    maxArguments: fc.nat({ max: 2 ** 31 - 1 }),
  },
  { requiredKeys: ['name', 'action', 'commands', 'keys', 'users', 'dbs', 'priority', 'arguments'] },
)

const anyPlugins = fc.array(
  fc.record(
    {
      name: word,
      version: word,
      acl: text,
      commands: fc.array(anyRoute, { maxLength: 3 }),
      hooks: fc.array(anyHook, { maxLength: 3 }),
      rules: fc.array(anyRule, { maxLength: 3 }),
    },
    { requiredKeys: ['name', 'version', 'commands', 'hooks', 'rules'] },
  ),
  { maxLength: 3 },
)

test('route table: what is written is read back, in lines of plain ASCII', (t) => {
  fc.assert(
    fc.property(anyPlugins, (plugins) => {
      const table = formatRouteTable(plugins)
      t.regex(table, /^(?:[\x21-\x7e]+(?: [\x21-\x7e]+)*\n)+$/)
      t.deepEqual<unknown, unknown>(plain(parseRouteTable(table)), plain(plugins))
    }),
    { numRuns: 300 },
  )
})

/** fast-check makes objects without a prototype. */
function plain(value: unknown): unknown {
  return structuredClone(value)
}

test('route table: a damaged table is refused whole, with the line', (t) => {
  const refuse = (table: string): string => {
    const error = t.throws(() => parseRouteTable(table), { instanceOf: RouteTableError })
    t.true(error.message.startsWith(`route table, line ${error.line}: `))
    return error.message
  }
  t.is(refuse(''), "route table, line 1: expected 'ferrite-routes 1', got ''")
  t.regex(refuse(example.replace('routes 1', 'routes 2')), /^route table, line 1: /)
  t.is(refuse(example.trimEnd()), 'route table, line 11: the last line does not end')
  t.is(refuse(example.replace(/end 10.*\n/, '')), "route table, line 10: expected 'end 9'")
  t.is(refuse(example.replace('end 10', 'end 9')), "route table, line 11: expected 'end 10'")
  t.is(refuse(example.replace('crc=', 'sum=')), "route table, line 11: expected 'end 10'")
  t.is(
    refuse(example.replace('arity=-4', 'arity=-5')),
    'route table, line 11: the text is not what was written: its checksum is 58dd186a, not 1e81f3ec',
  )
  t.is(refuse(handMade.replace('arity=-4', 'arity=4x')), "route table, line 3: '4x' is not a whole number")
  t.is(refuse(handMade.replace('arity=-4 ', '')), 'route table, line 3: command without arity=')
  t.is(
    refuse(handMade.replace('retry=3', 'retry=3 speed=9')),
    "route table, line 3: 'speed' is not expected in a command line",
  )
  t.is(
    refuse(handMade.replace('retry=3', 'retry=3 retry=4')),
    "route table, line 3: 'retry' is not expected in a command line",
  )
  t.is(refuse(handMade.replace('=sync', '=later')), "route table, line 3: 'later' is none of sync refuse")
  t.regex(refuse(handMade.replace('%20one', '%2one')), /^route table, line 4: '%' without two capital hex digits/)
  t.is(refuse(handMade.replace('%20one', '%FF')), "route table, line 4: 'Takes%FF' is not UTF-8")
  t.regex(refuse(handMade.replace('index:1', 'place:1')), /^route table, line 5: key needs begin=index:POS/)
  t.is(refuse(handMade.replace('range:0:1:0', 'list:0:1:0')), 'route table, line 5: find=list is not known')
  t.is(refuse(handMade.replace('depth=0', 'depth=1')), 'route table, line 6: depth 1 has no argument above it')
  t.is(refuse(handMade.replace('read lit', 'reads lit')), "route table, line 8: 'reads' is no kind of line")
  t.is(refuse(handMade.replace('lit=GET', 'word=GET')), "route table, line 8: 'word' is not expected in a read line")
  t.is(
    refuse(handMade.replace(' type=key', '  type=key')),
    'route table, line 6: words must be printable and one space apart',
  )
  t.is(refuse(handMade.replace(' users=', '')), 'route table, line 9: hook without users=')
  t.is(
    refuse(handMade.replace('kind=before', 'kind=during')),
    "route table, line 9: 'during' is none of before after after-wait",
  )
  t.is(refuse(handMade.replace('dbs=', 'dbs=a')), "route table, line 9: 'a' is not a whole number")
  t.is(refuse(handMade.replace('failure=deny', 'failure=no')), "route table, line 9: 'no' is none of deny allow")
  t.is(refuse(handMade.replace('end 10', 'doc summary=a\nend 11')), 'route table, line 11: a doc behind a hook or rule')
  const again = 'command name=A arity=1 flags= categories= transaction=sync timeout=0 retry=0'
  t.is(
    refuse(handMade.replace('end 10', `${again}\nend 11`)),
    'route table, line 11: a command behind a hook or rule of its plugin',
  )
  t.is(
    refuse(handMade.replace('end 10', 'hook name=a\nend 11')),
    'route table, line 11: a hook behind a rule of its plugin',
  )
  t.regex(refuse(handMade.replace('action=deny', 'action=forbid')), /^route table, line 10: 'forbid' is none of deny /)
  t.is(
    refuse(handMade.replace('args=0:async', 'args=async')),
    "route table, line 10: the argument 'async' has no place",
  )
  t.is(refuse('ferrite-routes 1\nrule name=a\nend 2\n'), 'route table, line 2: a rule before any plugin')
  t.is(refuse('ferrite-routes 1\nhook name=a\nend 2\n'), 'route table, line 2: a hook before any plugin')
  t.is(refuse('ferrite-routes 1\ndoc summary=a\nend 2\n'), 'route table, line 2: a doc before any command')
  t.is(refuse('ferrite-routes 1\ncommand name=A\nend 2\n'), 'route table, line 2: a command before any plugin')
})

test('route table: any damaged byte is refused', (t) => {
  fc.assert(
    fc.property(fc.nat({ max: example.length - 1 }), fc.string({ maxLength: 3 }), (at, put) => {
      const damaged = example.slice(0, at) + put + example.slice(at + 1)
      if (damaged !== example) t.throws(() => parseRouteTable(damaged), { instanceOf: RouteTableError })
    }),
    { numRuns: 1000 },
  )
})
