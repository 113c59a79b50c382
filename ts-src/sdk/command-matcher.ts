/** Which commands a command hook is for, and in which order hooks come: what `before()` and `after()` have in common. */

/** A command must match all that is given. */
export interface CommandMatcher {
  /** A name in capitals, `'CONFIG|SET'` for a subcommand, `'@write'` for an ACL category, or several. @default all commands */
  readonly command?: string | readonly string[]
  /** Glob of keys (as in KEYS), or several; one key of the command must match. @default also commands without keys */
  readonly key?: string | readonly string[]
  /** Name of the client's ACL user, or several. @default all users */
  readonly user?: string | readonly string[]
  /** Number of the client's database, or several. @default all databases */
  readonly db?: number | readonly number[]
  /** Hooks with a lower number come first, -1000 to 1000; then by names of plugins and hooks. @default 100 */
  readonly priority?: number
}

/** When a hook that clients wait for is left alone for a while, so that not each of them waits in vain. */
export interface BreakerOptions {
  /** Deadlines missed in a row until then, 1 to 1000. Other failures do not count: they cost no time. @default 10 */
  readonly failures?: number
  /**
   * Milliseconds for which its commands are treated as `onFailure` says, without asking, 10 to 600 000. Then one command
   * asks again. @default 1000
   */
  readonly resetMs?: number
}

/** The words of a command. */
export interface CommandWords {
  /** The first word, in capitals: `SET`; `CONFIG` for `CONFIG|SET`. */
  readonly name: string
  /** The words behind the name; of a subcommand the first one is its name. Changing their bytes changes nothing. */
  readonly args: readonly Buffer[]
}
