/** After hooks: what a plugin is told of a client's command that the server has run. */

import type { RespValue } from '../bridge/resp-value.js'
import type { Verdict } from './before.js'
import type { BreakerOptions, CommandMatcher, CommandWords } from './command-matcher.js'
import type { HookContext, ToldContext } from './context.js'
import type { Reply } from './reply.js'

/** What came of a command. */
export interface CommandResult {
  /** What the client got, in its protocol (`ctx.resp`): a `RespError` for an error. Decoded when it is looked at. */
  readonly reply: RespValue
  /** Microseconds that the server took to run it. */
  readonly durationUs: number
}

/** What came of a command whose client still waits. The methods make verdicts; one must be returned. */
export interface FinishedCommand extends CommandResult {
  /** Lets the reply stand: the next hook is told, and then the client gets it. */
  keep(): Verdict
  /**
   * Gives the client another reply, which the next hook gets to see. The command stays done.
   *
   * @example
   * return result.replace(keys.map((key) => key.slice(prefix.length)))
   */
  replace(value: Reply): Verdict
}

/**
 * Which commands an after hook is told of, and what it does with them. `Wait` is what `wait` says; a hook without it is
 * told, and nobody waits.
 */
export interface AfterOptions<Wait extends boolean = boolean> extends CommandMatcher {
  /** The client's reply waits for the handler, which may replace it. @default false */
  readonly wait?: Wait
  /** Of which share of the commands, by chance, it is told: above 0, at most 1. Not with `wait`. @default 1 */
  readonly sample?: Wait extends true ? never : number
  /** With `wait`: milliseconds until the hook has failed, 1 to 60 000. @default 50 */
  readonly timeoutMs?: Wait extends true ? number : never
  /**
   * With `wait`: what happens to the reply when the hook fails: it throws, gives no verdict, is too late, or the plugin
   * is not there. `deny`: the client gets an error in its place; `allow`: the reply stands. The command was run.
   * @default 'deny'
   */
  readonly onFailure?: Wait extends true ? 'deny' | 'allow' : never
  /** With `wait`: where the client cannot be blocked (MULTI, scripts, tracking), as for `before()`. @default 'sync' */
  readonly inTransaction?: Wait extends true ? 'sync' | 'allow' : never
  /** With `wait`: the circuit breaker of the hook, as for `before()`; `false`: none. */
  readonly breaker?: Wait extends true ? BreakerOptions | false : never
  /**
   * Runs once per command, one after another in their order; a promise is awaited before the next. With `wait` it
   * decides about one reply, and returns what a method of `result` made, in every path.
   */
  readonly handler: (
    ctx: Wait extends true ? HookContext : ToldContext,
    cmd: CommandWords,
    result: Wait extends true ? FinishedCommand : CommandResult,
  ) => Wait extends true ? Verdict | Promise<Verdict> : unknown
}

/** @internal */
export class AfterHook {
  constructor(readonly options: AfterOptions<true> | AfterOptions<false>) {}
}

/**
 * Is told of commands that the server has run, with their replies. With `wait: true` the client's reply waits for the
 * handler, which may replace it.
 *
 * @example
 * after({ command: '@write', handler: (ctx, cmd, result) => ctx.log.info({ user: ctx.user, name: cmd.name }) })
 */
export function after<Wait extends boolean = false>(options: AfterOptions<Wait>): AfterHook {
  return new AfterHook(options as AfterOptions<true> | AfterOptions<false>) // Wait is one of the two
}
