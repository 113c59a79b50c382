import test from 'ava'
import { compilePlugin } from '#lib/sdk/compile.js'
import { after, definePlugin, PluginDefinitionError, type AfterOptions } from 'ferrite-plugins/sdk'

const told: AfterOptions<false>['handler'] = () => undefined
const waited: AfterOptions<true>['handler'] = (_ctx, _cmd, result) => result.keep()

/** The route of a hook, with options that types may forbid. */
function route(options: object): unknown {
  const hook = after(options as AfterOptions<false>)
  return compilePlugin(definePlugin({ name: 'test', hooks: { h: hook } })).commandHooks[0]?.route
}

const breaker = { breaker: 10, breakerMs: 1000 }
const none = { name: 'h', commands: [], keys: [], users: [], dbs: [], priority: 100, timeoutMs: 50, ...breaker }

test('after: what is left out has its default', (t) => {
  const whole = { sample: 1_000_000 }
  t.deepEqual(route({ handler: told }), { ...none, ...whole, kind: 'after', failure: 'allow', transaction: 'allow' })
  t.deepEqual(route({ handler: told, wait: false }), route({ handler: told }))
  const waits = { ...none, ...whole, kind: 'after-wait', failure: 'deny', transaction: 'sync' }
  t.deepEqual(route({ wait: true, handler: waited }), waits)
})

test('after: all that can be given', (t) => {
  const matcher = { command: ['SET', '@read'], key: 'a*', user: 'ann', db: [0, 1], priority: -3 }
  const matched = { name: 'h', commands: ['SET', '@read'], keys: ['a*'], users: ['ann'], dbs: [0, 1], priority: -3 }
  t.deepEqual(route({ ...matcher, sample: 0.25, handler: told }), {
    ...matched,
    kind: 'after',
    timeoutMs: 50,
    failure: 'allow',
    transaction: 'allow',
    ...breaker,
    sample: 250_000,
  })
  const waits = { wait: true, timeoutMs: 7, onFailure: 'allow', inTransaction: 'allow', breaker: { failures: 3 } }
  t.deepEqual(route({ ...matcher, ...waits, handler: waited }), {
    ...matched,
    kind: 'after-wait',
    timeoutMs: 7,
    failure: 'allow',
    transaction: 'allow',
    breaker: 3,
    breakerMs: 1000,
    sample: 1_000_000,
  })
})

for (const [title, options, problem] of [
  ['a sample of nothing', { sample: 0 }, 'hooks.h.sample: must be a number above 0, at most 1, got 0'],
  ['a sample of more than all', { sample: 2 }, 'hooks.h.sample: must be a number above 0, at most 1, got 2'],
  ['a sample of replies that are waited for', { wait: true, sample: 0.5 }, 'hooks.h.sample: is not known; '],
  ['onFailure without wait', { onFailure: 'deny' }, 'hooks.h.onFailure: is not known; '],
  ['a wait that is none', { wait: 'yes' }, 'hooks.h.wait: must be true or false, got yes'],
  ['denying what was run', { wait: true, inTransaction: 'deny' }, "hooks.h.inTransaction: must be 'sync' or 'allow'"],
  [
    'a breaker that never trips',
    { wait: true, breaker: { failures: 0 } },
    'hooks.h.breaker.failures: must be a whole number',
  ],
  ['a misspelt breaker', { wait: true, breaker: { reset: 1 } }, 'hooks.h.breaker.reset: is not known; '],
  ['no handler', { handler: undefined }, 'hooks.h.handler: must be a function, got nothing'],
] as const) {
  test(`after: ${title} is refused`, (t) => {
    const error = t.throws(() => route({ handler: told, ...options }), { instanceOf: PluginDefinitionError })
    t.true(error.message.includes(problem), error.message)
  })
}
