import { ProtocolError } from './protocol-error.js'
import { RespError, RespMap, RespSet, RespSlot, RespVerbatim, type RespValue } from './resp-value.js'

/** How deeply aggregates may be nested: an array of scalars is 1 level. */
export const kMaxNesting = 32
/** The shortest value there is is three bytes long (`_\r\n`); a count that cannot be true is refused before memory is taken. */
const kShortestValue = 3
const kDouble = /^(?:-?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|inf)|-?nan)$/
const kBigNumber = /^-?\d+$/
const kMaxI64 = 0x7fff_ffff_ffff_ffffn
const kCr = 13
const kLf = 10
const kMinus = 45
const kZero = 48

export interface DecodeOptions {
  /** Allows `@n`, which is valid in the reply of a RESULT only. @default false */
  slots?: boolean
}

/**
 * Decodes bytes that hold exactly one RESP value. Strings in it are views of `bytes`, not copies.
 *
 * @throws ProtocolError when the bytes are anything else
 */
export function decodeResp(bytes: Buffer, options?: DecodeOptions): RespValue {
  const decoder = new Decoder(bytes, options?.slots === true)
  const value = decoder.value(0)
  if (decoder.at !== bytes.length) {
    throw new ProtocolError('FERRITE_PROTOCOL_SURPLUS', `${bytes.length - decoder.at} bytes follow the RESP value`)
  }
  return value
}

class Decoder {
  at = 0

  constructor(
    private readonly bytes: Buffer,
    private readonly slots: boolean,
  ) {}

  value(depth: number): RespValue {
    const type = this.bytes[this.at++]
    switch (type) {
      case 0x24: // $
        return this.bulk()
      case 0x3a: // :
        return this.integer()
      case 0x2b: // +
        return this.line()
      case 0x2a: // *
        return this.array(depth)
      case 0x5f: // _
        return this.empty()
      case 0x2d: // -
        return this.error()
      case 0x25: // %
        return this.map(depth)
      case 0x2c: // ,
        return this.double()
      case 0x23: // #
        return this.boolean()
      case 0x7e: // ~
        return new RespSet(this.items(this.count('set'), depth))
      case 0x28: // (
        return this.bigNumber()
      case 0x3d: // =
        return this.verbatim()
      default:
        return this.other(type)
    }
  }

  private other(type: number | undefined): RespValue {
    if (type === undefined) throw tooShort()
    if (type === 0x40 && this.slots) return new RespSlot(this.length('slot', 0xffff_ffff))
    throw invalid(`0x${type.toString(16)} is not the type of a RESP value`)
  }

  private bulk(): Buffer | null {
    if (this.bytes[this.at] === kMinus) return this.minusOne()
    return this.text(this.length('bulk string'))
  }

  private array(depth: number): RespValue {
    if (this.bytes[this.at] === kMinus) return this.minusOne()
    return this.items(this.count('array'), depth)
  }

  private items(count: number, depth: number): RespValue[] {
    this.checkNesting(depth)
    const items: RespValue[] = []
    for (let i = 0; i < count; i++) items.push(this.value(depth + 1))
    return items
  }

  private map(depth: number): RespMap {
    const count = this.count('map', 2)
    this.checkNesting(depth)
    const entries: [RespValue, RespValue][] = []
    for (let i = 0; i < count; i++) entries.push([this.value(depth + 1), this.value(depth + 1)])
    return new RespMap(entries)
  }

  private checkNesting(depth: number): void {
    if (depth < kMaxNesting) return
    throw new ProtocolError('FERRITE_PROTOCOL_NESTING', `a RESP value is nested more than ${kMaxNesting} levels deep`)
  }

  private minusOne(): null {
    if (this.line() !== '-1') throw invalid('a negative length other than -1')
    return null
  }

  private empty(): null {
    if (this.line() !== '') throw invalid('a null carries text')
    return null
  }

  private boolean(): boolean {
    const text = this.line()
    if (text !== 't' && text !== 'f') throw invalid(`"${text}" is not a boolean`)
    return text === 't'
  }

  private double(): number {
    const text = this.line()
    if (!kDouble.test(text)) throw invalid(`"${text}" is not a double`)
    if (text.endsWith('inf')) return text === 'inf' ? Infinity : -Infinity
    return text.endsWith('nan') ? NaN : Number(text)
  }

  private bigNumber(): bigint {
    const text = this.line()
    if (!kBigNumber.test(text)) throw invalid(`"${text}" is not a big number`)
    return BigInt(text)
  }

  private error(): RespError {
    const text = this.line()
    const space = text.indexOf(' ')
    return space < 0 ? new RespError(text, '') : new RespError(text.slice(0, space), text.slice(space + 1))
  }

  private verbatim(): RespVerbatim {
    const whole = this.text(this.length('verbatim string'))
    if (whole.length < 4 || whole[3] !== 0x3a)
      throw invalid('a verbatim string does not begin with a format and a colon')
    return new RespVerbatim(whole.toString('latin1', 0, 3), whole.subarray(4))
  }

  private integer(): number | bigint {
    const start = this.at
    const negative = this.bytes[start] === kMinus
    if (negative) this.at++
    const first = this.at
    const value = this.digits()
    if (value <= Number.MAX_SAFE_INTEGER && this.at - first < 16) {
      this.crlf()
      return negative && value !== 0 ? -value : value
    }
    const exact = BigInt(this.bytes.toString('latin1', start, this.at))
    this.crlf()
    if (exact > kMaxI64 || exact < -kMaxI64 - 1n) throw invalid(`${exact} does not fit into 64 bits`)
    return exact >= Number.MIN_SAFE_INTEGER && exact <= Number.MAX_SAFE_INTEGER ? Number(exact) : exact
  }

  private count(what: string, each = 1): number {
    const count = this.length(what)
    if (count * each * kShortestValue > this.bytes.length - this.at) throw tooShort()
    return count
  }

  private length(what: string, most = 0x7fff_ffff): number {
    const length = this.digits()
    this.crlf()
    if (length > most) throw invalid(`the length of a ${what} is ${length}`)
    return length
  }

  /** Decimal digits, at least one; beyond 2^53 the result is only good for comparing. */
  private digits(): number {
    const { bytes } = this
    const start = this.at
    let value = 0
    for (;;) {
      const digit = (bytes[this.at] ?? 0) - kZero
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
      this.at++
    }
    if (this.at === start) throw this.at < bytes.length ? invalid('digits are missing') : tooShort()
    return value
  }

  private text(length: number): Buffer {
    const start = this.at
    if (length > this.bytes.length - start) throw tooShort()
    this.at = start + length
    this.crlf()
    return this.bytes.subarray(start, start + length)
  }

  private crlf(): void {
    if (this.bytes[this.at] === kCr && this.bytes[this.at + 1] === kLf) this.at += 2
    else throw this.at + 1 < this.bytes.length ? invalid('CR LF is missing') : tooShort()
  }

  /** Text up to CR LF; neither may stand inside it. */
  private line(): string {
    const start = this.at
    const { bytes } = this
    let end = start
    while (end < bytes.length && bytes[end] !== kCr && bytes[end] !== kLf) end++
    this.at = end
    this.crlf()
    return bytes.toString('utf8', start, end)
  }
}

function tooShort(): ProtocolError {
  return new ProtocolError('FERRITE_PROTOCOL_SHORT', 'a RESP value ends too early')
}

function invalid(problem: string): ProtocolError {
  return new ProtocolError('FERRITE_PROTOCOL_VALUE', `not a RESP value: ${problem}`)
}
