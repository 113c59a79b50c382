// The timers of one plugin. A timer is not started while its last run still goes on, nor on a replica unless asked.
import { createRequire } from 'node:module'
import type { Cron } from 'croner'
import type { ServerState } from '../bridge/messages.js'
import type { CompiledTimer } from '../sdk/compile.js'

export interface TimersOptions {
  readonly timers: readonly CompiledTimer[]
  readonly state: () => ServerState
  readonly run: (timer: CompiledTimer) => unknown
  readonly onError: (thrown: unknown, timer: CompiledTimer) => void
}

export class Timers {
  private readonly stops: (() => void)[] = []
  private readonly running = new Map<CompiledTimer, Promise<void>>()

  constructor(private readonly options: TimersOptions) {}

  start(): void {
    for (const timer of this.options.timers)
      this.stops.push(timer.kind === 'cron' ? this.cron(timer) : this.every(timer))
  }

  /** Starts nothing any more; fulfilled when what runs has ended, never rejected. */
  async stop(): Promise<void> {
    for (const stop of this.stops.splice(0)) stop()
    await Promise.all(this.running.values())
  }

  private every(timer: CompiledTimer): () => void {
    const handle = setInterval(() => this.fire(timer), timer.everyMs)
    return () => clearInterval(handle)
  }

  private cron(timer: CompiledTimer): () => void {
    // Loaded here, since most plugins have no cron and each worker would carry it.
    const croner = createRequire(import.meta.url)('croner') as { Cron: typeof Cron }
    const options = timer.timezone === undefined ? {} : { timezone: timer.timezone }
    const job = new croner.Cron(timer.cron ?? '', options, () => this.fire(timer))
    return () => job.stop()
  }

  private fire(timer: CompiledTimer): void {
    const { primary, loading, shuttingDown } = this.options.state()
    if (loading || shuttingDown || (!primary && !timer.onReplica) || this.running.has(timer)) return
    try {
      const result = this.options.run(timer)
      if (result instanceof Promise) this.follow(timer, result)
    } catch (thrown) {
      this.options.onError(thrown, timer)
    }
  }

  private follow(timer: CompiledTimer, result: Promise<unknown>): void {
    const run = result
      .then(
        () => undefined,
        (thrown: unknown) => this.options.onError(thrown, timer),
      )
      .finally(() => this.running.delete(timer))
    this.running.set(timer, run)
  }
}
