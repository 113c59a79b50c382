export interface UntilOptions {
  /** What is waited for, for the error. */
  readonly what?: string
  /** Default 10000. */
  readonly timeoutMs?: number
  /** Time between two looks; default 15. */
  readonly intervalMs?: number
}

/**
 * Waits for a state: looks until `check` returns something truthy, and resolves to it. A check that throws counts as
 * not yet; what it threw last is the cause of the error after the deadline.
 */
export async function until<T>(check: () => T | Promise<T>, options: UntilOptions = {}): Promise<NonNullable<T>> {
  const timeoutMs = options.timeoutMs ?? 10_000
  const deadline = performance.now() + timeoutMs
  let cause: Error | undefined
  let last: T | undefined
  do {
    try {
      last = await check()
      cause = undefined
      if (last !== false && last !== 0 && last !== '' && last !== null && last !== undefined) return last
    } catch (err) {
      cause = err instanceof Error ? err : new Error(String(err))
    }
    await new Promise((resolve) => setTimeout(resolve, options.intervalMs ?? 15))
  } while (performance.now() < deadline)
  const what = options.what ?? check.toString()
  const seen = cause === undefined ? `last result: ${String(last)}` : `it threw: ${cause.message}`
  throw new Error(`waited ${String(timeoutMs)} ms in vain for: ${what} (${seen})`, { cause })
}
