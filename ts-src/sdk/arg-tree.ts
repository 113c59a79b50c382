/**
 * The declared arguments as a checked tree: what may follow what, how many words each takes, which words open which
 * option. The parser, the key specs and COMMAND DOCS are made from it.
 *
 * A sequence is a row of stages: a positional argument, or a group of neighbouring options whose order is free.
 */

import type { Arg, ArgRecord, ArgSpec } from './arg.js'
import { wordField, type WordField } from './parse-word.js'
import { PluginDefinitionError } from './plugin-error.js'

/** What one value of an argument is made of. */
export type Shape =
  | { readonly kind: 'word'; readonly field: WordField }
  | { readonly kind: 'flag' }
  | { readonly kind: 'numkeys'; readonly count: WordField; readonly key: WordField }
  | { readonly kind: 'block'; readonly sequence: Sequence }
  | {
      readonly kind: 'oneOf'
      readonly members: readonly Slot[]
      readonly openers: ReadonlyMap<string, Slot>
      /** The member that begins with any word. */
      readonly fallback: Slot | undefined
    }

/** An argument in its place. */
export interface Slot {
  readonly name: string
  readonly path: string
  readonly spec: ArgSpec
  readonly shape: Shape
  /** Capitals; for a flag its word. */
  readonly token: string | undefined
  readonly isRequired: boolean
  readonly repeats: boolean
  readonly leastValues: number
  readonly mostValues: number
  /** Words of one value, without a token. */
  readonly leastWords: number
  readonly mostWords: number
}

export interface PositionalStage {
  readonly kind: 'positional'
  readonly slot: Slot
  /** Words that the stages behind need at least. */
  readonly tailWords: number
  /** First words of the next options behind. */
  readonly openersBehind: ReadonlySet<string>
}

export interface OptionStage {
  readonly kind: 'options'
  readonly slots: readonly Slot[]
  /** First words, in capitals, of the options. */
  readonly openers: ReadonlyMap<string, number>
  /** Words that the stages behind need at least: those are never taken for options. */
  readonly tailWords: number
}

export type Stage = PositionalStage | OptionStage

export interface Sequence {
  readonly slots: readonly Slot[]
  readonly stages: readonly Stage[]
  readonly leastWords: number
  readonly mostWords: number
  /** The result before any word was read: every name, in its order, with its default. */
  readonly template: Readonly<Record<string, unknown>>
}

const namePattern = /^[A-Za-z][A-Za-z0-9_]{0,63}$/
const tokenPattern = /^[\x21-\x7e]{1,64}$/
const mostOptions = 31
/** Far below what the arity of a command can say. */
const mostLeastWords = 1000

function fail(path: string, problem: string): never {
  throw new PluginDefinitionError(path, problem)
}

/** The first words by which an argument is recognised; `undefined` if it can begin with any word. */
function openersOf(slot: Slot): readonly string[] | undefined {
  if (slot.token !== undefined) return [slot.token]
  const { shape } = slot
  if (shape.kind === 'word') return shape.field.words.size > 0 ? [...shape.field.words.keys()] : undefined
  if (shape.kind === 'oneOf') {
    return shape.fallback === undefined ? [...shape.openers.keys()] : undefined
  }
  const first = shape.kind === 'block' ? shape.sequence.slots[0] : undefined
  return first?.isRequired === true ? openersOf(first) : undefined
}

/** A required enum without a token stands at its place; everything else with known first words is an option. */
function isOption(slot: Slot): boolean {
  if (slot.spec.kind === 'enum' && slot.token === undefined && slot.isRequired) return false
  return openersOf(slot) !== undefined
}

function tokenOf(name: string, path: string, spec: ArgSpec): string | undefined {
  const token = spec.token ?? (spec.kind === 'flag' ? name : undefined)
  if (token === undefined) return undefined
  if (!tokenPattern.test(token)) fail(path, `the token ${JSON.stringify(token)} must be one word of printable ASCII`)
  return token.toUpperCase()
}

function checkSpec(path: string, spec: ArgSpec): void {
  if (spec.min !== undefined && spec.max !== undefined && spec.min > spec.max) {
    fail(path, `min ${String(spec.min)} is above max ${String(spec.max)}`)
  }
  for (const bound of spec.kind === 'integer' ? [spec.min, spec.max] : []) {
    if (bound !== undefined && !Number.isSafeInteger(bound)) fail(path, `bound ${String(bound)} is not a safe integer`)
  }
  const { min = 1, max = Infinity, repeatToken = false } = spec.multiple ?? {}
  if (!(Number.isSafeInteger(min) && min >= 0 && max >= Math.max(min, 1))) {
    fail(path, `multiple needs whole numbers 0 ≤ min ≤ max, got min ${String(min)}, max ${String(max)}`)
  }
  if (spec.multiple !== undefined && spec.kind === 'flag') fail(path, 'a flag cannot be multiple')
  if (spec.multiple !== undefined && spec.kind === 'numkeys')
    fail(path, 'numkeys holds several keys already: no multiple')
  if (repeatToken && spec.token === undefined) fail(path, 'repeatToken needs a token')
}

function enumShape(path: string, field: WordField, spec: ArgSpec): Shape {
  const words = spec.words ?? []
  if (words.length === 0) fail(path, 'an enum needs at least one word')
  for (const word of words)
    if (!tokenPattern.test(word)) fail(path, `${JSON.stringify(word)} is not one printable word`)
  if (field.words.size !== words.length) fail(path, `the words ${words.join(', ')} must differ in more than their case`)
  return { kind: 'word', field }
}

function oneOfShape(path: string, members: ArgRecord): Shape {
  const slots = Object.entries(members).map(([name, member]) => slotOf(name, `${path}.${name}`, member))
  if (slots.length < 2) fail(path, 'oneOf needs at least two members')
  const openers = new Map<string, Slot>()
  slots.forEach((slot, index) => {
    if (!slot.isRequired && slot.shape.kind !== 'flag') fail(slot.path, 'a member of oneOf cannot be optional itself')
    if (slot.repeats) fail(slot.path, 'a member of oneOf cannot be multiple; make the oneOf multiple')
    const words = openersOf(slot)
    if (words === undefined && index < slots.length - 1) {
      fail(slot.path, 'only the last member of oneOf may begin with any word; give this one a token')
    }
    for (const word of words ?? []) {
      if (openers.has(word)) fail(slot.path, `the word ${word} already begins another member`)
      openers.set(word, slot)
    }
  })
  const last = slots.at(-1)
  const fallback = last !== undefined && openersOf(last) === undefined ? last : undefined
  return { kind: 'oneOf', members: slots, openers, fallback }
}

function blockShape(path: string, members: ArgRecord): Shape {
  const sequence = buildSequence(path, members)
  if (sequence.slots.length === 0) fail(path, 'a block needs at least one argument')
  for (const slot of sequence.slots) {
    if (slot.repeats && slot.spec.multiple?.repeatToken !== true) {
      fail(slot.path, 'inside a block nothing tells where the values end: make the block multiple, or use repeatToken')
    }
  }
  return { kind: 'block', sequence }
}

function numkeysShape(name: string, spec: ArgSpec): Shape {
  const count = wordField(name, { kind: 'integer', min: 1 })
  const key = wordField(name, { kind: spec.buffers === true ? 'keyBuffer' : 'key' })
  if (count === undefined || key === undefined) throw new TypeError('integer and key are kinds of one word')
  return { kind: 'numkeys', count, key }
}

function shapeOf(name: string, path: string, spec: ArgSpec): Shape {
  if (spec.kind === 'flag') return { kind: 'flag' }
  if (spec.kind === 'numkeys') return numkeysShape(name, spec)
  if (spec.kind === 'block') return blockShape(path, spec.members ?? {})
  if (spec.kind === 'oneOf') return oneOfShape(path, spec.members ?? {})
  const field = wordField(name, spec)
  if (field === undefined) fail(path, `${spec.kind} is not a kind of argument`)
  return spec.kind === 'enum' ? enumShape(path, field, spec) : { kind: 'word', field }
}

function tokenWords(slot: Slot): number {
  return slot.token === undefined || slot.shape.kind === 'flag' ? 0 : 1
}

/** Least and most words of one value. */
function widthOf(shape: Shape): readonly [number, number] {
  if (shape.kind === 'numkeys') return [2, Infinity]
  if (shape.kind === 'block') return [shape.sequence.leastWords, shape.sequence.mostWords]
  if (shape.kind !== 'oneOf') return [1, 1]
  const widths = shape.members.map((member) => [
    member.leastWords + tokenWords(member),
    member.mostWords + tokenWords(member),
  ])
  return [Math.min(...widths.map(([least = 0]) => least)), Math.max(...widths.map(([, most = 0]) => most))]
}

function slotOf(name: string, path: string, arg: Arg<unknown>): Slot {
  const spec: ArgSpec | undefined = (arg as Partial<Arg<unknown>> | undefined)?.spec
  if (spec === undefined) fail(path, 'must be an argument made by arg.*, such as arg.string()')
  if (!namePattern.test(name)) fail(path, 'the name must be a letter, then at most 63 letters, digits or _')
  checkSpec(path, spec)
  const shape = shapeOf(name, path, spec)
  const [leastWords, mostWords] = widthOf(shape)
  const { multiple } = spec
  if (multiple !== undefined && leastWords === 0) fail(path, 'a block that may be empty cannot be multiple')
  if (leastWords * (multiple?.min ?? 1) > mostLeastWords) {
    fail(path, `needs ${leastWords * (multiple?.min ?? 1)} words at least, at most ${mostLeastWords} are possible`)
  }
  return {
    name,
    path,
    spec,
    shape,
    token: tokenOf(name, path, spec),
    isRequired: spec.optional !== true && (multiple?.min ?? 1) > 0,
    repeats: multiple !== undefined,
    leastValues: multiple?.min ?? 1,
    mostValues: multiple === undefined ? 1 : (multiple.max ?? Infinity),
    leastWords,
    mostWords,
  }
}

/** Words that an argument takes at least (0 if it may be left out) and at most. */
export function slotWords(slot: Slot): readonly [number, number] {
  const token = tokenWords(slot)
  const isEach = slot.spec.multiple?.repeatToken === true
  const perValue = isEach ? token : 0
  const once = isEach ? 0 : token
  const least = slot.isRequired ? once + slot.leastValues * (perValue + slot.leastWords) : 0
  return [least, once + slot.mostValues * (perValue + slot.mostWords)]
}

function optionStage(slots: readonly Slot[], tailWords: number): OptionStage {
  const openers = new Map<string, number>()
  slots.forEach((slot, index) => {
    for (const word of openersOf(slot) ?? []) {
      if (openers.has(word)) fail(slot.path, `the word ${word} already begins another option`)
      openers.set(word, index)
    }
  })
  const last = slots[mostOptions]
  if (last !== undefined) fail(last.path, `at most ${mostOptions} options may stand side by side`)
  return { kind: 'options', slots, openers, tailWords }
}

/** The first words of the first group of options among these arguments. */
function nextOpeners(slots: readonly Slot[]): ReadonlySet<string> {
  const from = slots.findIndex(isOption)
  const end = slots.findIndex((slot, index) => index > from && !isOption(slot))
  const group = from < 0 ? [] : slots.slice(from, end < 0 ? undefined : end)
  return new Set(group.flatMap((slot) => openersOf(slot) ?? []))
}

function groupStages(slots: readonly Slot[]): Stage[] {
  const stages: Stage[] = []
  let options: Slot[] = []
  slots.forEach((slot, index) => {
    const tailWords = slots.slice(index + 1).reduce((sum, later) => sum + slotWords(later)[0], 0)
    const next = slots[index + 1]
    if (!isOption(slot)) {
      stages.push({ kind: 'positional', slot, tailWords, openersBehind: nextOpeners(slots.slice(index + 1)) })
      return
    }
    options.push(slot)
    if (next !== undefined && isOption(next)) return
    stages.push(optionStage(options, tailWords))
    options = []
  })
  return stages
}

/** Takes every word that follows, so that nothing can stand behind it. */
function swallows(slot: Slot): boolean {
  return slot.repeats && slot.token !== undefined && slot.spec.multiple?.repeatToken !== true
}

/** Refuses what a client's words could not be told apart by. */
function checkStages(stages: readonly Stage[]): void {
  let open: Slot | undefined // a positional argument of variable length
  for (const stage of stages) {
    const slots = stage.kind === 'options' ? stage.slots : [stage.slot]
    for (const slot of slots) {
      if (open !== undefined) checkBehind(open, slot, stage)
      if (swallows(slot) && stage !== stages.at(-1)) fail(slot.path, 'several values behind one token must come last')
    }
    if (stage.kind === 'positional' && (stage.slot.repeats || !stage.slot.isRequired)) open ??= stage.slot
  }
}

function checkBehind(open: Slot, slot: Slot, stage: Stage): void {
  if (open.repeats) {
    const [least, most] = slotWords(slot)
    if (stage.kind === 'positional' && slot.isRequired && least === most) return
    fail(slot.path, `behind '${open.name}', which takes several values, only required arguments of one value can stand`)
  }
  if (stage.kind === 'positional') {
    if (!slot.isRequired) return
    fail(slot.path, `a required argument cannot stand behind '${open.name}', which may be left out`)
  }
  if (!['integer', 'bigint', 'float'].includes(open.spec.kind)) {
    fail(open.path, `it may be left out before options, so a value could be taken for one: give it a token`)
  }
}

/** What the handler gets when the argument is left out. */
function absentValue(slot: Slot): unknown {
  if (slot.shape.kind === 'flag') return false
  return slot.repeats && slot.spec.optional !== true ? [] : slot.spec.fallback
}

/** Builds and checks the tree. `path` is where the arguments are declared, for messages. */
export function buildSequence(path: string, args: ArgRecord): Sequence {
  const slots = Object.entries(args).map(([name, arg]) => slotOf(name, `${path}.${name}`, arg))
  const stages = groupStages(slots)
  checkStages(stages)
  const words = slots.map(slotWords)
  return {
    slots,
    stages,
    leastWords: words.reduce((sum, [least]) => sum + least, 0),
    mostWords: words.reduce((sum, [, most]) => sum + most, 0),
    template: Object.fromEntries(slots.map((slot) => [slot.name, absentValue(slot)])),
  }
}
