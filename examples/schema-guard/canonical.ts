/** JSON in one form: the same document is always the same bytes. */

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

const kMaxDepth = 64
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What cannot be read as JSON, or not be kept as it is. */
export class JsonError extends Error {}

/** @throws JsonError for what is no JSON in UTF-8, or holds a number that a double cannot keep */
export function parse(bytes: Buffer): Json {
  let text: string
  let value: Json
  try {
    text = utf8.decode(bytes)
    value = JSON.parse(text) as Json // JSON.parse gives nothing else
  } catch (err) {
    throw new JsonError(err instanceof SyntaxError ? err.message : 'the bytes are not UTF-8')
  }
  checkNumbers(text)
  return value
}

/** Names in the order of their UTF-16 units, no white space. @throws JsonError for what is nested too deep */
export function canonical(value: Json, depth = 0): string {
  if (depth > kMaxDepth) throw new JsonError(`nested deeper than ${kMaxDepth} levels`)
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (isArray(value)) return `[${value.map((item) => canonical(item, depth + 1)).join(',')}]`
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name] ?? null, depth + 1)}`)
  return `{${members.join(',')}}`
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

/** A value is rewritten, so a number that would be rounded on the way is refused rather than changed. */
function checkNumbers(text: string): void {
  for (const [word] of text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g)) {
    if (!word.startsWith('"') && !isKept(word)) throw new JsonError(`the number ${word} cannot be kept exactly`)
  }
}

/** 15 digits survive in a double; what is longer does if it is a whole number within ±(2^53 - 1). */
function isKept(word: string): boolean {
  const value = Number(word)
  if (!Number.isFinite(value)) return false
  const [mantissa = ''] = word.split(/[eE]/)
  const digits = mantissa.replace(/[-.]/g, '').replace(/^0+|0+$/g, '')
  if (digits === '') return true
  return value !== 0 && (digits.length <= 15 || (/^-?\d+$/.test(word) && Number.isSafeInteger(value)))
}
