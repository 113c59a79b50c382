// The `cmd` of a before hook. One is made per call: what a handler does not look at is not decoded.
import { Verdict, type CommandWord, type HookedCommand } from '../sdk/before.js'
import { checkErrorCode } from '../sdk/plugin-error.js'
import type { Reply } from '../sdk/reply.js'
import { toArgv } from './argv.js'

/** The verdict of nearly all calls. */
export const kContinue = new Verdict('continue')

export class InvokedCommand implements HookedCommand {
  readonly #argv: readonly Buffer[]
  #name: string | undefined
  #args: readonly Buffer[] | undefined

  constructor(argv: readonly Buffer[]) {
    this.#argv = argv
  }

  get name(): string {
    // Names of commands are ASCII; as latin1 the bytes of any other word make a string too.
    return (this.#name ??= (this.#argv[0] ?? '').toString('latin1').toUpperCase())
  }

  get args(): readonly Buffer[] {
    return (this.#args ??= this.#argv.slice(1))
  }

  continue(): Verdict {
    return kContinue
  }

  deny(code: string, text: string): Verdict {
    return new Verdict('deny', text, checkErrorCode(code))
  }

  rewrite(args: readonly CommandWord[], name?: string): Verdict {
    if (name === undefined) {
      const [, ...words] = toArgv(this.name, args)
      return new Verdict('rewrite', [this.#argv[0] ?? '', ...words])
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
