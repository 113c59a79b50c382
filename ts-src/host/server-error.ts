import type { RespError } from '../bridge/resp.js'
import { PluginError } from '../sdk/plugin-error.js'

const kCode = /^[A-Z][A-Z0-9_-]{0,63}$/

/**
 * An error reply of the server to a call of a plugin. A PluginError: if the handler lets it pass, the client gets what
 * the server said (`-NOPERM …`, `-WRONGTYPE …`). Its name is that of ioredis's class, which code for ioredis expects.
 */
export class ServerError extends PluginError {
  override readonly name: string = 'ReplyError'

  constructor(
    reply: RespError,
    /** The command that failed. */
    readonly command?: { readonly name: string; readonly args: readonly unknown[] },
  ) {
    const isCode = kCode.test(reply.code)
    super(isCode ? reply.code : 'ERR', isCode ? reply.message : `${reply.code} ${reply.message}`.trimEnd())
  }
}
