/** What COMMAND INFO, COMMAND DOCS and the ACL need to know of the arguments: arity, key specs, documentation. */

import type { ArgDoc, KeySpec } from '../plugin/command-route.js'
import type { KeyMode } from './arg.js'
import { slotWords, type Sequence, type Slot, type Stage } from './arg-tree.js'
import { PluginDefinitionError } from './plugin-error.js'

/** Key modes as the flags of a key spec. */
const keyFlags: Readonly<Record<KeyMode, readonly string[]>> = {
  r: ['RO', 'access'],
  rw: ['RW', 'access', 'update'],
  w: ['OW', 'update'],
  rm: ['RM', 'delete'],
}

export interface ArgLayout {
  readonly arity: number
  readonly keySpecs: readonly KeySpec[]
  readonly docs: readonly ArgDoc[]
  /** The modes of all keys. */
  readonly modes: readonly KeyMode[]
  /** Position of each argument that always stands at the same place; the command's name is 0. */
  readonly positions: ReadonlyMap<string, number>
  /** Position of the last word of an argument that repeats; negative: from the end. */
  readonly lastPositions: ReadonlyMap<string, number>
  /** No key has to be given. */
  readonly keysAreOptional: boolean
}

type Begin = KeySpec['begin']

/** Collects the key specs of one command. */
class Layout {
  readonly keySpecs: KeySpec[] = []
  readonly modes: KeyMode[] = []
  /** Arguments of kind numkeys that stand at a fixed position. */
  readonly counted: { readonly slot: Slot; readonly position: number }[] = []
  readonly positions = new Map<string, number>()
  readonly lastPositions = new Map<string, number>()

  /** Adds a spec and returns its index. `isGuess`: a search for a token may find another word. */
  add(mode: KeyMode, begin: Begin, find: KeySpec['find'], isGuess: boolean): number {
    const flags = [...keyFlags[mode], ...(isGuess && begin.kind === 'keyword' ? ['incomplete'] : [])]
    this.modes.push(mode)
    return this.keySpecs.push({ flags, begin, find }) - 1
  }
}

function docType(slot: Slot): ArgDoc['type'] {
  const { shape, spec } = slot
  if (shape.kind === 'flag') return 'pure-token'
  if (shape.kind === 'oneOf') return 'oneof'
  if (shape.kind !== 'word') return 'block'
  if (spec.kind === 'enum') return 'oneof'
  if (spec.kind === 'key' || spec.kind === 'keyBuffer') return 'key'
  if (spec.kind === 'integer' || spec.kind === 'bigint') return 'integer'
  return spec.kind === 'float' ? 'double' : 'string'
}

function docFlags(slot: Slot): ArgDoc['flags'] {
  const flags: ArgDoc['flags'][number][] = []
  if (!slot.isRequired) flags.push('optional')
  if (slot.repeats) flags.push('multiple')
  if (slot.spec.multiple?.repeatToken === true) flags.push('multiple_token')
  return flags
}

const single = { kind: 'range', last: 0, step: 1, limit: 0 } as const

function refuseKey(slot: Slot, why: string): never {
  throw new PluginDefinitionError(slot.path, `${why}, so Redis could not tell which word is the key`)
}

/** How the keys of a repeated argument are found, `tailWords` words before the end. */
function rangeOf(slot: Slot, step: number, tailWords: number): KeySpec['find'] {
  return slot.repeats ? { kind: 'range', last: -1 - tailWords, step, limit: 0 } : single
}

/** Where a member of a block begins; `undefined` if that varies. */
function memberBegin(begin: Begin | undefined, offset: number): Begin | undefined {
  if (begin === undefined) return undefined
  if (begin.kind === 'index') return { kind: 'index', position: begin.position + offset }
  return offset === 0 ? begin : undefined
}

/** Documents the arguments and collects their key specs. `Begin` is where the first word of the argument stands. */
class Documenter {
  /** First position at which the options of the current stage can stand. */
  from = 1

  constructor(private readonly layout: Layout) {}

  private inner(
    slot: Slot,
    begin: Begin | undefined,
    repeated: Slot | undefined,
    tail: number,
    isGuess: boolean,
  ): readonly ArgDoc[] {
    const { shape, spec } = slot
    if (shape.kind === 'word' && spec.kind === 'enum') {
      return (spec.words ?? []).map((word) => ({
        name: word.toLowerCase(),
        type: 'pure-token',
        token: word.toUpperCase(),
        flags: [],
      }))
    }
    if (shape.kind === 'numkeys') return this.numkeys(slot, begin, isGuess)
    if (shape.kind === 'block') return this.block(shape.sequence, begin, slot.repeats ? slot : repeated, tail, isGuess)
    if (shape.kind !== 'oneOf') return []
    // A search for the token ends at the first one, and finds it in the text of another member, too.
    return shape.members.map((member) =>
      this.option(member, isGuess || slot.repeats || isGuessAmong(member, shape.members)),
    )
  }

  private numkeys(slot: Slot, begin: Begin | undefined, isGuess: boolean): readonly ArgDoc[] {
    if (begin === undefined) refuseKey(slot, 'the place of these keys varies')
    const find = { kind: 'keynum', index: 0, first: 1, step: 1 } as const
    const key = this.layout.add(slot.spec.mode ?? 'rw', begin, find, isGuess)
    if (begin.kind === 'index') this.layout.counted.push({ slot, position: begin.position })
    return [
      { name: 'numkeys', type: 'integer', flags: [] },
      { name: 'key', type: 'key', flags: ['multiple'], key },
    ]
  }

  private block(
    sequence: Sequence,
    begin: Begin | undefined,
    repeated: Slot | undefined,
    tail: number,
    isGuess: boolean,
  ): ArgDoc[] {
    const isFixed = sequence.leastWords === sequence.mostWords
    let offset: number | undefined = 0
    return sequence.stages.flatMap((stage) => {
      if (stage.kind === 'options') {
        offset = undefined
        return stage.slots.map((slot) => this.option(slot, true))
      }
      const { slot } = stage
      const at = offset === undefined ? undefined : memberBegin(begin, offset)
      const [least, most] = slotWords(slot)
      offset = offset !== undefined && least === most ? offset + least : undefined
      const find = repeated === undefined ? single : rangeOf(repeated, sequence.leastWords, tail)
      return [this.one(slot, repeated === undefined || isFixed ? at : undefined, find, tail, isGuess)]
    })
  }

  /** One argument; `begin` is undefined where its place varies, which is an error for keys alone. */
  one(slot: Slot, begin: Begin | undefined, find: KeySpec['find'], tail: number, isGuess: boolean): ArgDoc {
    const type = docType(slot)
    let key: number | undefined
    if (type === 'key') {
      if (begin === undefined) refuseKey(slot, 'its place varies')
      key = this.layout.add(slot.spec.mode ?? 'rw', begin, find, isGuess)
    }
    const args = this.inner(slot, begin, undefined, tail, isGuess)
    return {
      name: slot.name,
      type,
      ...(slot.token === undefined ? {} : { token: slot.token }),
      flags: docFlags(slot),
      ...(slot.leastValues > 1 ? { least: slot.leastValues } : {}),
      ...(key === undefined ? {} : { key }),
      ...(args.length === 0 ? {} : { args }),
    }
  }

  /** An option: keys in it are found by its token. */
  option(slot: Slot, isGuess: boolean): ArgDoc {
    if (slot.spec.multiple?.repeatToken === true && hasKey(slot)) refuseKey(slot, 'its token is repeated')
    const begin: Begin | undefined =
      slot.token === undefined ? undefined : { kind: 'keyword', word: slot.token, from: this.from }
    return this.one(slot, begin, rangeOf(slot, 1, 0), 0, isGuess)
  }
}

function hasKey(slot: Slot): boolean {
  const { shape, spec } = slot
  if (shape.kind === 'numkeys') return true
  if (shape.kind === 'block') return shape.sequence.slots.some(hasKey)
  if (shape.kind === 'oneOf') return shape.members.some(hasKey)
  return spec.kind === 'key' || spec.kind === 'keyBuffer'
}

/** Whether a word of this argument can be the word by which another one is found. */
function canHold(slot: Slot, word: string): boolean {
  const { shape, spec } = slot
  if (slot.token === word) return true
  if (shape.kind === 'block') return shape.sequence.slots.some((one) => canHold(one, word))
  if (shape.kind === 'oneOf') return shape.members.some((one) => canHold(one, word))
  if (spec.kind === 'flag') return false
  if (spec.kind === 'enum') return (spec.words ?? []).some((one) => one.toUpperCase() === word)
  return ['integer', 'bigint', 'float'].includes(spec.kind) ? /^[-+.\d]/.test(word) : true
}

/** Whether a search for the tokens of an argument may find a word of another one. */
function isGuessAmong(slot: Slot, all: readonly Slot[]): boolean {
  return tokensOf(slot).some((token) => all.some((other) => other !== slot && canHold(other, token)))
}

/** The tokens by which keys of the argument are found. */
function tokensOf(slot: Slot): readonly string[] {
  const { shape } = slot
  const inner = shape.kind === 'oneOf' ? shape.members : shape.kind === 'block' ? shape.sequence.slots : []
  return [...(slot.token === undefined || slot.shape.kind === 'flag' ? [] : [slot.token]), ...inner.flatMap(tokensOf)]
}

function slotsOf(stage: Stage): readonly Slot[] {
  return stage.kind === 'options' ? stage.slots : [stage.slot]
}

/** All but the leading arguments of fixed length, which end before the search for a token begins. */
function movableSlots(sequence: Sequence): readonly Slot[] {
  const first = sequence.stages.findIndex((stage) => {
    const [least, most] = stage.kind === 'options' ? [0, 1] : slotWords(stage.slot)
    return least !== most || (stage.kind === 'positional' && stage.slot.shape.kind !== 'word')
  })
  return first < 0 ? [] : sequence.stages.slice(first).flatMap(slotsOf)
}

/**
 * @param sequence the arguments of a command
 * @param nameWords words of the command's name: 2 for a subcommand
 * @throws PluginDefinitionError for a key at a place that no key spec can describe
 */
export function layOut(sequence: Sequence, nameWords: number): ArgLayout {
  const layout = new Layout()
  const documenter = new Documenter(layout)
  let position: number | undefined = nameWords
  let earliest = nameWords
  const movable = movableSlots(sequence)
  const docs = sequence.stages.flatMap((stage) => {
    documenter.from = earliest
    for (const slot of slotsOf(stage)) earliest += slotWords(slot)[0]
    if (stage.kind === 'options') {
      position = undefined
      return stage.slots.map((slot) => documenter.option(slot, isGuessAmong(slot, movable)))
    }
    const { slot } = stage
    const begin: Begin | undefined = position === undefined ? undefined : { kind: 'index', position }
    if (position !== undefined) notePosition(layout, slot, position, stage.tailWords)
    const [least, most] = slotWords(slot)
    position = position !== undefined && least === most ? position + least : undefined
    const find = rangeOf(slot, 1, stage.tailWords)
    return [documenter.one(slot, begin, find, stage.tailWords, isGuessAmong(slot, movable))]
  })
  const words = nameWords + sequence.leastWords
  // Servers up to Redis 8.0 and Valkey 9 crash on a call that leaves out the count which a key spec points to.
  const missing = layout.counted.find((counted) => counted.position >= words)
  if (missing !== undefined) refuseKey(missing.slot, 'it can be left out: give it a token, or make it required')
  return {
    arity: sequence.leastWords === sequence.mostWords ? words : -words,
    keySpecs: layout.keySpecs,
    docs,
    modes: layout.modes,
    positions: layout.positions,
    lastPositions: layout.lastPositions,
    keysAreOptional: layout.keySpecs.length > 0 && !sequence.slots.some((slot) => slot.isRequired && hasKey(slot)),
  }
}

function notePosition(layout: Layout, slot: Slot, position: number, tailWords: number): void {
  if (slot.shape.kind !== 'word') return
  if (slot.repeats) {
    layout.positions.set(slot.name, position)
    layout.lastPositions.set(slot.name, -1 - tailWords)
  } else if (slot.isRequired) {
    layout.positions.set(slot.name, position)
  }
}
