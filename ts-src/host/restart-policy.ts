// When a crashed worker is started again, and when it is given up.

export const kFirstDelayMs = 100
export const kMostDelayMs = 10_000
/** So many crashes within the window, and the worker is not started again. */
export const kMostCrashes = 5
export const kCrashWindowMs = 60_000

/** What to do after a crash: start again after so many milliseconds, or give up. */
export type AfterCrash = { readonly delayMs: number } | 'give up'

export class RestartPolicy {
  private crashes: number[] = []
  private delayMs = 0

  /** Notes a crash at a time in ms; times must not go back. */
  crashed(now: number): AfterCrash {
    const last = this.crashes.at(-1)
    const wasHealthy = last === undefined || now - last > kCrashWindowMs
    this.delayMs = wasHealthy ? kFirstDelayMs : Math.min(kMostDelayMs, this.delayMs * 2)
    this.crashes = [...this.crashes.filter((time) => now - time <= kCrashWindowMs), now]
    return this.crashes.length >= kMostCrashes ? 'give up' : { delayMs: this.delayMs }
  }
}
