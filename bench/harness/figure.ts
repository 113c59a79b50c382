// What a row of the table says, and whether it meets its aim.
import { spreadOf, type Spread } from './statistics.js'
import type { Round, Sample } from './rounds.js'

export interface Aim {
  readonly is: 'at least' | 'at most'
  readonly value: number
}

export interface Figure {
  /** What is compared, for example `server CPU per operation`. */
  readonly name: string
  /** Medians of the two sides, in `sideUnit`; absent where there is nothing to compare with. */
  readonly ours?: number
  readonly theirs?: number
  readonly sideUnit?: string
  /** What the aim is about. */
  readonly value: Spread
  /** `x`: a ratio of ours to theirs. */
  readonly unit: string
  readonly aim?: Aim
}

export function isMet(figure: Figure): boolean | undefined {
  if (figure.aim === undefined) return undefined
  const { is, value } = figure.aim
  return is === 'at least' ? figure.value.median >= value : figure.value.median <= value
}

type Compared = Pick<Figure, 'name' | 'sideUnit' | 'aim'> & { readonly of: keyof Sample }

/** The ratio of ours to theirs, taken in each round. */
export function ratioFigure(rounds: readonly Round[], { of, ...rest }: Compared): Figure {
  const value = spreadOf(rounds.map(([ours, theirs]) => ours[of] / theirs[of]))
  return { ...rest, ...medians(rounds, of), value, unit: 'x' }
}

/** How much ours is above theirs, taken in each round. */
export function differenceFigure(rounds: readonly Round[], { of, ...rest }: Compared & { unit: string }): Figure {
  const value = spreadOf(rounds.map(([ours, theirs]) => ours[of] - theirs[of]))
  return { ...rest, ...medians(rounds, of), value }
}

/** One of our own figures, compared with nothing. */
export function ownFigure(rounds: readonly Round[], { of, ...rest }: Compared & { unit: string }): Figure {
  return { ...rest, value: spreadOf(rounds.map(([ours]) => ours[of])) }
}

function medians(rounds: readonly Round[], of: keyof Sample): { ours: number; theirs: number } {
  return {
    ours: spreadOf(rounds.map(([ours]) => ours[of])).median,
    theirs: spreadOf(rounds.map(([, theirs]) => theirs[of])).median,
  }
}

export function atLeast(value: number): Aim {
  return { is: 'at least', value }
}

export function atMost(value: number): Aim {
  return { is: 'at most', value }
}
