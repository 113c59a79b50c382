// ctx.commit: commands that the module runs as one atomic unit together with the reply.
import type { Argv } from '../bridge/messages.js'
import { CommitResult } from '../sdk/encode-reply.js'
import { toArgv } from './argv.js'
import { commandMethods } from './command-methods.js'
import { HostError } from './errors.js'

/** Key of the list of queued commands: a symbol, so that no command's name can collide with it. */
export const kQueued = Symbol('queued')
/** Key of the flag that is set once the handler has ended. */
export const kEnded = Symbol('ended')

/** Has a method for every command; each queues one and returns what stands for its reply. */
export class CommitQueue {
  readonly [kQueued]: Argv[] = [];
  [kEnded] = false

  /** Number of commands so far. */
  get length(): number {
    return this[kQueued].length
  }

  /** Queues a command by its name, for names that are no identifiers: `call('JSON.SET', key, '$', text)`. */
  call(name: string, ...args: readonly unknown[]): CommitResult {
    if (this[kEnded]) {
      throw new HostError(
        'FERRITE_COMMIT_ENDED',
        `ctx.commit.${name} was called after the handler had ended; await everything before you return`,
      )
    }
    const queued = this[kQueued]
    queued.push(toArgv(name, args))
    return new CommitResult(queued.length - 1)
  }
}

Object.setPrototypeOf(
  CommitQueue.prototype,
  commandMethods((name) => {
    const command = name.toUpperCase()
    return function (this: CommitQueue, ...args: readonly unknown[]): CommitResult {
      return this.call(command, ...args)
    }
  }),
)
