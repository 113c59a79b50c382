// From the INVOKE of a hook that a client waits for to its RESULT. The hot path: a handler that answers at once costs a context and a
// command object, no promise and no timer.
import type { ByteWriter } from '../bridge/byte-writer.js'
import { beginFrame, endFrame } from '../bridge/frame.js'
import type { Lane } from '../bridge/lane.js'
import { MessageType, Outcome, type Argv, type Invoke } from '../bridge/messages.js'
import { respArray, respBulk } from '../bridge/resp.js'
import type { U64 } from '../bridge/u64.js'
import { Verdict } from '../sdk/before.js'
import type { CompiledVerdictHook } from '../sdk/compile-command-hook.js'
import { encodeReply, ReplyError } from '../sdk/encode-reply.js'
import { PluginError } from '../sdk/plugin-error.js'
import { endContext, RequestContext, type PluginBase } from './call-context.js'
import { AwaitedResult, InvokedCommand, kContinue } from './hooked-command.js'
import { isThenable, type PendingRuns } from './pending-runs.js'
import { failureId, writeEmptyResult, writeErrorResult } from './result-writer.js'

/** One run of a hook. */
interface Run {
  readonly id: U64
  readonly base: PluginBase
  readonly hook: CompiledVerdictHook
  readonly ctx: RequestContext
  readonly cmd: InvokedCommand
}

const kVerdicts = {
  before: 'cmd.continue(), cmd.deny(), cmd.rewrite() or cmd.reply()',
  'after-wait': 'result.keep() or result.replace()',
} as const

/** What is for errors that a client shall see. */
const kRefusals = {
  before: 'only cmd.deny() refuses the command',
  'after-wait': 'only result.replace() changes the reply',
} as const

/** Runs the hooks of one lane that clients wait for. */
export class HookRunner {
  constructor(
    private readonly lane: Lane,
    private readonly pending: PendingRuns,
  ) {}

  run(base: PluginBase, hook: CompiledVerdictHook, invoke: Invoke): void {
    const ctx = new RequestContext(base, invoke)
    const run: Run = { id: invoke.id, base, hook, ctx, cmd: new InvokedCommand(invoke.args) }
    let value: unknown
    try {
      value = ask(run, invoke)
    } catch (thrown) {
      this.writeFailure(run, thrown)
      return
    }
    if (isThenable(value)) {
      this.pending.wait(
        run.id,
        run.ctx,
        value,
        (verdict) => this.writeVerdict(run, verdict),
        (thrown) => this.writeFailure(run, thrown),
      )
    } else this.writeVerdict(run, value)
  }

  private writeVerdict(run: Run, verdict: unknown): void {
    const { writer } = this.lane
    if (verdict === kContinue) writeEmptyResult(writer, run.id, Outcome.continue)
    else if (!(verdict instanceof Verdict)) return this.writeMissing(run, verdict)
    else {
      const at = writer.length
      try {
        this.writeValue(run.id, verdict)
      } catch (thrown) {
        writer.truncate(at)
        return this.writeFailure(run, thrown)
      }
    }
    endContext(run.ctx)
  }

  private writeValue(id: U64, { kind, value, code }: Verdict): void {
    const { writer } = this.lane
    if (kind === 'deny') return writeErrorResult(writer, id, Outcome.refused, code, value as string) // deny() made it
    const at = beginFrame(writer, MessageType.RESULT, 0, kind === 'rewrite' ? Outcome.rewrite : Outcome.done, id)
    writer.u32(0)
    const start = writer.length
    if (kind === 'rewrite')
      writeWords(writer, value as Argv) // rewrite() made it
    else encodeReply(writer, value)
    writer.patchU32(start - 4, writer.length - start)
    endFrame(writer, at)
  }

  /** A fault of the plugin. What happens to the command is the module's affair. */
  private writeFailure(run: Run, thrown: unknown): void {
    const { hook, cmd } = run
    if (thrown instanceof ReplyError) {
      this.writeFailed(run, `hook ${hook.name} cannot answer ${cmd.name}: ${thrown.message}`)
    } else if (thrown instanceof PluginError) {
      const text = `hook ${hook.name} failed on ${cmd.name} with an error reply; ${kRefusals[hook.kind]}`
      this.writeFailed(run, text, thrown)
    } else this.writeFailed(run, `hook ${hook.name} failed on ${cmd.name}`, thrown)
  }

  private writeMissing(run: Run, value: unknown): void {
    const { hook, cmd } = run
    this.writeFailed(
      run,
      `hook ${hook.name} gave no verdict on ${cmd.name}: got ${kindOf(value)}; return ${kVerdicts[hook.kind]} in every path`,
    )
  }

  private writeFailed(run: Run, text: string, thrown?: unknown): void {
    const { base, hook } = run
    const id = failureId()
    endContext(run.ctx)
    writeErrorResult(
      this.lane.writer,
      run.id,
      Outcome.failed,
      'ERR',
      `hook ${base.name}/${hook.name} failed (id ${id})`,
    )
    base.log.error(thrown === undefined ? { id } : { id, err: thrown }, text)
  }
}

function ask({ hook, ctx, cmd }: Run, invoke: Invoke): unknown {
  if (hook.kind === 'before') return hook.handler(ctx, cmd)
  return hook.handler(ctx, cmd, new AwaitedResult(invoke.reads))
}

/** What came instead of a verdict, without its content: that may be the client's. */
function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  return value === null ? 'null' : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`
}

function writeWords(writer: ByteWriter, argv: Argv): void {
  respArray(writer, argv.length)
  for (const word of argv) respBulk(writer, word)
}
