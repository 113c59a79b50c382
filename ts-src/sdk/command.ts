/** The declaration of one command. */

import type { ArgRecord, ArgValues } from './arg.js'
import type { CommandContext } from './context.js'
import type { ReadRecord, ReadValues, References } from './read.js'
import type { Reply } from './reply.js'
import type { ReplyOf, ReplyShape } from './shape.js'

/** Flags that a command may add to those which follow from its keys. */
export const extraFlags = [
  'fast',
  'admin',
  'allow-loading',
  'allow-stale',
  'no-monitor',
  'no-slowlog',
  'may-replicate',
  'pubsub',
  'deny-oom',
] as const

export type CommandFlag = (typeof extraFlags)[number]

/** @typeParam A arguments, @typeParam R reads, @typeParam T declared reply */
export interface CommandOptions<A extends ArgRecord, R extends ReadRecord, T> {
  /** One sentence, shown by COMMAND DOCS. */
  readonly summary: string
  /** Version of the plugin that brought the command. */
  readonly since?: string
  /** Such as `O(log(N))`. */
  readonly complexity?: string
  /** Heading under which documentation lists the command. */
  readonly group?: string
  /** Arguments in their order. @default none */
  readonly args?: A
  /** Reads that the module performs before the handler runs; evaluated once, at build. @default none */
  readonly reads?: (args: References<A>) => R
  /**
   * Makes read, decision and write atomic: if the reads no longer hold when the commit is to be applied, the handler
   * runs again with fresh ones, at most this many times; then the client gets `-TRYAGAIN`. 0 to 100. @default 0: no check
   */
  readonly retryOnChange?: number
  /** The command writes nothing. @default true if all its keys are `r` */
  readonly readonly?: boolean
  /** Refused when memory is full. @default true for a command that writes, unless its keys are only deleted */
  readonly denyOom?: boolean
  /** @default those that follow from the keys */
  readonly flags?: readonly CommandFlag[]
  /** ACL categories besides those that follow from keys and flags, without `@`. @default none */
  readonly categories?: readonly string[]
  /** In MULTI, scripts and calls of modules: wait for the handler, with a short deadline, or refuse. @default 'sync' */
  readonly inTransaction?: 'sync' | 'refuse'
  /** Milliseconds until the client gets a timeout error, 1 to 3 600 000. @default `ferrite.request-timeout` */
  readonly timeoutMs?: number
  /** What the command replies; `ferrite types` makes the client's types from it. @default not told */
  readonly returns?: ReplyShape<T>
  /**
   * Answers one call. A thrown `PluginError` is an error reply; any other error is a fault of the plugin: the client
   * gets `-ERR plugin … failed` and the log the stack.
   */
  readonly handler: (
    ctx: CommandContext<ReadValues<R>>,
    args: ArgValues<A>,
  ) => ReplyFor<NoInfer<T>> | Promise<ReplyFor<NoInfer<T>>>
}

/** Without a declared reply, any. */
export type ReplyFor<T> = [Undeclared] extends [T] ? Reply : ReplyOf<T>

declare const kUndeclared: unique symbol

/** @internal */
export interface Undeclared {
  readonly [kUndeclared]: never
}

/** No arguments, no reads: the use of any name is a type error. */
// eslint-disable-next-line @typescript-eslint/no-generated-empty-object-type -- exactly that is meant
type Empty = Readonly<Record<never, never>>

/** A declared command, as it stands in `commands`. Its types have done their work. */
export class Command {
  /** @internal */
  constructor(readonly options: CommandOptions<ArgRecord, ReadRecord, unknown>) {}
}

/**
 * Declares a command. Its name is the property in `commands`.
 *
 * @example
 * 'GREET': command({
 *   summary: 'Greets',
 *   args: { name: arg.string() },
 *   handler: (ctx, { name }) => `hello ${name}`,
 * })
 */
export function command<const A extends ArgRecord = Empty, R extends ReadRecord = Empty, T = Undeclared>(
  options: CommandOptions<A, R, T>,
): Command {
  // The parameters of `reads` and `handler` are narrower than the erased ones; compilePlugin hands them what A and R say.
  return new Command(options as unknown as CommandOptions<ArgRecord, ReadRecord, unknown>)
}
