/** Rules: what is said to commands without running any code of the plugin. */

import type { CommandMatcher } from './command-matcher.js'

/** An argument that a rule looks at. */
export interface ArgumentMatch {
  /** 0 is the word behind the command's name, -1 the last word; of `CONFIG SET` 0 is `SET`. `'any'`: one of them. */
  readonly at: number | 'any'
  /** As in KEYS; capitals make no difference. */
  readonly glob: string
}

/** Which commands a rule is for. All that is given must match. */
export interface RuleMatcher extends CommandMatcher {
  /** Arguments that must match, each of them. @default any */
  readonly argument?: ArgumentMatch | readonly ArgumentMatch[]
}

interface RefusingRule extends RuleMatcher {
  /** What the client gets: a code in capitals, a space, text; at most 200 bytes. @default a text that names the rule */
  readonly error?: string
}

/** Refuses the command. */
export interface DenyRule extends RefusingRule {
  readonly action: 'deny'
}

/** Lets the command pass without a look at the rules behind this one. Here every key of the command must match `key`. */
export interface AllowRule extends RuleMatcher {
  readonly action: 'allow'
}

/** Runs another command with the same arguments. The client's user needs the right to that one. */
export interface RenameRule extends RuleMatcher {
  readonly action: 'rename'
  /** Whole commands; a name that no command has becomes one. */
  readonly command: string | readonly string[]
  /** A whole command. */
  readonly to: string
}

/** Refuses what comes faster than a token bucket allows. */
export interface RateRule extends RefusingRule {
  readonly action: 'rate'
  /** Commands in `intervalMs`, 1 to 1 000 000. */
  readonly limit: number
  /** Milliseconds, 1 to 86 400 000. @default 1000 */
  readonly intervalMs?: number
  /** Commands at once after a rest, 1 to 1 000 000. @default limit */
  readonly burst?: number
  /** What has a bucket of its own: the rule, each user, each prefix of keys (up to the separator). @default 'rule' */
  readonly per?: 'rule' | 'user' | 'prefix'
  /** One character of ASCII. @default ':' */
  readonly separator?: string
}

/** Refuses every command that writes. */
export interface ReadOnlyRule extends RefusingRule {
  readonly action: 'read-only'
}

/** Refuses commands that are too large. */
export interface SizeRule extends RefusingRule {
  readonly action: 'size'
  /** Bytes of each argument. @default any */
  readonly maxBytes?: number
  /** Arguments behind the command's name. @default any */
  readonly maxArguments?: number
}

/**
 * Something that the server decides by itself, with no round trip to the plugin, from its start on, and also while the
 * plugin is down.
 *
 * @example
 * rules: {
 *   'no-flush': { action: 'deny', command: ['FLUSHALL', 'FLUSHDB'], error: 'NOPERM ask the operators' },
 *   'small-values': { action: 'size', command: '@write', key: 'cache:*', maxBytes: 65536 },
 * }
 */
export type Rule = DenyRule | AllowRule | RenameRule | RateRule | ReadOnlyRule | SizeRule
