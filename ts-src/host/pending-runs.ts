// Runs of commands and hooks whose handlers returned a promise.
import type { Lane } from '../bridge/lane.js'
import type { CancelReason } from '../bridge/messages.js'
import type { U64 } from '../bridge/u64.js'
import { cancelContext, endContext, isCancelled, type RequestContext } from './call-context.js'

export class PendingRuns {
  private readonly contexts = new Map<U64, RequestContext>()

  constructor(private readonly lane: Lane) {}

  get size(): number {
    return this.contexts.size
  }

  /** Has the outcome of a handler written, unless nobody waits for it any more by then. */
  wait(
    id: U64,
    ctx: RequestContext,
    promise: PromiseLike<unknown>,
    onValue: (value: unknown) => void,
    onThrown: (thrown: unknown) => void,
  ): void {
    this.contexts.set(id, ctx)
    promise.then(
      (value) => this.settle(id, ctx, value, onValue),
      (thrown: unknown) => this.settle(id, ctx, thrown, onThrown),
    )
  }

  cancel(id: U64, reason: CancelReason): void {
    const ctx = this.contexts.get(id)
    if (ctx === undefined) return // it has answered already
    this.contexts.delete(id)
    cancelContext(ctx, reason)
    endContext(ctx)
  }

  private settle(id: U64, ctx: RequestContext, outcome: unknown, write: (outcome: unknown) => void): void {
    if (!this.contexts.delete(id)) return
    // The handler's signal fires at the deadline: what it does then must not race the module's own timeout.
    if (isCancelled(ctx)) endContext(ctx)
    else write(outcome)
    this.lane.schedule()
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
