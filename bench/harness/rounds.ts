// Alternating measurements of two sides. Both see the same drift of the machine, so that their ratio stands even where
// neither figure does.
import { cpuMicroseconds } from './process-usage.js'
import { drive, type Load } from './wire.js'

export interface Side {
  /** Told in the table, for example `FCALL echo`. */
  readonly name: string
  readonly port: number
  readonly serverPid: number
  /** Whose processor time is measured too. */
  readonly hostPid?: number
  readonly load: Load
  /** Called after the load and before the processor time is read, for work that goes on behind it. */
  readonly finish?: (requests: number) => Promise<void>
}

export interface Sample {
  readonly perSecond: number
  /** Microseconds. */
  readonly p50: number
  readonly p99: number
  /** Microseconds of processor time per operation. */
  readonly serverCpu: number
  readonly hostCpu: number
}

export interface Pace {
  readonly rounds: number
  /** Roughly how long one measurement is. */
  readonly seconds: number
}

/** One round: the sample of the first side and that of the second. */
export type Round = readonly [Sample, Sample]

/** Warms both sides up, then measures them in turn: A B, B A, A B … */
export async function alternate(sides: readonly [Side, Side], pace: Pace): Promise<readonly Round[]> {
  const [a, b] = sides
  const requestsA = await warmUp(a, pace.seconds)
  const requestsB = await warmUp(b, pace.seconds)
  const rounds: Round[] = []
  for (let i = 0; i < pace.rounds; i++) {
    const isSwapped = i % 2 === 1
    const early = isSwapped ? await measure(b, requestsB) : undefined
    const first = await measure(a, requestsA)
    rounds.push([first, early ?? (await measure(b, requestsB))])
  }
  return rounds
}

/** Runs the load until compilers and caches have seen it; returns how many requests last about `seconds`. */
async function warmUp(side: Side, seconds: number): Promise<number> {
  const atLeast = side.load.clients * (side.load.pipeline ?? 1) * 20
  const first = await drive(side.port, side.load, Math.max(2000, atLeast))
  const second = await drive(side.port, side.load, Math.max(atLeast, Math.round(first.perSecond * seconds)))
  await side.finish?.(0)
  return Math.max(atLeast, Math.round(second.perSecond * seconds))
}

async function measure(side: Side, requests: number): Promise<Sample> {
  const pids = [side.serverPid, ...(side.hostPid === undefined ? [] : [side.hostPid])]
  const before = await Promise.all(pids.map(cpuMicroseconds))
  const { perSecond, p50, p99 } = await drive(side.port, side.load, requests)
  await side.finish?.(requests)
  const after = await Promise.all(pids.map(cpuMicroseconds))
  const [serverCpu = 0, hostCpu = 0] = after.map((time, i) => (time - (before[i] ?? 0)) / requests)
  return { perSecond, p50, p99, serverCpu, hostCpu }
}
