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
import { decodeResp } from '../bridge/resp.js'
import type { U64 } from '../bridge/u64.js'
import type { CompiledCommand } from '../sdk/compile.js'
import type { CompiledVerdictHook } from '../sdk/compile-command-hook.js'
import { encodeReply, ReplyError } from '../sdk/encode-reply.js'
import { PluginError } from '../sdk/plugin-error.js'
import { BatchOverlay, readPlans, type ReadPlan } from './batch-overlay.js'
import { CallContext, commitOf, endContext, type PluginBase } from './call-context.js'
import type { EventQueue } from './event-queue.js'
import { HookRunner } from './hook-runner.js'
import { untold } from './hooked-command.js'
import { isThenable, PendingRuns } from './pending-runs.js'
import { failureId, writeEmptyResult, writeErrorResult } from './result-writer.js'

/** A command that this lane serves. */
interface CommandSlot {
  readonly kind: 'command'
  readonly base: PluginBase
  readonly command: CompiledCommand
  readonly plans: readonly ReadPlan[]
}

/** A hook of this lane that clients wait for. */
interface HookSlot {
  readonly kind: 'hook'
  readonly base: PluginBase
  readonly hook: CompiledVerdictHook
}

/** An after hook of this lane that is told. */
interface ToldSlot {
  readonly kind: 'told'
  readonly base: PluginBase
  readonly queue: EventQueue<Invoke>
}

/** One run of a command. */
interface Run {
  readonly id: U64
  readonly slot: CommandSlot
  readonly ctx: CallContext
  /** The reads over the commits of the batch, when they are not what the INVOKE carried. */
  readonly assumed: readonly Buffer[] | undefined
}

/** What a run left behind for the rest of its batch. */
type Left = 'nothing' | 'a promise' | readonly Argv[]

/** Runs the commands and command hooks of one lane. */
export class CommandRunner {
  private readonly slots: (CommandSlot | HookSlot | ToldSlot | undefined)[] = []
  private readonly pending: PendingRuns
  private readonly hooks: HookRunner
  private readonly overlay = new BatchOverlay()
  private batchEnded = false

  constructor(private readonly lane: Lane) {
    this.pending = new PendingRuns(lane)
    this.hooks = new HookRunner(lane, this.pending)
  }

  /** Requests whose handlers have not answered yet. */
  get inFlight(): number {
    return this.pending.size
  }

  /** Adds a command; returns the code that INVOKE names it with. */
  add(base: PluginBase, command: CompiledCommand): number {
    return this.slots.push({ kind: 'command', base, command, plans: readPlans(command.route) }) - 1
  }

  /** Adds a hook that clients wait for; returns its code. */
  addHook(base: PluginBase, hook: CompiledVerdictHook): number {
    return this.slots.push({ kind: 'hook', base, hook }) - 1
  }

  /** Adds an after hook that is told; returns its code. */
  addTold(base: PluginBase, queue: EventQueue<Invoke>): number {
    return this.slots.push({ kind: 'told', base, queue }) - 1
  }

  /** Forgets the commands and hooks of a plugin; codes are never used again. */
  remove(base: PluginBase): void {
    this.slots.forEach((slot, code) => {
      if (slot?.base === base) this.slots[code] = undefined
    })
  }

  onInvoke(invoke: Invoke): void {
    const slot = this.slots[invoke.code]
    if ((invoke.flags & InvokeFlag.told) !== 0) {
      if (slot?.kind === 'told') tell(slot.queue, invoke)
    } else if (slot === undefined || slot.kind === 'told') {
      const text = 'the plugin does not serve this any more'
      writeErrorResult(this.lane.writer, invoke.id, Outcome.failed, 'ERR', text)
      this.endBatch(invoke)
    } else if (slot.kind === 'hook') {
      this.hooks.run(slot.base, slot.hook, invoke)
    } else if ((invoke.flags & InvokeFlag.guarded) === 0) {
      this.run(slot, invoke, undefined)
    } else {
      this.runGuarded(slot, invoke)
      this.endBatch(invoke)
    }
  }

  onCancel(id: U64, reason: CancelReason): void {
    this.pending.cancel(id, reason)
  }

  private runGuarded(slot: CommandSlot, invoke: Invoke): void {
    const assumption = this.batchEnded ? 'unknown' : this.overlay.assume(slot.plans, invoke)
    if (assumption === 'unknown') {
      this.batchEnded = true
      writeEmptyResult(this.lane.writer, invoke.id, Outcome.again)
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

  private run(slot: CommandSlot, invoke: Invoke, assumed: readonly Buffer[] | undefined): Left {
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
      this.pending.wait(
        invoke.id,
        ctx,
        value,
        (reply) => void this.writeReply(run, reply),
        (thrown) => this.writeThrown(run, thrown),
      )
      return 'a promise'
    }
    return this.writeReply(run, value)
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
      encodeReply(writer, value, commit?.length)
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
    if (!(thrown instanceof PluginError)) return this.writeFailure(run, thrown)
    writeErrorResult(this.lane.writer, run.id, Outcome.refused, thrown.code, thrown.text, run.assumed)
  }

  /** A fault of the plugin: the client gets a number, the log the rest. */
  private writeFailure(run: Run, thrown: unknown): void {
    const { base, command } = run.slot
    const id = failureId()
    const text = `plugin ${base.name} failed (id ${id})`
    writeErrorResult(this.lane.writer, run.id, Outcome.failed, 'ERR', text, run.assumed)
    if (thrown instanceof ReplyError) base.log.error({ id }, `${command.name} cannot be answered: ${thrown.message}`)
    else base.log.error({ id, err: thrown }, `${command.name} failed`)
  }
}

function tell(queue: EventQueue<Invoke>, invoke: Invoke): void {
  const dropped = untold(invoke.reads)
  if (dropped > 0) queue.addDropped(dropped)
  queue.push(invoke)
}

function isChained(invoke: Invoke): boolean {
  return (invoke.flags & InvokeFlag.chained) !== 0
}
