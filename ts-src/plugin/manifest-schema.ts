/** JSON schemas of the parts of a manifest. Kept equal to the types in command-route.ts, hook-route.ts, rule-route.ts, notice-hook.ts, define-plugin.ts, manifest.ts. */

import { argTypes } from './command-route.js'
import {
  hookFailures,
  hookKinds,
  hookTransactions,
  leastBreakerMs,
  matchedCommandPattern,
  mostBreaker,
  mostBreakerMs,
  mostHookDb,
  mostHookMatchers,
  mostHookPriority,
  mostHookTimeoutMs,
  userPattern,
  wholeSample,
} from './hook-route.js'
import { noticeHookKinds } from './notice-hook.js'
import {
  mostRuleArgument,
  mostRuleArguments,
  mostRuleBytes,
  mostRuleIntervalMs,
  mostRuleTokens,
  renamedCommandPattern,
  ruleActions,
  ruleErrorPattern,
  rulePers,
} from './rule-route.js'

const strings = { type: 'array', items: { type: 'string' } } as const
const integer = { type: 'integer' } as const
const name = { type: 'string', minLength: 1 } as const

function object(properties: Readonly<Record<string, unknown>>, optional: readonly string[] = []): object {
  const required = Object.keys(properties).filter((property) => !optional.includes(property))
  return { type: 'object', additionalProperties: false, required, properties }
}

const range = (minimum: number, maximum: number): object => ({ type: 'integer', minimum, maximum })

/** Parts of ACL rules, which are separated by spaces. */
const globs = { type: 'array', items: { type: 'string', pattern: '^[^\\s\\x00-\\x1f]+$' } } as const
const rules = { type: 'array', items: { type: 'string', pattern: '^[+-][^\\s\\x00-\\x1f]+$' } } as const

export const permissionsSchema = object(
  {
    keys: object({ r: globs, rw: globs, w: globs }, ['r', 'rw', 'w']),
    channels: globs,
    commands: rules,
    network: strings,
    files: object({ read: strings, write: strings }, ['read', 'write']),
  },
  ['keys', 'channels', 'commands', 'network', 'files'],
)

export const limitsSchema = object(
  {
    heapMiB: range(16, 4096),
    externalMiB: range(16, 4096),
    callMs: range(10, 60_000),
    inFlight: range(1, 100_000),
  },
  ['heapMiB', 'externalMiB', 'callMs', 'inFlight'],
)

const keySpecSchema = object({
  flags: strings,
  begin: {
    type: 'object',
    oneOf: [
      object({ kind: { const: 'index' }, position: integer }),
      object({ kind: { const: 'keyword' }, word: name, from: integer }),
    ],
  },
  find: {
    type: 'object',
    oneOf: [
      object({ kind: { const: 'range' }, last: integer, step: integer, limit: integer }),
      object({ kind: { const: 'keynum' }, index: integer, first: integer, step: integer }),
    ],
  },
})

const argSchema = {
  $id: 'ferrite-arg',
  ...object(
    {
      name,
      type: { enum: [...argTypes] },
      token: name,
      flags: { type: 'array', items: { enum: ['optional', 'multiple', 'multiple_token'] } },
      least: integer,
      key: integer,
      args: { type: 'array', items: { $ref: 'ferrite-arg' } },
    },
    ['token', 'least', 'key', 'args'],
  ),
}

const readWordSchema = {
  type: 'object',
  oneOf: [
    object({ lit: { type: 'string' } }),
    object({ arg: integer }),
    object({ key: integer }),
    object({ keys: { type: 'array', items: integer, minItems: 2, maxItems: 2 } }),
  ],
}

export const commandRouteSchema = object(
  {
    name: { type: 'string', pattern: '^[A-Z][A-Z0-9_.:-]{0,63}(?:\\|[A-Z][A-Z0-9_.:-]{0,63})?$' },
    arity: integer,
    flags: strings,
    categories: strings,
    transaction: { enum: ['sync', 'refuse'] },
    timeoutMs: range(0, 3_600_000),
    retry: range(0, 100),
    doc: object({ summary: { type: 'string' }, since: { type: 'string' }, complexity: { type: 'string' } }, [
      'since',
      'complexity',
    ]),
    keySpecs: { type: 'array', items: keySpecSchema },
    args: { type: 'array', items: argSchema },
    reads: { type: 'array', items: { type: 'array', items: readWordSchema, minItems: 1 } },
    group: { type: 'string' },
    returns: { type: 'object', required: ['type'], properties: { type: { type: 'string' } } },
  },
  ['group', 'returns'],
)

export const noticeHookSchema = object({ name, kind: { enum: [...noticeHookKinds] }, events: strings })

const matchers = (items: object): object => ({ type: 'array', items, maxItems: mostHookMatchers })

const matched = {
  name: { type: 'string', pattern: '^[A-Za-z][A-Za-z0-9_.-]{0,63}$' },
  commands: matchers({ type: 'string', pattern: matchedCommandPattern.source }),
  keys: matchers({ type: 'string', pattern: '^[^\\0]+$' }),
  users: matchers({ type: 'string', pattern: userPattern.source }),
  dbs: matchers(range(0, mostHookDb)),
  priority: range(-mostHookPriority, mostHookPriority),
} as const

export const hookRouteSchema = object({
  ...matched,
  kind: { enum: [...hookKinds] },
  timeoutMs: range(1, mostHookTimeoutMs),
  failure: { enum: [...hookFailures] },
  transaction: { enum: [...hookTransactions] },
  breaker: range(0, mostBreaker),
  breakerMs: range(leastBreakerMs, mostBreakerMs),
  sample: range(1, wholeSample),
})

export const ruleRouteSchema = object(
  {
    ...matched,
    action: { enum: [...ruleActions] },
    arguments: matchers(
      object({
        at: { anyOf: [range(-mostRuleArgument, mostRuleArgument), { const: 'any' }] },
        glob: { type: 'string', pattern: '^[^\\0]*$' },
      }),
    ),
    error: { type: 'string', pattern: ruleErrorPattern.source },
    to: { type: 'string', pattern: renamedCommandPattern.source },
    rate: object({
      limit: range(1, mostRuleTokens),
      intervalMs: range(1, mostRuleIntervalMs),
      burst: range(1, mostRuleTokens),
      per: { enum: [...rulePers] },
      separator: { type: 'string', pattern: '^[\\x21-\\x7e]$' },
    }),
    maxBytes: range(0, mostRuleBytes),
    maxArguments: range(0, mostRuleArguments),
  },
  ['error', 'to', 'rate', 'maxBytes', 'maxArguments'],
)
