import { inspect } from 'node:util'

/** Every error code of the host, with what it means. */
export type HostErrorCode =
  | 'FERRITE_HOST_ENVIRONMENT' // the process was started without what it needs
  | 'FERRITE_LANE_CLOSED' // the connection to the server has ended
  | 'FERRITE_PLUGIN_LOAD' // a plugin's files cannot be loaded, or what they export is no plugin
  | 'FERRITE_PLUGIN_SETUP' // setup() of a plugin failed
  | 'FERRITE_PLUGIN_TEARDOWN' // teardown() of a plugin failed or took too long
  | 'FERRITE_PLUGIN_ATTACH' // the server did not take a command of a plugin
  | 'FERRITE_CALL_ARGUMENT' // an argument of a call or commit cannot be sent
  | 'FERRITE_CALL_REFUSED' // a command that has no meaning in a plugin
  | 'FERRITE_CALL_CANCELLED' // the request that made the call has ended
  | 'FERRITE_CALL_DROPPED' // the server's answer could not be used
  | 'FERRITE_COMMIT_ENDED' // ctx.commit was used after the handler had ended
  | 'FERRITE_REQUEST_CANCELLED' // reason of ctx.signal: the client has gone or the time is over
  | 'FERRITE_ROUTES_WRITE' // the route table cannot be written

/** An error of the host itself. `message` says what was got, what was expected and what to do. */
export class HostError extends Error {
  override readonly name = 'HostError'

  constructor(
    readonly code: HostErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** The text of anything that was thrown, `null` and objects without a message too. */
export function thrownText(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message === '' ? thrown.name : thrown.message
  if (typeof thrown === 'string') return thrown
  return `a value that is no Error was thrown: ${describe(thrown)}`
}

/** The stack of an error with those of its causes; for anything else its text. */
export function thrownStack(thrown: unknown): string {
  if (!(thrown instanceof Error)) return thrownText(thrown)
  const stack = thrown.stack ?? `${thrown.name}: ${thrown.message}`
  return thrown.cause === undefined ? stack : `${stack}\ncaused by ${thrownStack(thrown.cause)}`
}

function describe(value: unknown): string {
  try {
    return inspect(value, { depth: 1, breakLength: Infinity })
  } catch {
    return typeof value // its own inspect() throws: the type is all that can be said
  }
}
