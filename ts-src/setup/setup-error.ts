/** Why a preparation step failed; its message is one line that a command prints as it is, remedy included. */
export class SetupError extends Error {
  override readonly name = 'SetupError'

  constructor(
    readonly code: SetupErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

export type SetupErrorCode =
  | 'SETUP_TOOL_MISSING'
  | 'SETUP_HEADER_MISSING'
  | 'SETUP_COMPILE_FAILED'
  | 'SETUP_NOT_WRITABLE'
  | 'SETUP_LOCK_BUSY'
  | 'SETUP_SERVER_MISSING'
  | 'SETUP_SERVER_OLD'
  | 'SETUP_SERVER_FAILED'
  | 'SETUP_PORT_IN_USE'
  | 'SETUP_OPTION_INVALID'
