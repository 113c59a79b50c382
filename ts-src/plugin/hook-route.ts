/** What the module must know of a command hook: the types behind the `hook` lines of the route table and `ferrite.json`. */

/** `after-wait`: the reply waits for it. */
export const hookKinds = ['before', 'after', 'after-wait'] as const
/** What may happen to a command whose hook has failed. */
export const hookFailures = ['deny', 'allow'] as const
/** What may happen where the client cannot be blocked: MULTI, scripts, other modules. */
export const hookTransactions = ['sync', 'allow', 'deny'] as const

/** Everything that the route table says about a command hook. Empty lists match all. */
export interface HookRoute {
  readonly name: string
  readonly kind: (typeof hookKinds)[number]
  /** `SET`, `CONFIG|SET`, `@write`. */
  readonly commands: readonly string[]
  /** Globs; one key of the command must match. */
  readonly keys: readonly string[]
  readonly users: readonly string[]
  readonly dbs: readonly number[]
  readonly timeoutMs: number
  readonly failure: (typeof hookFailures)[number]
  readonly transaction: (typeof hookTransactions)[number]
  /** Lower first. */
  readonly priority: number
  /** Deadlines missed in a row after which the hook is not asked for `breakerMs`; 0: asked always. */
  readonly breaker: number
  readonly breakerMs: number
  /** Of `after`: how many in a million commands it is told of. */
  readonly sample: number
}

/** A command as it is matched: a name, a subcommand, a category. */
export const matchedCommandPattern =
  /^(?:[A-Z_][A-Z0-9_.:-]{0,63}(?:\|[A-Z_][A-Z0-9_.:-]{0,63})?|@[a-z][a-z0-9_-]{0,63})$/
/** The name of an ACL user. */
export const userPattern = /^[^\s\0]+$/

/** The most entries of a list: commands, keys, users, databases. */
export const mostHookMatchers = 256
export const mostHookDb = 999_999
export const mostHookTimeoutMs = 60_000
export const defaultBreaker = { breaker: 10, breakerMs: 1000 } as const
export const mostBreaker = 1000
export const leastBreakerMs = 10
export const mostBreakerMs = 600_000
/** All of them. */
export const wholeSample = 1_000_000
/** Priorities go from its negative to it. */
export const mostHookPriority = 1000

/** The most bytes that the module takes of a name in ATTACH. */
export const mostServedName = 128

/** How ATTACH names a hook among the commands that a lane serves. */
export function servedName(plugin: string, hook: string): string {
  return `hook ${plugin}/${hook}`
}
