// TypeScript as text: what arguments and replies of plugin commands are in a client.
import type { ArgDoc } from '../../plugin/command-route.js'
import type { ShapeSpec } from '../../sdk/shape.js'

/** Declarations that the other types refer to. */
export const commonTypes = [
  'type Key = string | Buffer',
  'type Text = string | Buffer | number',
  'type Integer = number | bigint | string',
  'type Double = number | string',
  'type Word = string | Buffer | number | bigint',
].join('\n')

/** A string literal as TypeScript. */
export function quote(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
}

/** A property name, quoted if it has to be. */
export function property(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quote(name)
}

/** Text for a JSDoc comment. */
export function comment(text: string): string {
  return `/** ${text.replaceAll('*/', '*\\/')} */`
}

/** What strings and bytes of a reply are: depends on the client and on the method's variant. */
export interface TextTypes {
  readonly string: string
  readonly buffer: string
  /** Literals are typed as such; in the Buffer variant they are bytes. */
  readonly literals: boolean
}

/** The type of a declared reply; `unknown` without a declaration. */
export function replyType(spec: ShapeSpec | undefined, types: TextTypes): string {
  switch (spec?.type) {
    case undefined:
      return 'unknown'
    case 'literal':
      return types.literals ? quote(spec.value) : types.string
    case 'string':
      return types.string
    case 'buffer':
      return types.buffer
    case 'integer':
    case 'double':
      return 'number'
    case 'boolean':
    case 'bigint':
      return spec.type
    case 'nullable':
      return `${replyType(spec.item, types)} | null`
    case 'array':
      return `Array<${replyType(spec.item, types)}>`
    case 'set':
      return `Set<${replyType(spec.item, types)}>`
    case 'record':
      return `Record<string, ${replyType(spec.item, types)}>`
    case 'map':
      return objectType(Object.entries(spec.fields).map(([name, field]) => [name, replyType(field, types), true]))
  }
}

function objectType(fields: readonly (readonly [name: string, type: string, required: boolean])[]): string {
  const lines = fields.map(([name, type, required]) => `${property(name)}${required ? '' : '?'}: ${type}`)
  return `{ ${lines.join('; ')} }`
}

/** The type of one word. */
export function wordType(doc: ArgDoc): string {
  if (doc.type === 'key') return 'Key'
  if (doc.type === 'integer' || doc.type === 'unix-time') return 'Integer'
  if (doc.type === 'double') return 'Double'
  if (doc.type === 'pure-token') return quote(doc.token ?? doc.name.toUpperCase())
  return 'Text'
}

/** One of some words: an enum. */
export function isChoice(doc: ArgDoc): boolean {
  return doc.type === 'oneof' && (doc.args ?? []).every(({ type }) => type === 'pure-token')
}

export function choiceType(doc: ArgDoc): string {
  return (doc.args ?? []).map(wordType).join(' | ')
}

/** A count and that many keys: a repeated argument inside a block can be nothing else. */
export function isNumkeys(doc: ArgDoc): boolean {
  const [count, key] = doc.args ?? []
  return doc.type === 'block' && count?.name === 'numkeys' && key?.flags.includes('multiple') === true
}

/** Several values behind one token take all words that follow. */
export function takesRest({ token, flags }: ArgDoc): boolean {
  return token !== undefined && flags.includes('multiple') && !flags.includes('multiple_token')
}

/** The type of an argument as a value, for clients that write the words themselves. */
export function valueType(doc: ArgDoc): string {
  const one = oneValueType(doc)
  return doc.flags.includes('multiple') ? `ReadonlyArray<${one}>` : one
}

function oneValueType(doc: ArgDoc): string {
  if (doc.type === 'pure-token') return 'boolean'
  if (isChoice(doc)) return choiceType(doc)
  if (isNumkeys(doc)) return 'ReadonlyArray<Key>'
  const members = doc.args ?? []
  if (doc.type === 'block') return fieldsType(members)
  if (doc.type !== 'oneof') return wordType(doc)
  return members.map((member) => `{ ${property(member.name)}: ${memberType(member)} }`).join(' | ')
}

/** Of several possibilities the one that was chosen: a flag can only be there. */
function memberType(member: ArgDoc): string {
  return member.type === 'pure-token' ? 'true' : valueType(member)
}

/** Arguments as the properties of an object. */
export function fieldsType(docs: readonly ArgDoc[]): string {
  return objectType(docs.map((doc) => [doc.name, valueType(doc), !doc.flags.includes('optional')]))
}
