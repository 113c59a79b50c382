/** From a rule of the definition to what the route table says. */

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
  type RuleArgument,
  type RuleRoute,
} from '../plugin/rule-route.js'
import { checkInteger, checkKeys, checkWord, fail } from './check.js'
import { compileMatcher, listOf, matcherKeys } from './compile-command-hook.js'
import type { ArgumentMatch, RateRule, RenameRule, Rule, SizeRule } from './rule.js'

const common = [...matcherKeys, 'argument', 'action']
const ownKeys: Readonly<Record<Rule['action'], readonly string[]>> = {
  deny: ['error'],
  allow: [],
  rename: ['to'],
  rate: ['error', 'limit', 'intervalMs', 'burst', 'per', 'separator'],
  'read-only': ['error'],
  size: ['error', 'maxBytes', 'maxArguments'],
}

function compileArgument(path: string, given: unknown): RuleArgument {
  if (typeof given !== 'object' || given === null) fail(path, `must be { at, glob }, got ${JSON.stringify(given)}`)
  checkKeys(path, given, ['at', 'glob'])
  const { at, glob } = given as ArgumentMatch
  if (typeof glob !== 'string' || glob.includes('\0')) fail(`${path}.glob`, 'must be a pattern as in KEYS, without NUL')
  return { at: at === 'any' ? at : checkInteger(`${path}.at`, at, -mostRuleArgument, mostRuleArgument), glob }
}

function compileError(path: string, error: unknown): Pick<RuleRoute, 'error'> {
  if (error === undefined) return {}
  if (typeof error === 'string' && ruleErrorPattern.test(error) && Buffer.byteLength(error) <= 200) return { error }
  return fail(path, `must be a CODE in capitals, a space and text, 200 bytes in one line, got ${JSON.stringify(error)}`)
}

function compileRename(path: string, rule: RenameRule): Pick<RuleRoute, 'to'> {
  const names = listOf(`${path}.command`, rule.command)
  if (names.length === 0) fail(`${path}.command`, 'must name what is renamed')
  for (const [at, name] of [...names.map((each) => ['command', each]), ['to', rule.to]]) {
    if (typeof name !== 'string' || !renamedCommandPattern.test(name))
      fail(`${path}.${String(at)}`, `must be a whole command in capitals, got ${JSON.stringify(name)}`)
  }
  return { to: rule.to }
}

function compileRate(path: string, rule: RateRule): Pick<RuleRoute, 'rate'> {
  const { limit, intervalMs = 1000, per = 'rule', separator = ':' } = rule
  if (!/^[\x21-\x7e]$/.test(separator))
    fail(`${path}.separator`, `must be one character, got ${JSON.stringify(separator)}`)
  const checkedLimit = checkInteger(`${path}.limit`, limit, 1, mostRuleTokens)
  return {
    rate: {
      limit: checkedLimit,
      intervalMs: checkInteger(`${path}.intervalMs`, intervalMs, 1, mostRuleIntervalMs),
      burst: checkInteger(`${path}.burst`, rule.burst ?? checkedLimit, 1, mostRuleTokens),
      per: checkWord(`${path}.per`, per, rulePers),
      separator,
    },
  }
}

function compileSize(path: string, { maxBytes, maxArguments }: SizeRule): Pick<RuleRoute, 'maxBytes' | 'maxArguments'> {
  if (maxBytes === undefined && maxArguments === undefined) fail(path, 'needs maxBytes or maxArguments')
  return {
    ...(maxBytes === undefined ? {} : { maxBytes: checkInteger(`${path}.maxBytes`, maxBytes, 0, mostRuleBytes) }),
    ...(maxArguments === undefined
      ? {}
      : { maxArguments: checkInteger(`${path}.maxArguments`, maxArguments, 0, mostRuleArguments) }),
  }
}

function compileOwn(path: string, rule: Rule): Partial<RuleRoute> {
  if (rule.action === 'allow') return {}
  if (rule.action === 'rename') return compileRename(path, rule)
  const refusal = compileError(`${path}.error`, rule.error)
  if (rule.action === 'rate') return { ...refusal, ...compileRate(path, rule) }
  return rule.action === 'size' ? { ...refusal, ...compileSize(path, rule) } : refusal
}

/** @throws PluginDefinitionError that names the place */
export function compileRule(name: string, path: string, rule: Rule): RuleRoute {
  if (typeof rule !== 'object' || (rule as unknown) === null) fail(path, 'must be { action, … }')
  const action = checkWord(`${path}.action`, rule.action, ruleActions)
  checkKeys(path, rule, [...common, ...ownKeys[action]])
  const words = listOf(`${path}.argument`, rule.argument)
  return {
    name,
    action,
    ...compileMatcher(path, rule),
    arguments: words.map((each) => compileArgument(`${path}.argument`, each)),
    ...compileOwn(path, rule),
  }
}
