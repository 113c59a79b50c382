/** Checks of what an author wrote. Each failure names the place in the definition, what was expected and what was there. */

import { PluginDefinitionError } from './plugin-error.js'

export function fail(path: string, problem: string): never {
  throw new PluginDefinitionError(path, problem)
}

export function checkKeys(path: string, value: unknown, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null) fail(path, `must be an object, got ${String(value)}`)
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) fail(path === '' ? key : `${path}.${key}`, `is not known; known are ${known.join(', ')}`)
  }
}

export function checkInteger(path: string, value: number, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value
  return fail(path, `must be a whole number from ${least} to ${most}, got ${String(value)}`)
}

export function checkFunction(path: string, value: unknown): void {
  if (typeof value !== 'function')
    fail(path, `must be a function, got ${value === undefined ? 'nothing' : typeof value}`)
}

export function checkText(path: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && !/[\r\n\0]/.test(value)) return value
  return fail(path, 'must be one line of text')
}

export function checkWord<const Word extends string>(path: string, value: unknown, words: readonly Word[]): Word {
  const found = words.find((word) => word === value)
  return found ?? fail(path, `must be ${words.map((word) => `'${word}'`).join(' or ')}, got ${String(value)}`)
}

export function checkGlobs(path: string, globs: readonly unknown[]): readonly string[] {
  for (const glob of globs) if (typeof glob !== 'string' || glob === '') fail(path, 'must be globs such as user:*')
  return globs as readonly string[] // checked just now
}
