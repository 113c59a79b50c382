import type { Frame } from './frame.js'
import { ProtocolError } from './protocol-error.js'
import { joinU64, type U64 } from './u64.js'

/** The last text of a field that seldom changes. */
export interface KnownText {
  bytes: Buffer
  text: string
}

/** Reads the fields of a frame's body in their order. Every method throws ProtocolError when the body ends too early. */
export class BodyReader {
  private readonly bytes: Buffer
  private at: number
  private readonly limit: number

  constructor(frame: Frame) {
    this.bytes = frame.source
    this.at = frame.start
    this.limit = frame.end
  }

  u8(): number {
    return this.bytes[this.take(1)] as number
  }

  u16(): number {
    const at = this.take(2)
    return (this.bytes[at] as number) | ((this.bytes[at + 1] as number) << 8)
  }

  u32(): number {
    return this.u32At(this.take(4))
  }

  u64(): U64 {
    const at = this.take(8)
    return joinU64(this.u32At(at), this.u32At(at + 4))
  }

  /** A u64 that counts milliseconds or elements: always a number. */
  u53(): number {
    const value = this.u64()
    if (typeof value === 'number') return value
    throw new ProtocolError('FERRITE_PROTOCOL_FIELD', `${value} is above 2^53-1`)
  }

  /** The bytes of a `str`: a view of the frame, not a copy. */
  str(): Buffer {
    const length = this.u32()
    const at = this.take(length)
    return this.bytes.subarray(at, at + length)
  }

  /** A `str` as text. */
  text(): string {
    const length = this.u32()
    const at = this.take(length)
    return this.bytes.toString('utf8', at, at + length)
  }

  /** A `str` as text; when it is what `known` was made of, that one's text, without decoding it again. */
  knownText(known: KnownText): string {
    const length = this.u32()
    const at = this.take(length)
    if (!this.isAt(at, length, known.bytes)) {
      known.bytes = Buffer.from(this.bytes.subarray(at, at + length))
      known.text = known.bytes.toString()
    }
    return known.text
  }

  /** A `list of str`. */
  strs(): Buffer[] {
    const count = this.count(4)
    const items: Buffer[] = []
    for (let i = 0; i < count; i++) items.push(this.str())
    return items
  }

  /** A `list of X`; `least` is the fewest bytes that an X takes, so that a count that cannot be true is refused at once. */
  list<X>(least: number, read: (reader: this) => X): X[] {
    const count = this.count(least)
    const items: X[] = []
    for (let i = 0; i < count; i++) items.push(read(this))
    return items
  }

  /** Checks that nothing is left over. */
  end(): void {
    if (this.at === this.limit) return
    throw new ProtocolError('FERRITE_PROTOCOL_SURPLUS', `${this.limit - this.at} bytes are left over in a body`)
  }

  private isAt(at: number, length: number, expected: Buffer): boolean {
    if (length !== expected.length) return false
    for (let i = 0; i < length; i++) if (this.bytes[at + i] !== expected[i]) return false
    return true
  }

  private count(least: number): number {
    const count = this.u32()
    if (count * least > this.limit - this.at) throw tooShort()
    return count
  }

  private take(count: number): number {
    const at = this.at
    if (count > this.limit - at) throw tooShort()
    this.at = at + count
    return at
  }

  private u32At(at: number): number {
    const { bytes } = this
    return (
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24)) >>>
      0
    )
  }
}

function tooShort(): ProtocolError {
  return new ProtocolError('FERRITE_PROTOCOL_SHORT', 'a body ends too early')
}
