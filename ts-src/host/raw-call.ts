// ctx.call: one command, RESP3-typed and binary.
import { CallFlag } from '../bridge/messages.js'
import { RespError, type RespValue } from '../bridge/resp.js'
import { toArgv } from './argv.js'
import type { Caller, Calls } from './calls.js'
import { ServerError } from './server-error.js'

/**
 * Runs one command and gives its reply as the server sent it, in RESP3 (Buffers, RespMap, numbers, …).
 *
 * @throws (rejects) ServerError for an error reply
 */
export async function rawCall(
  calls: Calls,
  caller: Caller,
  name: string,
  args: readonly unknown[],
): Promise<Exclude<RespValue, RespError>> {
  const [value = null] = await calls.send(caller, [toArgv(name, args)], CallFlag.resp3)
  if (value instanceof RespError) throw new ServerError(value, { name, args })
  return value
}
