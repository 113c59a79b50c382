// From INVOKE to RESULT. The hot path: a handler that answers at once costs one context object, no promise, no timer and
// no buffer of its own; its result is written straight into the lane's output.
import type { Lane } from '../bridge/lane.js'
import { beginFrame, endFrame } from '../bridge/frame.js'
import {
  InvokeFlag,
  MessageType,
  Outcome,
  ResultFlag,
  writeCommands,
  writeStrs,
  type Argv,
  type CancelReason,
  type Invoke,
} from '../bridge/messages.js'
import { decodeResp, respError } from '../bridge/resp.js'
import type { U64 } from '../bridge/u64.js'
import type { CompiledCommand } from '../sdk/compile.js'
import { encodeReply, ReplyError } from '../sdk/encode-reply.js'
import { PluginError } from '../sdk/plugin-error.js'
import { BatchOverlay, readPlans, type ReadPlan } from './batch-overlay.js'
import { CallContext, cancelContext, commitOf, endContext, isCancelled, type PluginBase } from './call-context.js'

/** A command that this lane serves. */
interface Slot {
  readonly base: PluginBase
  readonly command: CompiledCommand
  readonly plans: readonly ReadPlan[]
}

/** One run of a command. */
interface Run {
  readonly id: U64
  readonly slot: Slot
  readonly ctx: CallContext
  /** The reads over the commits of the batch, when they are not what the INVOKE carried. */
  readonly assumed: readonly Buffer[] | undefined
}

/** What a run left behind for the rest of its batch. */
type Left = 'nothing' | 'a promise' | readonly Argv[]

/** Runs the commands of one lane. */
export class CommandRunner {
  private readonly slots: (Slot | undefined)[] = []
  private readonly pending = new Map<U64, Run>()
  private readonly overlay = new BatchOverlay()
  private batchEnded = false

  constructor(private readonly lane: Lane) {}

  /** Requests whose handlers have not answered yet. */
  get inFlight(): number {
    return this.pending.size
  }

  /** Adds a command; returns the code that INVOKE names it with. */
  add(base: PluginBase, command: CompiledCommand): number {
    return this.slots.push({ base, command, plans: readPlans(command.route) }) - 1
  }

  /** Forgets the commands of a plugin; codes are never used again. */
  remove(base: PluginBase): void {
    this.slots.forEach((slot, code) => {
      if (slot?.base === base) this.slots[code] = undefined
    })
  }

  onInvoke(invoke: Invoke): void {
    const slot = this.slots[invoke.code]
    if (slot === undefined) {
      this.writeError(invoke.id, Outcome.failed, 'ERR', 'the plugin does not serve this command any more')
      this.endBatch(invoke)
    } else if ((invoke.flags & InvokeFlag.guarded) === 0) {
      this.run(slot, invoke, undefined)
    } else {
      this.runGuarded(slot, invoke)
      this.endBatch(invoke)
    }
  }

  onCancel(id: U64, reason: CancelReason): void {
    const run = this.pending.get(id)
    if (run === undefined) return // it has answered already
    this.pending.delete(id)
    cancelContext(run.ctx, reason)
    endContext(run.ctx)
  }

  private runGuarded(slot: Slot, invoke: Invoke): void {
    const assumption = this.batchEnded ? 'unknown' : this.overlay.assume(slot.plans, invoke)
    if (assumption === 'unknown') {
      this.batchEnded = true
      this.writeAgain(invoke.id)
    } else {
      const left = this.run(slot, invoke, assumption === 'as sent' ? undefined : assumption)
      if (left === 'a promise') this.batchEnded = true
      else if (left !== 'nothing' && isChained(invoke)) this.overlay.record(left)
    }
  }

  private endBatch(invoke: Invoke): void {
    if (isChained(invoke)) return
    this.batchEnded = false
    this.overlay.reset()
  }

  private run(slot: Slot, invoke: Invoke, assumed: readonly Buffer[] | undefined): Left {
    const { command, base } = slot
    const ctx = new CallContext(base, invoke)
    const run: Run = { id: invoke.id, slot, ctx, assumed }
    let value: unknown
    try {
      const args = command.parse(invoke.args)
      const reads = assumed ?? invoke.reads
      if (reads.length > 0) ctx.reads = command.decodeReads(reads.map((read) => decodeResp(read)))
      value = command.handler(ctx, args)
    } catch (thrown) {
      this.writeThrown(run, thrown)
      return 'nothing'
    }
    if (isThenable(value)) {
      this.pending.set(invoke.id, run)
      value.then(
        (reply) => this.settle(run, () => this.writeReply(run, reply)),
        (thrown: unknown) => this.settle(run, () => this.writeThrown(run, thrown)),
      )
      return 'a promise'
    }
    return this.writeReply(run, value)
  }

  /** Writes the outcome of an asynchronous handler, unless nobody waits for it any more. */
  private settle(run: Run, write: () => void): void {
    if (!this.pending.delete(run.id)) return
    // The handler's signal fires at the deadline: what it does then must not race the module's own timeout.
    if (isCancelled(run.ctx)) endContext(run.ctx)
    else write()
    this.lane.schedule()
  }

  private writeReply(run: Run, value: unknown): Left {
    const { writer } = this.lane
    const commit = commitOf(run.ctx)
    const hasCommit = commit !== undefined && commit.length > 0
    const flags = (hasCommit ? ResultFlag.commit : 0) | (run.assumed === undefined ? 0 : ResultFlag.assumed)
    const at = beginFrame(writer, MessageType.RESULT, flags, Outcome.done, run.id)
    try {
      writer.u32(0)
      const start = writer.length
      encodeReply(writer, value)
      writer.patchU32(start - 4, writer.length - start)
      if (hasCommit) writeCommands(writer, commit)
      if (run.assumed !== undefined) writeStrs(writer, run.assumed)
      endFrame(writer, at)
    } catch (thrown) {
      writer.truncate(at)
      this.writeThrown(run, thrown)
      return 'nothing'
    }
    endContext(run.ctx)
    return hasCommit ? commit : 'nothing'
  }

  private writeThrown(run: Run, thrown: unknown): void {
    endContext(run.ctx)
    if (thrown instanceof PluginError) this.writeError(run.id, Outcome.refused, thrown.code, thrown.text, run.assumed)
    else this.writeFailure(run, thrown)
  }

  /** A fault of the plugin: the client gets a number, the log the rest. */
  private writeFailure(run: Run, thrown: unknown): void {
    const { base, command } = run.slot
    const id = failureId()
    this.writeError(run.id, Outcome.failed, 'ERR', `plugin ${base.name} failed (id ${id})`, run.assumed)
    if (thrown instanceof ReplyError) base.log.error({ id }, `${command.name} cannot be answered: ${thrown.message}`)
    else base.log.error({ id, err: thrown }, `${command.name} failed`)
  }

  private writeError(id: U64, outcome: number, code: string, text: string, assumed?: readonly Buffer[]): void {
    const { writer } = this.lane
    const at = beginFrame(writer, MessageType.RESULT, assumed === undefined ? 0 : ResultFlag.assumed, outcome, id)
    writer.u32(0)
    const start = writer.length
    respError(writer, code, text)
    writer.patchU32(start - 4, writer.length - start)
    if (assumed !== undefined) writeStrs(writer, assumed)
    endFrame(writer, at)
  }

  private writeAgain(id: U64): void {
    const { writer } = this.lane
    const at = beginFrame(writer, MessageType.RESULT, 0, Outcome.again, id)
    writer.u32(0)
    endFrame(writer, at)
  }
}

/** Eight hexadecimal digits, to find the log's entry for an error reply. Nothing is secret about them. */
function failureId(): string {
  return Math.floor(Math.random() * 0x1_0000_0000)
    .toString(16)
    .padStart(8, '0')
}

function isChained(invoke: Invoke): boolean {
  return (invoke.flags & InvokeFlag.chained) !== 0
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
