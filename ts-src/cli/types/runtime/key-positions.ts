// Part of the generated module for ioredis (client-module.ts puts the compiled code of this file into it), so it
// imports nothing at run time.
import type { KeySpec } from '../../../plugin/command-route.js'

/**
 * Where the keys of a command are among its words, the command's name being word 0: what the server itself finds by the
 * command's key specs.
 */
export function keyPositions(specs: readonly KeySpec[], words: readonly unknown[]): readonly number[] {
  return [...new Set(specs.flatMap((spec) => positionsOf(spec, words)))]
}

function positionsOf({ begin, find }: KeySpec, words: readonly unknown[]): readonly number[] {
  const first = begin.kind === 'index' ? begin.position : keywordPosition(begin.word, begin.from, words)
  if (first <= 0 || first >= words.length) return []
  if (find.kind === 'keynum') {
    const count = Number(String(words[first + find.index]))
    const from = first + find.first
    return positionsBetween(from, from + (count - 1) * find.step, find.step, words.length)
  }
  const last = find.last < 0 ? words.length + find.last : first + find.last
  return positionsBetween(first, last, find.step, words.length)
}

/** The word after the keyword; 0 when it is not there. A negative `from` searches from the end. */
function keywordPosition(keyword: string, from: number, words: readonly unknown[]): number {
  const step = from < 0 ? -1 : 1
  for (let at = from < 0 ? words.length + from : from; at > 0 && at < words.length; at += step) {
    if (String(words[at]).toUpperCase() === keyword.toUpperCase()) return at + 1
  }
  return 0
}

function positionsBetween(first: number, last: number, step: number, end: number): readonly number[] {
  const positions: number[] = []
  for (let at = first; at <= last && at < end; at += Math.max(1, step)) positions.push(at)
  return positions
}
