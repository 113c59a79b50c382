// Part of the generated module for node-redis (client-module.ts puts the compiled code of this file into it), so it
// imports nothing at run time.
import type { ArgDoc } from '../../../plugin/command-route.js'

/** The part of node-redis's CommandParser that is used here. */
export interface WordSink {
  push(word: string | Buffer): unknown
  pushKey(key: string | Buffer): unknown
}

/**
 * Writes a command's arguments: the required ones in their order, then an object with the optional ones.
 *
 * @throws TypeError that names the argument, for one that is missing, not known or of the wrong kind
 */
export function pushArguments(sink: WordSink, docs: readonly ArgDoc[], values: readonly unknown[]): void {
  const required = docs.filter((doc) => !doc.flags.includes('optional'))
  if (values.length > required.length + 1) {
    throw new TypeError(`expected at most ${required.length + 1} arguments, got ${values.length}`)
  }
  const named = required.map((doc, at) => [doc.name, values[at]] as const)
  const options = optionsOf(values[required.length], docs.length - required.length)
  pushFields(sink, docs, { ...options, ...Object.fromEntries(named) })
}

function optionsOf(value: unknown, known: number): object {
  if (value === undefined) return {}
  if (known > 0 && typeof value === 'object' && value !== null) return value
  throw new TypeError(
    known > 0 ? `expected an object of options, got a value of type ${typeof value}` : 'one argument too many',
  )
}

function pushFields(sink: WordSink, docs: readonly ArgDoc[], given: object): void {
  const fields = given as Readonly<Record<string, unknown>>
  const names = docs.map(({ name }) => name)
  for (const name of Object.keys(fields)) {
    if (!names.includes(name)) throw new TypeError(`'${name}' is not an argument; there are: ${names.join(', ')}`)
  }
  for (const doc of wireOrder(docs)) {
    pushArgument(sink, doc, Object.hasOwn(fields, doc.name) ? fields[doc.name] : undefined)
  }
}

/** Several values behind one token take all words that follow, so they come last. */
function wireOrder(docs: readonly ArgDoc[]): readonly ArgDoc[] {
  const takesRest = ({ token, flags }: ArgDoc): boolean =>
    token !== undefined && flags.includes('multiple') && !flags.includes('multiple_token')
  return [...docs.filter((doc) => !takesRest(doc)), ...docs.filter(takesRest)]
}

function pushArgument(sink: WordSink, doc: ArgDoc, value: unknown): void {
  if (value === undefined) {
    if (doc.flags.includes('optional')) return
    throw new TypeError(`the argument '${doc.name}' is missing`)
  }
  const values = doc.flags.includes('multiple') ? arrayOf(doc, value) : [value]
  if (doc.type === 'pure-token') {
    if (value === true) sink.push(doc.token ?? doc.name)
    return
  }
  const repeatsToken = doc.flags.includes('multiple_token')
  values.forEach((one, at) => {
    if (doc.token !== undefined && (at === 0 || repeatsToken)) sink.push(doc.token)
    pushValue(sink, doc, one)
  })
}

function pushValue(sink: WordSink, doc: ArgDoc, value: unknown): void {
  const members = doc.args ?? []
  if (doc.type === 'oneof' && members.every(({ type }) => type === 'pure-token')) sink.push(wordOf(doc, value))
  else if (doc.type === 'oneof') pushOneOf(sink, doc, value)
  else if (doc.type === 'block' && isNumkeys(members)) pushKeys(sink, doc, value)
  else if (doc.type === 'block') pushFields(sink, members, objectOf(doc, value))
  else if (doc.type === 'key') sink.pushKey(wordOf(doc, value))
  else sink.push(wordOf(doc, value))
}

function pushOneOf(sink: WordSink, doc: ArgDoc, value: unknown): void {
  const given = Object.entries(objectOf(doc, value)).filter(([, one]) => one !== undefined)
  const [first] = given
  const member = doc.args?.find(({ name }) => name === first?.[0])
  if (given.length !== 1 || member === undefined) {
    const names = (doc.args ?? []).map(({ name }) => name).join(', ')
    throw new TypeError(`the argument '${doc.name}' takes exactly one of: ${names}`)
  }
  pushArgument(sink, member, first?.[1])
}

function pushKeys(sink: WordSink, doc: ArgDoc, value: unknown): void {
  const keys = arrayOf(doc, value)
  sink.push(String(keys.length))
  for (const key of keys) sink.pushKey(wordOf(doc, key))
}

/** A count and that many keys: a repeated argument inside a block can be nothing else. */
function isNumkeys(members: readonly ArgDoc[]): boolean {
  return members.length === 2 && members[0]?.name === 'numkeys' && members[1]?.flags.includes('multiple') === true
}

function arrayOf(doc: ArgDoc, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[]
  throw new TypeError(`the argument '${doc.name}' takes an array, got ${typeof value}`)
}

function objectOf(doc: ArgDoc, value: unknown): object {
  if (typeof value === 'object' && value !== null && !Buffer.isBuffer(value)) return value
  throw new TypeError(`the argument '${doc.name}' takes an object, got ${String(value)}`)
}

function wordOf(doc: ArgDoc, value: unknown): string | Buffer {
  if (typeof value === 'string' || Buffer.isBuffer(value)) return value
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  throw new TypeError(`the argument '${doc.name}' takes text, a Buffer or a number, got ${String(value)}`)
}
