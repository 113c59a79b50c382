/** What the module must know of a rule: the types behind the `rule` lines of the route table and `ferrite.json`. */

import type { HookRoute } from './hook-route.js'

/** What a rule does with a command that matches. */
export const ruleActions = ['deny', 'allow', 'rename', 'rate', 'read-only', 'size'] as const
/** What has a token bucket of its own. */
export const rulePers = ['rule', 'user', 'prefix'] as const

/** Everything that the route table says about a rule. Empty lists match all. */
export interface RuleRoute extends Pick<HookRoute, 'name' | 'commands' | 'keys' | 'users' | 'dbs' | 'priority'> {
  readonly action: (typeof ruleActions)[number]
  /** All must match. */
  readonly arguments: readonly RuleArgument[]
  /** `CODE text` that a refused client gets. */
  readonly error?: string
  /** Of `rename`: the command that runs. */
  readonly to?: string
  /** Of `rate`. */
  readonly rate?: RuleRate
  /** Of `size`: bytes of each argument, and how many arguments. */
  readonly maxBytes?: number
  readonly maxArguments?: number
}

/** A word of the command: 0 is the one behind the name, negative ones count from the end. */
export interface RuleArgument {
  readonly at: number | 'any'
  readonly glob: string
}

/** `limit` tokens come in `intervalMs`, `burst` fit into a bucket. */
export interface RuleRate {
  readonly limit: number
  readonly intervalMs: number
  readonly burst: number
  readonly per: (typeof rulePers)[number]
  /** Of `prefix`: one character, with which the first part of a key ends. */
  readonly separator: string
}

/** One word in capitals, a space, text; one line of at most 200 bytes. */
export const ruleErrorPattern = /^(?=[^\r\n\0]{1,200}$)[A-Z0-9_-]+ /
/** The name of a whole command, which rename takes and gives. */
export const renamedCommandPattern = /^[A-Z_][A-Z0-9_.-]{0,63}$/
export const mostRuleArgument = 32_767
export const mostRuleTokens = 1_000_000
export const mostRuleIntervalMs = 86_400_000
export const mostRuleBytes = 2 ** 40
export const mostRuleArguments = 2 ** 31 - 1
