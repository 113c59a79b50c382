/** Before hooks: what a plugin says to a client's command before the server runs it. */

import type { BreakerOptions, CommandMatcher, CommandWords } from './command-matcher.js'
import type { HookContext } from './context.js'
import type { Reply } from './reply.js'

declare const kVerdict: unique symbol

/** What a hook decided. Made by the methods of `HookedCommand` and `FinishedCommand` alone. */
export class Verdict {
  declare readonly [kVerdict]: true

  /** @internal */
  constructor(
    /** @internal */
    readonly kind: 'continue' | 'deny' | 'rewrite' | 'reply',
    /** The text of a denial, the words of the rewritten command, the reply. @internal */
    readonly value?: unknown,
    /** The code of a denial. @internal */
    readonly code = '',
  ) {}
}

/** A word of a rewritten command. Strings are written as UTF-8, numbers as text. */
export type CommandWord = string | number | bigint | Buffer

/**
 * A command that a client has sent and the server has not run. The methods make verdicts; one must be returned, and
 * nothing happens before.
 *
 * @example
 * handler: (ctx, cmd) => (cmd.args.length > 100 ? cmd.deny('ERR', 'too many arguments') : cmd.continue())
 */
export interface HookedCommand extends CommandWords {
  /** Lets it go on: the next hook is asked, and after the last one the server runs it. */
  continue(): Verdict
  /**
   * Refuses it: the client gets `-CODE text`.
   *
   * @throws RangeError for a code that is none: capital letters, digits, `_` and `-`
   * @example
   * return cmd.deny('NOPERM', 'not on a Sunday')
   */
  deny(code: string, text: string): Verdict
  /**
   * Has another command go on in its place, which the next hook gets to see. It runs as the client's user, who needs the
   * right to it; in a cluster its keys must be of the same slot.
   *
   * @param args the words behind the name
   * @param name one word. @default the name of the command as it came
   * @example
   * return cmd.rewrite([`${ctx.user}:${String(cmd.args[0])}`, ...cmd.args.slice(1)])
   */
  rewrite(args: readonly CommandWord[], name?: string): Verdict
  /**
   * Answers it: the client gets this value as if a command of the plugin had returned it, and nothing is run.
   *
   * @example
   * return cmd.reply(reply.simple('OK'))
   */
  reply(value: Reply): Verdict
}

/** Which commands a before hook is asked about, and what it does. */
export interface BeforeOptions extends CommandMatcher {
  /** Milliseconds until the hook has failed, 1 to 60 000. @default 50 */
  readonly timeoutMs?: number
  /**
   * What happens to the command when the hook fails: it throws, gives no verdict, is too late, or the plugin is not
   * there. `deny`: the client gets an error; `allow`: as if the hook had let it go on. @default 'deny'
   */
  readonly onFailure?: 'deny' | 'allow'
  /**
   * Where the client cannot be blocked (MULTI, scripts, calls of other modules, clients with tracking): `sync` waits
   * for the handler with a short deadline, `allow` lets the command go on unasked, `deny` refuses it. @default 'sync'
   */
  readonly inTransaction?: 'sync' | 'allow' | 'deny'
  /** The circuit breaker of the hook; `false`: none. @default { failures: 10, resetMs: 1000 } */
  readonly breaker?: BreakerOptions | false
  /**
   * Decides about one command; returns what a method of `cmd` made, in every path. Whatever it throws, a `PluginError`
   * too, is a failure: use `cmd.deny()` to refuse.
   */
  readonly handler: (ctx: HookContext, cmd: HookedCommand) => Verdict | Promise<Verdict>
}

/** @internal */
export class BeforeHook {
  constructor(readonly options: BeforeOptions) {}
}

/**
 * Is asked before the server runs a client's command: lets it go on, refuses it, changes it or answers it. A handler
 * that returns its verdict rather than a promise is cheapest.
 *
 * @example
 * before({
 *   command: 'SET',
 *   key: 'user:*',
 *   handler: (ctx, cmd) => (cmd.args[1]!.length > 1024 ? cmd.deny('ERR', 'user too large') : cmd.continue()),
 * })
 */
export function before(options: BeforeOptions): BeforeHook {
  return new BeforeHook(options)
}
