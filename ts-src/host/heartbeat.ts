// Finds threads that do not answer. Only time in which the supervisor itself ran on time counts: after a stop of the
// whole process (SIGSTOP, a suspended machine, a starved CPU) nobody is blamed.

export const kBeatMs = 250
/** A thread that has not answered for so long is stuck, unless its plugins ask for another limit. */
export const kStuckMs = 3000
/** The same while it starts: loading a large plugin takes time. */
export const kStartMs = 30_000

/** A thread that is watched. */
export interface Beating {
  /** Asks the thread for a sign of life. */
  ask(): void
  /** The thread has not answered for `ms`. */
  stuck(ms: number): void
}

interface Pulse {
  readonly stuckMs: number
  asked: boolean
  answered: boolean
  silentMs: number
}

export class Heartbeat {
  private readonly pulses = new Map<Beating, Pulse>()
  private lastTick: number

  constructor(private readonly now: () => number = () => performance.now()) {
    this.lastTick = now()
  }

  watch(thread: Beating, stuckMs = kStuckMs): void {
    this.pulses.set(thread, { stuckMs, asked: false, answered: false, silentMs: 0 })
  }

  forget(thread: Beating): void {
    this.pulses.delete(thread)
  }

  /** The thread has answered. */
  beat(thread: Beating): void {
    const pulse = this.pulses.get(thread)
    if (pulse === undefined) return
    pulse.asked = false
    pulse.answered = true
    pulse.silentMs = 0
  }

  /** To be called every `kBeatMs`. */
  tick(): void {
    const now = this.now()
    const passed = now - this.lastTick
    this.lastTick = now
    const onTime = passed < 2 * kBeatMs
    for (const [thread, pulse] of [...this.pulses]) this.check(thread, pulse, onTime ? passed : 0)
  }

  private check(thread: Beating, pulse: Pulse, countedMs: number): void {
    if (!pulse.asked) {
      pulse.asked = true
      thread.ask()
      return
    }
    pulse.silentMs += countedMs
    if (pulse.silentMs < (pulse.answered ? pulse.stuckMs : Math.max(kStartMs, pulse.stuckMs))) return
    this.forget(thread)
    thread.stuck(pulse.silentMs)
  }
}
