// What one hook is told of: handled one after the other, in their order.
import type { Event } from '../bridge/messages.js'

/** Events that may wait for a slow handler; further ones are dropped and counted. */
export const kMostWaitingEvents = 10_000

/** What became of a hook's events. */
export interface EventFigures {
  readonly handled: number
  readonly failed: number
  readonly dropped: number
}

/** Handles an event; `dropped` is how many were lost just before it. A promise is awaited before the next. */
export type EventWork<E> = (event: E, dropped: number) => unknown

export class EventQueue<E = Event> {
  private waiting: E[] = []
  private next = 0
  private dropped = 0
  private running: Promise<void> | undefined
  private counts = { handled: 0, failed: 0, dropped: 0 }

  constructor(
    private readonly work: EventWork<E>,
    private readonly onError: (thrown: unknown, event: E) => void,
    private readonly most = kMostWaitingEvents,
    /** Whether an event is handled however late and however many wait. */
    private readonly keeps: (event: E) => boolean = () => false,
  ) {}

  /** Events that wait for the handler. */
  get length(): number {
    return this.waiting.length - this.next
  }

  /** Since the plugin was started; what failed was handled, too. */
  get figures(): EventFigures {
    return this.counts
  }

  /** Fulfilled when the event that is being handled is done; never rejected. */
  get idle(): Promise<void> {
    return this.running ?? Promise.resolve()
  }

  /** Tells of events that were lost before they came here. */
  addDropped(count: number): void {
    this.dropped += count
    this.counts.dropped += count
  }

  push(event: E): void {
    if (this.running === undefined) this.handle(event)
    else if (this.length < this.most || this.keeps(event)) this.waiting.push(event)
    else this.addDropped(1)
  }

  /** Drops what waits, but for what is to be handled in any case. */
  clear(): void {
    this.waiting = this.waiting.slice(this.next).filter(this.keeps)
    this.next = 0
  }

  /** Handles an event; when that takes time, the waiting ones follow it. */
  private handle(event: E): void {
    const pending = this.attempt(event)
    if (pending !== undefined) this.running = this.drain(pending)
  }

  private async drain(first: Promise<void>): Promise<void> {
    await first
    for (let event = this.shift(); event !== undefined; event = this.shift()) await this.attempt(event)
    this.running = undefined
  }

  /** Runs the handler once; a promise of it is given back as one that is never rejected. */
  private attempt(event: E): Promise<void> | undefined {
    const { dropped } = this
    this.dropped = 0
    this.counts.handled++
    try {
      const result = this.work(event, dropped)
      if (!(result instanceof Promise)) return undefined
      return result.then(
        () => undefined,
        (thrown: unknown) => this.fail(thrown, event),
      )
    } catch (thrown) {
      this.fail(thrown, event)
      return undefined
    }
  }

  private fail(thrown: unknown, event: E): void {
    this.counts.failed++
    this.onError(thrown, event)
  }

  private shift(): E | undefined {
    const event = this.waiting[this.next++]
    if (event === undefined || this.next > 1024) {
      this.waiting = event === undefined ? [] : this.waiting.slice(this.next)
      this.next = 0
    }
    return event
  }
}
