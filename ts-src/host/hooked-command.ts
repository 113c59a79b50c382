// The `cmd` of command hooks, and the `result` of after hooks. They are made per call: what a handler does not look at is
// not decoded.
import { decodeResp, type RespValue } from '../bridge/resp.js'
import type { CommandResult, FinishedCommand } from '../sdk/after.js'
import { Verdict, type CommandWord, type HookedCommand } from '../sdk/before.js'
import type { CommandWords } from '../sdk/command-matcher.js'
import { checkErrorCode } from '../sdk/plugin-error.js'
import type { Reply } from '../sdk/reply.js'
import { toArgv } from './argv.js'

/** The verdict of nearly all calls. */
export const kContinue = new Verdict('continue')

export class InvokedWords implements CommandWords {
  readonly #argv: readonly Buffer[]
  #name: string | undefined
  #args: readonly Buffer[] | undefined

  constructor(argv: readonly Buffer[]) {
    this.#argv = argv
  }

  get name(): string {
    return (this.#name ??= this.firstWord.toString('latin1').toUpperCase())
  }

  get args(): readonly Buffer[] {
    return (this.#args ??= this.#argv.slice(1))
  }

  /** Names of commands are ASCII; as latin1 the bytes of any other word make a string too. */
  protected get firstWord(): Buffer {
    return this.#argv[0] ?? Buffer.alloc(0)
  }
}

export class InvokedCommand extends InvokedWords implements HookedCommand {
  continue(): Verdict {
    return kContinue
  }

  deny(code: string, text: string): Verdict {
    return new Verdict('deny', text, checkErrorCode(code))
  }

  rewrite(args: readonly CommandWord[], name?: string): Verdict {
    if (name === undefined) {
      const [, ...words] = toArgv(this.name, args)
      return new Verdict('rewrite', [this.firstWord, ...words])
    }
    if (/^[^\s|]+$/.test(name)) return new Verdict('rewrite', toArgv(name, args))
    throw new TypeError(
      `'${name}' is no name of a command: one word is expected, a subcommand is the first of the arguments`,
    )
  }

  reply(value: Reply): Verdict {
    return new Verdict('reply', value)
  }
}

/** The reads of the INVOKE of an after hook: the reply, µs, and for hooks that are told how many were left out before. */
type About = readonly Buffer[]

function numberOf(about: About, index: number): number {
  return Number(decodeResp(about[index] ?? Buffer.from(':0\r\n')))
}

/** Commands that the hook was not told of before this one. */
export function untold(about: About): number {
  return numberOf(about, 2)
}

export class InvokedResult implements CommandResult {
  readonly #about: About
  #reply: RespValue | undefined

  constructor(about: About) {
    this.#about = about
  }

  get reply(): RespValue {
    return (this.#reply ??= decodeResp(this.#about[0] ?? Buffer.from('_\r\n')))
  }

  get durationUs(): number {
    return numberOf(this.#about, 1)
  }
}

export class AwaitedResult extends InvokedResult implements FinishedCommand {
  keep(): Verdict {
    return kContinue
  }

  replace(value: Reply): Verdict {
    return new Verdict('reply', value)
  }
}
