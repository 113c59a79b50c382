/**
 * Reads the words of a command into the handler's arguments. The leading arguments of one word each, which is all that
 * most commands have, are read in one loop; the rest goes stage by stage.
 */

import type { OptionStage, PositionalStage, Sequence, Shape, Slot, Stage } from './arg-tree.js'
import type { WordField } from './parse-word.js'
import { capitalsOf, shown } from './parse-word.js'
import { ArgumentError } from './plugin-error.js'

type Values = Record<string, unknown>

/** The words and how far they were read. One per call, only for commands that need more than the first loop. */
interface Cursor {
  readonly args: readonly Buffer[]
  at: number
}

/** The leading required arguments of one word. */
function leadingFields(sequence: Sequence): WordField[] {
  const fields: WordField[] = []
  for (const stage of sequence.stages) {
    if (stage.kind !== 'positional' || stage.slot.repeats || !stage.slot.isRequired) break
    if (stage.slot.shape.kind !== 'word') break
    fields.push(stage.slot.shape.field)
  }
  return fields
}

/** The parser of one command. */
export class ArgParser {
  private readonly lead: readonly WordField[]
  private readonly rest: readonly Stage[]

  /** @param command the command's name, for messages */
  constructor(
    private readonly command: string,
    private readonly sequence: Sequence,
  ) {
    this.lead = leadingFields(sequence)
    this.rest = sequence.stages.slice(this.lead.length)
  }

  /** @throws ArgumentError when the words are not what the command takes */
  parse(args: readonly Buffer[]): Values {
    const { lead } = this
    if (args.length < this.sequence.leastWords) this.wrongNumber()
    const values: Values = { ...this.sequence.template }
    for (let index = 0; index < lead.length; index++) {
      const field = lead[index] as WordField // both indexes are below the lengths: leastWords ≥ lead.length
      values[field.name] = field.read(args[index] as Buffer, field)
    }
    if (args.length > lead.length || this.rest.length > 0) this.parseRest(args, values)
    return values
  }

  private parseRest(args: readonly Buffer[], values: Values): void {
    const cursor: Cursor = { args, at: this.lead.length }
    this.parseStages(cursor, this.rest, values)
    const surplus = args[cursor.at]
    if (surplus !== undefined) this.refuseSurplus(surplus)
  }

  private refuseSurplus(word: Buffer): never {
    const last = this.rest.at(-1)
    if (last?.kind !== 'options') this.wrongNumber()
    throw new ArgumentError(`syntax error, expected ${[...last.openers.keys()].join(' or ')}, got ${shown(word)}`)
  }

  private wrongNumber(): never {
    throw new ArgumentError(`wrong number of arguments for '${this.command}' command`)
  }

  private parseStages(cursor: Cursor, stages: readonly Stage[], values: Values): void {
    for (const stage of stages) {
      if (stage.kind === 'options') this.parseOptions(cursor, stage, values)
      else this.parsePositional(cursor, stage, values)
    }
  }

  private parsePositional(cursor: Cursor, stage: PositionalStage, values: Values): void {
    const { slot } = stage
    if (slot.repeats) {
      const taken = this.takeMany(cursor, slot, cursor.args.length - stage.tailWords)
      if (taken.length > 0 || slot.spec.optional !== true) values[slot.name] = taken
      return
    }
    if (!slot.isRequired) {
      const word = cursor.args[cursor.at]
      if (word === undefined || stage.openersBehind.has(capitalsOf(word))) return
    }
    values[slot.name] = this.takeOne(cursor, slot)
  }

  private parseOptions(cursor: Cursor, stage: OptionStage, values: Values): void {
    let seen = 0
    const end = cursor.args.length - stage.tailWords
    for (let word = cursor.args[cursor.at]; word !== undefined; word = cursor.args[cursor.at]) {
      const index = cursor.at < end ? stage.openers.get(capitalsOf(word)) : undefined
      if (index === undefined) break
      const slot = stage.slots[index] as Slot // the index was taken from this list
      const isAgain = (seen & (1 << index)) !== 0
      if (isAgain && !(slot.repeats && collectsOneByOne(slot))) this.refuseTwice(slot, word)
      seen |= 1 << index
      this.parseOption(cursor, slot, values, isAgain)
    }
    for (let index = 0; index < stage.slots.length; index++) {
      const slot = stage.slots[index] as Slot // below the length
      if ((seen & (1 << index)) !== 0) checkCount(slot, values)
      else if (slot.isRequired) throw new ArgumentError(`syntax error, ${describeOpeners(slot)} is missing`)
    }
  }

  private refuseTwice(slot: Slot, word: Buffer): never {
    const others = describeOpeners(slot)
    throw new ArgumentError(`syntax error, only one ${others} is possible, got another ${shown(word)}`)
  }

  private parseOption(cursor: Cursor, slot: Slot, values: Values, isAgain: boolean): void {
    if (slot.token !== undefined) cursor.at++
    if (slot.shape.kind === 'flag') {
      values[slot.name] = true
    } else if (!slot.repeats) {
      values[slot.name] = this.takeOne(cursor, slot)
    } else if (collectsOneByOne(slot)) {
      const value = this.takeOne(cursor, slot)
      if (isAgain)
        (values[slot.name] as unknown[]).push(value) // made by the line below at the first one
      else values[slot.name] = [value]
    } else {
      values[slot.name] = this.takeMany(cursor, slot, cursor.args.length)
    }
  }

  private takeMany(cursor: Cursor, slot: Slot, end: number): unknown[] {
    const taken: unknown[] = []
    while (cursor.at < end && taken.length < slot.mostValues) taken.push(this.takeOne(cursor, slot))
    if (cursor.at > end || (taken.length < slot.leastValues && slot.isRequired)) this.wrongNumber()
    return taken
  }

  private takeOne(cursor: Cursor, slot: Slot): unknown {
    if (cursor.args.length - cursor.at < slot.leastWords) {
      if (slot.token === undefined) this.wrongNumber()
      throw new ArgumentError(`syntax error, ${slot.token} needs a value`)
    }
    return this.takeShape(cursor, slot.shape)
  }

  private takeShape(cursor: Cursor, shape: Shape): unknown {
    switch (shape.kind) {
      case 'word':
        return shape.field.read(cursor.args[cursor.at++] as Buffer, shape.field) // takeOne saw that a word is there
      case 'flag':
        return true
      case 'block': {
        const values: Values = { ...shape.sequence.template }
        this.parseStages(cursor, shape.sequence.stages, values)
        return values
      }
      case 'numkeys':
        return this.takeKeys(cursor, shape.count, shape.key)
      case 'oneOf':
        return this.takeChoice(cursor, shape)
    }
  }

  private takeKeys(cursor: Cursor, count: WordField, key: WordField): unknown[] {
    const wanted = count.read(cursor.args[cursor.at++] as Buffer, count) as number // an integer field; takeOne saw two words
    if (wanted > cursor.args.length - cursor.at) {
      throw new ArgumentError(
        `argument '${count.name}' says ${wanted} keys, only ${cursor.args.length - cursor.at} follow`,
      )
    }
    const keys: unknown[] = []
    for (let index = 0; index < wanted; index++) keys.push(key.read(cursor.args[cursor.at++] as Buffer, key)) // checked above
    return keys
  }

  private takeChoice(cursor: Cursor, shape: Extract<Shape, { kind: 'oneOf' }>): Values {
    const word = cursor.args[cursor.at] as Buffer // takeOne saw that a word is there
    const member = shape.openers.get(capitalsOf(word)) ?? shape.fallback
    if (member === undefined) {
      throw new ArgumentError(`syntax error, expected ${[...shape.openers.keys()].join(' or ')}, got ${shown(word)}`)
    }
    if (member.token !== undefined) cursor.at++
    return { [member.name]: member.shape.kind === 'flag' ? true : this.takeOne(cursor, member) }
  }
}

/** Whether each value has an opening word of its own, so that values come one at a time. */
function collectsOneByOne(slot: Slot): boolean {
  return slot.token === undefined || slot.spec.multiple?.repeatToken === true
}

function describeOpeners(slot: Slot): string {
  if (slot.token !== undefined) return slot.token
  if (slot.shape.kind === 'oneOf') return [...slot.shape.openers.keys()].join('|')
  return slot.shape.kind === 'word' && slot.shape.field.words.size > 0
    ? [...slot.shape.field.words.keys()].join('|')
    : slot.name
}

function checkCount(slot: Slot, values: Values): void {
  if (!slot.repeats) return
  const { length } = values[slot.name] as readonly unknown[] // repeating options are always arrays
  if (length >= slot.leastValues && length <= slot.mostValues) return
  const most = slot.mostValues === Infinity ? '' : ` and at most ${slot.mostValues}`
  throw new ArgumentError(`argument '${slot.name}' needs at least ${slot.leastValues}${most} values, got ${length}`)
}
