/**
 * The errors of the SDK. `PluginError` and `ArgumentError` are answers for the client, and no fault of the plugin;
 * `PluginDefinitionError` is for the author, when a plugin is built or loaded.
 */

const errorCode = /^[A-Z][A-Z0-9_-]{0,63}$/

/** @throws RangeError when a code cannot be the first word of an error reply */
export function checkErrorCode(code: string): string {
  if (errorCode.test(code)) return code
  throw new RangeError(
    `error code ${JSON.stringify(code)} is not valid: expected capital letters, digits, _ and -, such as 'NOTFOUND'`,
  )
}

/**
 * An error reply on purpose. Thrown in a handler it reaches the client as `-CODE text`; it counts neither as a crash
 * nor as a failure of the plugin.
 *
 * @example
 * if (balance < amount) throw new PluginError('NOFUNDS', `balance is ${balance}, ${amount} needed`)
 */
export class PluginError extends Error {
  override readonly name: string = 'PluginError'

  /**
   * @param code first word of the error reply: capital letters, digits, `_` and `-`, at most 64
   * @param text the rest of the line; line breaks become spaces
   * @throws RangeError when the code is none
   */
  constructor(
    readonly code: string,
    readonly text: string,
    options?: ErrorOptions,
  ) {
    super(`${code} ${text}`, options)
    checkErrorCode(code)
  }
}

/** A command was called with arguments that its declaration does not allow. Sent as `-ERR text`. */
export class ArgumentError extends PluginError {
  override readonly name: string = 'ArgumentError'

  constructor(text: string) {
    super('ERR', text)
  }
}

/** The definition of a plugin is not valid. `path` says where, for example `commands.ECHO.args.text`. */
export class PluginDefinitionError extends Error {
  override readonly name = 'PluginDefinitionError'

  constructor(
    readonly path: string,
    readonly problem: string,
  ) {
    super(path === '' ? problem : `${path}: ${problem}`)
  }
}
