// The words of a command as a tuple type, for clients whose methods take them one by one, as ioredis does:
// `[bucket: Key, max: Integer, ...cost: [] | [token: 'COST', cost: Integer]]`.
import type { ArgDoc } from '../../plugin/command-route.js'
import { choiceType, isChoice, isNumkeys, quote, takesRest, wordType } from './type-text.js'

/** A part of a tuple. */
interface Part {
  /** Such as `max: Integer` or `...cost: [] | [token: 'COST', cost: Integer]`. */
  readonly text: string
  /** Holds a row of any length: a tuple can have one of them. */
  readonly isOpen: boolean
  /** Numbers of words or kinds that it can have: the compiler makes a tuple of each combination. */
  readonly ways: number
}

const mostWays = 48
const anyWords: Part = { text: '...words: Word[]', isOpen: true, ways: 1 }

/** The type of a method's arguments. What no tuple can say exactly is typed as words of any kind. */
export function wordTuple(docs: readonly ArgDoc[]): string {
  return tupleOf(partsOf(docs)).text
}

function partsOf(docs: readonly ArgDoc[]): readonly Part[] {
  const ordered = [...docs.filter((doc) => !takesRest(doc)), ...docs.filter(takesRest)]
  return ordered.map(partOf)
}

function tupleOf(parts: readonly Part[]): Part {
  const exact = exactPart(parts)
  const kept = exact === parts.length ? parts : [...parts.slice(0, exact), anyWords]
  return {
    text: `[${kept.map(({ text }) => text).join(', ')}]`,
    isOpen: kept.some(({ isOpen }) => isOpen),
    ways: kept.reduce((product, { ways }) => product * ways, 1),
  }
}

/** How many parts from the front fit into one tuple type. */
function exactPart(parts: readonly Part[]): number {
  let ways = 1
  for (const [at, part] of parts.entries()) {
    ways *= part.ways
    if (ways > mostWays) return at
  }
  const open = parts.filter(({ isOpen }) => isOpen)
  return open.length > 1 ? parts.indexOf(open[0] as Part) : parts.length // length was just looked at
}

function partOf(doc: ArgDoc): Part {
  const isOptional = doc.flags.includes('optional')
  const inner = doc.flags.includes('multiple') ? repeated(doc) : once(doc)
  if (!isOptional) return spread(doc, inner)
  if (inner.text.endsWith('[]')) return spread(doc, inner) // may be empty as it is
  return spread(doc, { text: `[] | ${inner.text}`, isOpen: inner.isOpen, ways: inner.ways + 1 })
}

/** The words of one value, with its token, as a tuple type. */
function once(doc: ArgDoc): Part {
  if (doc.type === 'pure-token') return { text: `[${doc.name}: ${wordType(doc)}]`, isOpen: false, ways: 1 }
  const value = valueTuple(doc)
  if (doc.token === undefined) return value
  const token = `token: ${quote(doc.token)}`
  const single = /^\[([^[\]]*)\]$/.exec(value.text)?.[1]
  const text = single === undefined ? `[${token}, ...${doc.name}: ${value.text}]` : `[${token}, ${single}]`
  return { ...value, text }
}

function valueTuple(doc: ArgDoc): Part {
  const members = doc.args ?? []
  if (isChoice(doc)) return { text: `[${doc.name}: ${choiceType(doc)}]`, isOpen: false, ways: 1 }
  if (isNumkeys(doc)) return { text: `[numkeys: Integer, ...${doc.name}: Key[]]`, isOpen: true, ways: 1 }
  if (doc.type === 'block') return tupleOf(partsOf(members))
  if (doc.type === 'oneof') return eitherOf(members)
  return { text: `[${doc.name}: ${wordType(doc)}]`, isOpen: false, ways: 1 }
}

function eitherOf(members: readonly ArgDoc[]): Part {
  const parts = members.map(once)
  return {
    text: parts.map(({ text }) => text).join(' | '),
    isOpen: parts.some(({ isOpen }) => isOpen),
    ways: parts.reduce((sum, { ways }) => sum + ways, 0),
  }
}

function repeated(doc: ArgDoc): Part {
  const isWord = doc.args === undefined || isChoice(doc)
  if (!isWord) return { text: 'Word[]', isOpen: true, ways: 1 }
  const word = isChoice(doc) ? choiceType(doc) : wordType(doc)
  const row = word.includes('|') ? `(${word})[]` : `${word}[]`
  if (doc.flags.includes('multiple_token'))
    return { text: `(${quote(doc.token ?? '')} | ${word})[]`, isOpen: true, ways: 1 }
  if (doc.token !== undefined)
    return { text: `[token: ${quote(doc.token)}, ...${doc.name}: ${row}]`, isOpen: true, ways: 1 }
  const least = doc.flags.includes('optional') ? '' : `${doc.name}: ${word}, `
  return { text: least === '' ? row : `[${least}...more: ${row}]`, isOpen: true, ways: 1 }
}

/** Puts a tuple type into the tuple around it: its words where there is only one kind of them. */
function spread(doc: ArgDoc, { text, isOpen, ways }: Part): Part {
  const words = ways === 1 ? /^\[([^[\]]*)\]$/.exec(text)?.[1] : undefined
  return { text: words ?? `...${doc.name}: ${text}`, isOpen, ways }
}
