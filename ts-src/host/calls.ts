// Calls of plugins to the server (CALL and CALL_RESULT of one lane).
import type { Lane } from '../bridge/lane.js'
import { CallFlag, type Argv, type CallResult } from '../bridge/messages.js'
import { decodeResp, RespError, type RespValue } from '../bridge/resp.js'
import type { U64 } from '../bridge/u64.js'
import { HostError } from './errors.js'
import { ServerError } from './server-error.js'

/** On whose behalf a call is made, and where. */
export interface Caller {
  readonly plugin: string
  /** 0: as the plugin, in database `db`. */
  readonly requestId: U64
  readonly db: number
  /** The plugin's own rights, on behalf of a request. */
  readonly asPlugin: boolean
  /** The calls that are cancelled when the request ends; missing when nothing ends them. */
  readonly open?: Set<number>
}

interface PendingCall {
  readonly caller: Caller
  readonly resolve: (values: RespValue[]) => void
  readonly reject: (error: Error) => void
}

/** The calls of one lane that have no answer yet. */
export class Calls {
  private readonly pending = new Map<number, PendingCall>()
  private lastId = 0

  constructor(private readonly lane: Lane) {}

  /** Calls without an answer. */
  get count(): number {
    return this.pending.size
  }

  /**
   * Sends commands in one frame; their replies come in the same order, an error of one command as a RespError in its
   * place.
   *
   * @param flags CallFlag.resp3 for RESP3 values (else RESP2 shapes), CallFlag.atomic for one MULTI/EXEC
   * @throws (rejects) ServerError when the whole call was refused, HostError when it was cancelled or the lane has ended
   */
  send(caller: Caller, commands: readonly Argv[], flags: number): Promise<RespValue[]> {
    return new Promise((resolve, reject) => {
      if (this.lane.isClosed) return reject(laneClosed())
      const id = ++this.lastId
      this.lane.send({
        type: 'CALL',
        id,
        flags: flags | (caller.asPlugin ? CallFlag.asPlugin : 0),
        requestId: caller.requestId,
        plugin: caller.plugin,
        db: caller.db,
        commands,
      })
      this.pending.set(id, { caller, resolve, reject })
      caller.open?.add(id)
    })
  }

  /** Deals with an answer; one that nobody waits for any more is dropped. */
  onResult(result: CallResult): void {
    const call = this.take(Number(result.id))
    if (call === undefined) return
    try {
      const values = result.values.map((value) => decodeResp(value))
      if (result.refused) call.reject(refusal(values[0]))
      else call.resolve(values)
    } catch (error) {
      const text = `the server's answer to a call of plugin ${call.caller.plugin} could not be read`
      call.reject(new HostError('FERRITE_CALL_DROPPED', text, { cause: error }))
    }
  }

  /** Rejects the open calls of a request that has ended. */
  cancel(open: ReadonlySet<number>, reason: Error): void {
    for (const id of open) this.take(id)?.reject(reason)
  }

  /** Rejects everything: the lane has ended. */
  end(): void {
    const calls = [...this.pending.values()]
    this.pending.clear()
    for (const call of calls) call.reject(laneClosed())
  }

  private take(id: number): PendingCall | undefined {
    const call = this.pending.get(id)
    if (call === undefined) return undefined
    this.pending.delete(id)
    call.caller.open?.delete(id)
    return call
  }
}

function refusal(value: RespValue | undefined): Error {
  if (value instanceof RespError) return new ServerError(value)
  return new HostError('FERRITE_CALL_DROPPED', 'the server refused a call without saying why')
}

function laneClosed(): HostError {
  return new HostError('FERRITE_LANE_CLOSED', 'the connection to the server has ended, the call was not made')
}
