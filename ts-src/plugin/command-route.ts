/** What the module must know of a command: the types behind the route table and `ferrite.json`. */

import type { HookRoute } from './hook-route.js'
import type { RuleRoute } from './rule-route.js'

/** Where the keys of a command stand, as in COMMAND INFO. */
export interface KeySpec {
  readonly flags: readonly string[]
  readonly begin:
    | { readonly kind: 'index'; readonly position: number }
    | { readonly kind: 'keyword'; readonly word: string; readonly from: number }
  readonly find:
    | { readonly kind: 'range'; readonly last: number; readonly step: number; readonly limit: number }
    | { readonly kind: 'keynum'; readonly index: number; readonly first: number; readonly step: number }
}

export const argTypes = [
  'key',
  'string',
  'integer',
  'double',
  'pattern',
  'unix-time',
  'pure-token',
  'oneof',
  'block',
] as const

/** An argument as COMMAND DOCS shows it. */
export interface ArgDoc {
  readonly name: string
  readonly type: (typeof argTypes)[number]
  readonly token?: string
  readonly flags: readonly ('optional' | 'multiple' | 'multiple_token')[]
  /** How many values come at least, if there are any. @default 1 */
  readonly least?: number
  /** Index of the argument's key spec. */
  readonly key?: number
  /** Inner arguments of `oneof` and `block`. */
  readonly args?: readonly ArgDoc[]
}

/** A word of a declared read. Positions count as in `arity`: the command's name is 0. */
export type ReadWord =
  | { readonly lit: string }
  | { readonly arg: number }
  | { readonly key: number }
  /** Words from the first to the last position; a negative last counts from the end. */
  | { readonly keys: readonly [number, number] }

export interface CommandDoc {
  readonly summary: string
  readonly since?: string
  readonly complexity?: string
}

/** Everything that the route table says about a command. */
export interface CommandRoute {
  /** Capitals; a subcommand is `SESSION|GET`. */
  readonly name: string
  /** As in COMMAND INFO: counts the name (both words of a subcommand); negative: at least that many. */
  readonly arity: number
  readonly flags: readonly string[]
  /** ACL categories without `@`. */
  readonly categories: readonly string[]
  /** In MULTI, scripts and calls of other modules. */
  readonly transaction: 'sync' | 'refuse'
  /** 0: `ferrite.request-timeout`. */
  readonly timeoutMs: number
  /** Runs after a guard failed; 0: not guarded. */
  readonly retry: number
  readonly doc: CommandDoc
  readonly keySpecs: readonly KeySpec[]
  readonly args: readonly ArgDoc[]
  readonly reads: readonly (readonly ReadWord[])[]
}

/** The part of a plugin that the route table holds. */
export interface PluginRoutes {
  readonly name: string
  readonly version: string
  /** The plugin's own rights as ACL rules, separated by spaces. @default none */
  readonly acl?: string
  readonly commands: readonly CommandRoute[]
  readonly hooks: readonly HookRoute[]
  readonly rules: readonly RuleRoute[]
}

/** A route table that cannot be used. `line` counts from 1. */
export class RouteTableError extends Error {
  override readonly name = 'RouteTableError'

  constructor(
    readonly line: number,
    problem: string,
  ) {
    super(`route table, line ${line}: ${problem}`)
  }
}
