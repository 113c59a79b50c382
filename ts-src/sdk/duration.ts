/** Durations as authors write them. */

/** Milliseconds, or a number with a unit: `'250ms'`, `'5s'`, `'1m'`, `'2h'`, `'1d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds, or NaN if it is no duration. */
export function toMilliseconds(duration: unknown): number {
  if (typeof duration === 'number') return duration
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(duration)) ?? []
  return amount === undefined || unit === undefined ? NaN : Number(amount) * (units[unit] ?? NaN)
}
