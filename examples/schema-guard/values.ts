/** Where commands that write keys have the values. */

/** A key and its value, as places among the arguments. */
export interface Pair {
  readonly key: number
  readonly value: number
}

type Find = (args: readonly Buffer[]) => readonly Pair[]

const one =
  (value: number): Find =>
  () => [{ key: 0, value }]

const pairs =
  (from: number, count: (args: readonly Buffer[]) => number): Find =>
  (args) =>
    Array.from({ length: count(args) }, (_, at) => ({ key: from + 2 * at, value: from + 2 * at + 1 }))

const allArgs = (args: readonly Buffer[]): number => Math.floor(args.length / 2)
/** MSETEX tells how many there are; what it says wrongly the server refuses. */
const counted = (args: readonly Buffer[]): number => {
  const count = Number(args[0])
  return Number.isSafeInteger(count) && count > 0 ? Math.min(count, Math.floor((args.length - 1) / 2)) : 0
}

const setters: Readonly<Record<string, Find>> = {
  SET: one(1),
  SETNX: one(1),
  GETSET: one(1),
  SETEX: one(2),
  PSETEX: one(2),
  MSET: pairs(0, allArgs),
  MSETNX: pairs(0, allArgs),
  MSETEX: pairs(1, counted),
}

/** They write keys, and leave a value as it is or take it away. */
const harmless: ReadonlySet<string> = new Set([
  ...['DEL', 'UNLINK', 'GETDEL', 'GETEX', 'DELEX', 'DELIFEQ', 'MOVE'],
  ...['EXPIRE', 'PEXPIRE', 'EXPIREAT', 'PEXPIREAT', 'PERSIST', 'TOUCH'],
])

/** The values that a command sets; undefined if what it does to its keys cannot be told from its words. */
export function valuesOf(name: string, args: readonly Buffer[]): readonly Pair[] | undefined {
  if (harmless.has(name)) return []
  return Object.hasOwn(setters, name) ? setters[name]?.(args) : undefined
}
