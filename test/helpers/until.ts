export interface UntilOptions {
  /** What is waited for, for the error. */
  readonly what?: string
  /** Default 60000: what a machine with far too much to do may need, since only a failure waits for so long. */
  readonly timeoutMs?: number
  /** The longest time between two looks; the first follow sooner. Default 16. */
  readonly intervalMs?: number
}

/**
 * Waits for a state: looks until `check` returns something truthy, and resolves to it. A check that throws counts as
 * not yet; what it threw last is the cause of the error after the deadline.
 */
export async function until<T>(check: () => T | Promise<T>, options: UntilOptions = {}): Promise<NonNullable<T>> {
  const timeoutMs = options.timeoutMs ?? 60_000
  const deadline = performance.now() + timeoutMs
  let cause: Error | undefined
  let last: T | undefined
  const intervalMs = options.intervalMs ?? 16
  for (let pauseMs = 1; performance.now() < deadline; pauseMs = Math.min(2 * pauseMs, intervalMs)) {
    try {
      last = await check()
      cause = undefined
      if (last !== false && last !== 0 && last !== '' && last !== null && last !== undefined) return last
    } catch (err) {
      cause = err instanceof Error ? err : new Error(String(err))
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  const what = options.what ?? check.toString()
  const seen = cause === undefined ? `last result: ${String(last)}` : `it threw: ${cause.message}`
  throw new Error(`waited ${String(timeoutMs)} ms in vain for: ${what} (${seen})`, { cause })
}
