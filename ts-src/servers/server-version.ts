import { run } from '../setup/programs.js'

export type ServerProduct = 'redis' | 'valkey'

/** A server program that can be started. */
export interface ServerProgram {
  /** Product and full version, `redis-8.0.6`. */
  readonly name: string
  readonly product: ServerProduct
  readonly version: string
  /** Where it is from: a Debian suite, or `PATH`. */
  readonly source: string
  /** Absolute path of what is executed. */
  readonly path: string
}

/** Asks a program for its product and version; undefined if it is no Redis or Valkey server. */
export async function identifyServer(path: string, source: string): Promise<ServerProgram | undefined> {
  const result = await run(path, ['--version'], { timeoutMs: 10_000 })
  const match = /^(Redis|Valkey) server v=(\d+\.\d+\.\d+)/m.exec(result.stdout)
  if (match === null) return undefined
  const [, word = '', version = ''] = match
  const product = word === 'Redis' ? 'redis' : 'valkey'
  return { name: `${product}-${version}`, product, version, source, path }
}

/** Negative, zero or positive, as for sort(); missing parts count as 0. */
export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number)
  const right = b.split('.').map(Number)
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** Whether `redis-8`, `redis-8.0` or `redis` means this server. */
export function matchesName(server: ServerProgram, wanted: string): boolean {
  return server.name === wanted || server.name.startsWith(`${wanted}.`) || server.product === wanted
}
