import test from 'ava'
import { compilePlugin } from '#lib/sdk/compile.js'
import {
  before,
  definePlugin,
  every,
  onKey,
  PluginDefinitionError,
  type BeforeOptions,
  type Hook,
} from 'ferrite-plugins/sdk'

const handler: BeforeOptions['handler'] = (_ctx, cmd) => cmd.continue()

function compile(hooks: Readonly<Record<string, Hook>>, name = 'test') {
  return compilePlugin(definePlugin({ name, hooks }))
}

function route(options: Partial<BeforeOptions>) {
  return compile({ h: before({ handler, ...options }) }).commandHooks[0]?.route
}

test('before: what is left out has its default', (t) => {
  const { commandHooks, keyHooks, timers } = compile({ h: before({ handler }), k: onKey({ handler: () => null }) })
  t.is(keyHooks.length, 1)
  t.is(timers.length, 0)
  t.is(commandHooks[0]?.handler, handler)
  t.deepEqual(
    commandHooks.map((hook) => hook.route),
    [
      {
        name: 'h',
        kind: 'before',
        commands: [],
        keys: [],
        users: [],
        dbs: [],
        timeoutMs: 50,
        failure: 'deny',
        transaction: 'sync',
        priority: 100,
        breaker: 10,
        breakerMs: 1000,
        sample: 1_000_000,
      },
    ],
  )
})

test('before: one matcher or several, each once', (t) => {
  t.deepEqual(
    route({
      command: ['SET', 'CONFIG|SET', '@write', '_FT.CONFIG', 'SET'],
      key: 'user:*',
      user: ['ann', 'bob'],
      db: [0, 3, 0],
      timeoutMs: 60_000,
      onFailure: 'allow',
      inTransaction: 'deny',
      priority: -1000,
    }),
    {
      name: 'h',
      kind: 'before',
      commands: ['SET', 'CONFIG|SET', '@write', '_FT.CONFIG'],
      keys: ['user:*'],
      users: ['ann', 'bob'],
      dbs: [0, 3],
      timeoutMs: 60_000,
      failure: 'allow',
      transaction: 'deny',
      priority: -1000,
      breaker: 10,
      breakerMs: 1000,
      sample: 1_000_000,
    },
  )
  t.like(route({ command: 'GET', db: 0, user: 'default' }), { commands: ['GET'], dbs: [0], users: ['default'] })
})

/** What TypeScript would not let through, or cannot see. */
const refused = test.macro({
  exec(t, options: object, message: string) {
    const error = t.throws(() => route(options), { instanceOf: PluginDefinitionError })
    t.is(error.message, `hooks.h${message}`)
  },
  title: (name = '') => `before: refuses ${name}`,
})

test(
  'a misspelt option',
  refused,
  { keys: 'user:*' },
  '.keys: is not known; known are command, key, user, db, priority, timeoutMs, onFailure, inTransaction, breaker, handler',
)
test('a hook without a handler', refused, { handler: undefined }, '.handler: must be a function, got nothing')
test(
  'a command in small letters',
  refused,
  { command: 'set' },
  ".command: 'set' is no command: capitals as in 'SET' or 'CONFIG|SET', or a category such as '@write'",
)
test(
  'a subcommand with a space',
  refused,
  { command: ['GET', 'CONFIG SET'] },
  ".command: 'CONFIG SET' is no command: capitals as in 'SET' or 'CONFIG|SET', or a category such as '@write'",
)
test(
  'a category in capitals',
  refused,
  { command: '@WRITE' },
  ".command: '@WRITE' is no command: capitals as in 'SET' or 'CONFIG|SET', or a category such as '@write'",
)
test('@all', refused, { command: '@all' }, ".command: '@all' is every command; leave it out to match all")
test(
  'a command that is no text',
  refused,
  { command: [/SET/] },
  ".command: must be names of commands such as 'SET', got /SET/",
)
test('AUTH', refused, { command: ['SET', 'AUTH'] }, '.command: no hook is asked about AUTH: it carries passwords')
test('HELLO', refused, { command: 'HELLO' }, '.command: no hook is asked about HELLO: it carries passwords')
test(
  "Ferrite's own commands",
  refused,
  { command: 'FERRITE.PLUGIN' },
  '.command: no hook is asked about FERRITE.PLUGIN: it must work when plugins do not',
)
test(
  'more keys than the module takes',
  refused,
  { key: Array.from({ length: 257 }, (_, n) => `k${n}`) },
  '.key: has 257 entries, at most 256: use a glob, a category or a second hook',
)
test('an empty list of commands', refused, { command: [] }, '.command: is an empty list; leave it out to match all')
test('an empty list of keys', refused, { key: [] }, '.key: is an empty list; leave it out to match all')
test('an empty list of users', refused, { user: [] }, '.user: is an empty list; leave it out to match all')
test('an empty list of databases', refused, { db: [] }, '.db: is an empty list; leave it out to match all')
test('an empty glob', refused, { key: '' }, '.key: must be globs such as user:*')
test('a glob with a NUL', refused, { key: 'a\0b' }, '.key: cannot hold a NUL; ? stands for any byte')
test(
  'a user with a space',
  refused,
  { user: 'ann bob' },
  '.user: must be names of ACL users, without spaces, got "ann bob"',
)
test('a database that is no number', refused, { db: '0' }, '.db: must be a whole number from 0 to 999999, got 0')
test('a negative database', refused, { db: -1 }, '.db: must be a whole number from 0 to 999999, got -1')
test('no time', refused, { timeoutMs: 0 }, '.timeoutMs: must be a whole number from 1 to 60000, got 0')
test('too much time', refused, { timeoutMs: 60_001 }, '.timeoutMs: must be a whole number from 1 to 60000, got 60001')
test('part of a number', refused, { priority: 0.5 }, '.priority: must be a whole number from -1000 to 1000, got 0.5')
test('a low priority', refused, { priority: -1001 }, '.priority: must be a whole number from -1000 to 1000, got -1001')
test('another onFailure', refused, { onFailure: 'open' }, ".onFailure: must be 'deny' or 'allow', got open")
test(
  'another inTransaction',
  refused,
  { inTransaction: 'refuse' },
  ".inTransaction: must be 'sync' or 'allow' or 'deny', got refuse",
)

test('before: names of hooks that differ in capitals only are refused', (t) => {
  const message = (hooks: Readonly<Record<string, Hook>>) => t.throws(() => compile(hooks)).message
  t.is(
    message({ noHuge: before({ handler }), nohuge: before({ handler }) }),
    "hooks.nohuge: differs from the hook 'noHuge' in capitals only; give it another name",
  )
  t.is(
    message({ report: every('1m', () => null), Report: before({ handler }) }),
    "hooks.Report: differs from the hook 'report' in capitals only; give it another name",
  )
})

test('before: the names of plugin and hook together have a limit', (t) => {
  const plugin = 'p'.repeat(64)
  t.notThrows(() => compile({ ['h'.repeat(58)]: before({ handler }) }, plugin))
  const name = 'h'.repeat(59)
  t.is(
    t.throws(() => compile({ [name]: before({ handler }) }, plugin)).message,
    `hooks.${name}: 'hook ${plugin}/${name}' has 129 bytes, at most 128: shorten the name of plugin or hook`,
  )
})
