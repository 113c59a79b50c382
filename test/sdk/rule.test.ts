import test from 'ava'
import { compilePlugin } from '#lib/sdk/compile.js'
import { PluginDefinitionError } from '#lib/sdk/plugin-error.js'
import { definePlugin, type Rule } from '#lib/sdk/index.js'
import type { RuleRoute } from '#lib/plugin/rule-route.js'

function route(rule: object): RuleRoute | undefined {
  return compilePlugin(definePlugin({ name: 'test', rules: { r: rule as Rule } })).rules[0]
}

const anything = { commands: [], keys: [], users: [], dbs: [], priority: 100, arguments: [] }

test('rule: what is left out has its default', (t) => {
  t.deepEqual(route({ action: 'deny' }), { name: 'r', action: 'deny', ...anything })
  t.deepEqual(route({ action: 'rate', limit: 5 }), {
    name: 'r',
    action: 'rate',
    ...anything,
    rate: { limit: 5, intervalMs: 1000, burst: 5, per: 'rule', separator: ':' },
  })
})

test('rule: everything that can be said arrives', (t) => {
  const matcher = {
    command: 'SET',
    key: ['a*', 'b'],
    user: 'bob',
    db: 3,
    priority: -5,
    argument: { at: 'any', glob: 'x' },
  }
  const matched = {
    name: 'r',
    commands: ['SET'],
    keys: ['a*', 'b'],
    users: ['bob'],
    dbs: [3],
    priority: -5,
    arguments: [{ at: 'any', glob: 'x' }],
  }
  const error = 'CODE text'
  t.deepEqual<unknown, unknown>(route({ action: 'deny', error, ...matcher }), { ...matched, action: 'deny', error })
  t.deepEqual<unknown, unknown>(route({ action: 'allow', ...matcher }), { ...matched, action: 'allow' })
  t.deepEqual<unknown, unknown>(route({ action: 'rename', to: 'GET', ...matcher }), {
    ...matched,
    action: 'rename',
    to: 'GET',
  })
  const rate = { limit: 5, intervalMs: 10, burst: 7, per: 'prefix', separator: '/' }
  t.deepEqual<unknown, unknown>(route({ action: 'rate', error, ...rate, ...matcher }), {
    ...matched,
    action: 'rate',
    error,
    rate,
  })
  t.deepEqual<unknown, unknown>(route({ action: 'size', maxBytes: 2 ** 40, maxArguments: 0, ...matcher }), {
    ...matched,
    action: 'size',
    maxBytes: 2 ** 40,
    maxArguments: 0,
  })
})

const refused = test.macro({
  exec(t, rule: object, message: string) {
    t.is(t.throws(() => route(rule), { instanceOf: PluginDefinitionError }).message, `rules.r${message}`)
  },
  title: (name = '') => `rule: refuses ${name}`,
})

test(
  'no action',
  refused,
  {},
  ".action: must be 'deny' or 'allow' or 'rename' or 'rate' or 'read-only' or 'size', got undefined",
)
test(
  'an option of another action',
  refused,
  { action: 'deny', limit: 1 },
  '.limit: is not known; known are command, key, user, db, priority, argument, action, error',
)
test(
  'an error without a code',
  refused,
  { action: 'deny', error: 'no' },
  '.error: must be a CODE in capitals, a space and text, 200 bytes in one line, got "no"',
)
test(
  'an error of two lines',
  refused,
  { action: 'deny', error: 'A b\nc' },
  '.error: must be a CODE in capitals, a space and text, 200 bytes in one line, got "A b\\nc"',
)
test(
  'a subcommand that is renamed',
  refused,
  { action: 'rename', command: 'CONFIG|GET', to: 'GET' },
  '.command: must be a whole command in capitals, got "CONFIG|GET"',
)
test('a rename of all commands', refused, { action: 'rename', to: 'GET' }, '.command: must name what is renamed')
test(
  'a rate without a limit',
  refused,
  { action: 'rate' },
  '.limit: must be a whole number from 1 to 1000000, got undefined',
)
test(
  'a separator of two characters',
  refused,
  { action: 'rate', limit: 1, separator: '::' },
  '.separator: must be one character, got "::"',
)
test('a size without a limit', refused, { action: 'size' }, ': needs maxBytes or maxArguments')
test(
  'an argument without a place',
  refused,
  { action: 'deny', argument: { glob: 'x' } },
  '.argument.at: must be a whole number from -32767 to 32767, got undefined',
)
test(
  'AUTH',
  refused,
  { action: 'deny', command: 'AUTH' },
  '.command: no hook is asked about AUTH: it carries passwords',
)

test('rule: two names that differ in capitals only are refused', (t) => {
  const rules = { a: { action: 'deny' }, A: { action: 'deny' } } as const
  t.regex(
    t.throws(() => compilePlugin(definePlugin({ name: 'test', rules }))).message,
    /^rules\.A: differs from the rule 'a'/,
  )
})
