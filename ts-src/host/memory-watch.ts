// Watches the memory of the whole process, which no limit of a single thread bounds.
import type { WorkerGroup } from './worker-group.js'

const kMiB = 1024 * 1024
/** What the process needs without plugins, generously. */
const kBaseMb = 256
/** Of the memory that a container allows to the process, what may be used. */
const kShareOfConstraint = 0.8
/** Beats between two looks. */
const kEvery = 4
/** So many looks in a row must be above the limit. */
const kLooksAboveLimit = 2

export class MemoryWatch {
  private beats = 0
  private above = 0

  constructor(
    private readonly groups: () => readonly WorkerGroup[],
    private readonly residentBytes: () => number = () => process.memoryUsage.rss(),
    private readonly constrainedBytes: () => number = () => process.constrainedMemory(),
  ) {}

  /** To be called every beat. Ends the largest worker when the process is too large, and says so. */
  tick(): string | undefined {
    if (++this.beats % kEvery !== 0) return undefined
    const used = this.residentBytes()
    const limit = this.limitBytes()
    this.above = used > limit ? this.above + 1 : 0
    if (this.above < kLooksAboveLimit) return undefined
    this.above = 0
    return this.endLargest(Math.round(used / kMiB), Math.round(limit / kMiB))
  }

  /** What all workers together may use, but no more than a container allows. */
  private limitBytes(): number {
    const workers = this.groups().reduce((sum, { plan }) => sum + plan.limits.heapMb + plan.limits.externalMb, 0)
    const own = (kBaseMb + workers) * kMiB
    const constraint = this.constrainedBytes()
    // 0: unknown; an enormous number: none.
    return constraint > 0 ? Math.min(own, constraint * kShareOfConstraint) : own
  }

  private endLargest(usedMb: number, limitMb: number): string {
    const size = (group: WorkerGroup): number => (group.memory?.externalBytes ?? 0) + (group.memory?.heapBytes ?? 0)
    const [largest] = [...this.groups()].sort((a, b) => size(b) - size(a))
    largest?.kill(`out of memory: the host uses ${usedMb} MiB, its limit is ${limitMb} MiB, and this worker uses most`)
    return `the host uses ${usedMb} MiB, the limit is ${limitMb} MiB; ended the worker ${largest?.plan.label ?? '(none)'}`
  }
}
