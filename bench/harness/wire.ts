// Load over the network by redis-benchmark, one process a measurement.
import { findServerTool } from '#lib/servers/catalogue.js'
import { run } from '#lib/setup/programs.js'

export interface Load {
  /** Words of the command; `__rand_int__` in one becomes a random number below `keys`. */
  readonly command: readonly string[]
  readonly clients: number
  /** Requests that a client sends before it waits for the answers. Default 1. */
  readonly pipeline?: number
  readonly keys?: number
}

export interface WireResult {
  readonly perSecond: number
  /** Microseconds from request to answer. */
  readonly p50: number
  readonly p99: number
}

/** @throws Error with what redis-benchmark printed when the server answers an error, or the run fails otherwise */
export async function drive(port: number, load: Load, requests: number): Promise<WireResult> {
  const args = ['-p', String(port), '-n', String(requests), '-c', String(load.clients), '--csv']
  if (load.pipeline !== undefined) args.push('-P', String(load.pipeline))
  if (load.keys !== undefined) args.push('-r', String(load.keys))
  const result = await run(benchmarkProgram(), [...args, ...load.command], { timeoutMs: 120_000 })
  // "test","rps","avg","min","p50","p95","p99","max"; times in milliseconds.
  const figures = result.stdout
    .trim()
    .split('\n')
    .at(-1)
    ?.match(/"[\d.]+"/g)
  const [rps, , , p50, , p99] = (figures ?? []).map((text) => Number(text.slice(1, -1)))
  if (result.code !== 0 || rps === undefined || p50 === undefined || p99 === undefined)
    throw new Error(`redis-benchmark ${load.command.join(' ')} gave no figures: ${result.output}`)
  return { perSecond: rps, p50: p50 * 1000, p99: p99 * 1000 }
}

/** The program that makes the load. */
export function benchmarkProgram(): string {
  const program = findServerTool('redis-benchmark') ?? findServerTool('valkey-benchmark')
  if (program === undefined)
    throw new Error('neither redis-benchmark nor valkey-benchmark is there; run npm run servers')
  return program
}
