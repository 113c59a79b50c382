import type { U64 } from './u64.js'

const kSlab = 64 * 1024
const kHigh = 0x1_0000_0000
const kMaxU64 = 0xffff_ffff_ffff_ffffn
/** Up to this length a loop over an ASCII string is faster than a call into C++. */
const kShort = 40
/** Whole numbers up to this one are of 32 bits, with which digits are fastest. */
const kMostDigits = 0x7fff_ffff

/**
 * Collects bytes, little-endian, in a slab of memory that grows. `take()` hands out what was written without a copy and
 * goes on behind it, so bytes that were handed out are never written again.
 *
 * Positions (`length`, `patchU32`, `truncate`) count from the first byte that has not been taken.
 */
export class ByteWriter {
  private buffer: Buffer = Buffer.allocUnsafeSlow(kSlab)
  private start = 0
  private end = 0

  /** Bytes written and not yet taken. */
  get length(): number {
    return this.end - this.start
  }

  u8(value: number): void {
    this.reserve(1)
    this.buffer[this.end++] = value
  }

  u16(value: number): void {
    this.reserve(2)
    this.buffer[this.end++] = value
    this.buffer[this.end++] = value >>> 8
  }

  u32(value: number): void {
    this.reserve(4)
    this.putU32(this.end, value)
    this.end += 4
  }

  /** @throws RangeError for a number that is not a whole number from 0 to 2^53 - 1, or a bigint beyond 64 bits */
  u64(value: U64): void {
    this.reserve(8)
    if (typeof value === 'bigint') {
      if (value < 0n || value > kMaxU64) throw new RangeError(`${value} does not fit into 64 unsigned bits`)
      this.buffer.writeBigUInt64LE(value, this.end)
    } else {
      if (!Number.isSafeInteger(value) || value < 0)
        throw new RangeError(`${value} is not a whole number from 0 to 2^53-1`)
      this.putU32(this.end, value % kHigh)
      this.putU32(this.end + 4, Math.floor(value / kHigh))
    }
    this.end += 8
  }

  /** A `str` of the protocol: u32 length, then the bytes; a string is written as UTF-8. */
  str(value: Buffer | string): void {
    const at = this.length
    this.u32(0)
    this.raw(value)
    this.patchU32(at, this.length - at - 4)
  }

  /** The bytes alone. */
  raw(value: Buffer | string): void {
    if (typeof value !== 'string') this.bytes(value)
    else if (value.length > kShort || !this.shortAscii(value)) this.utf8(value)
  }

  /** A whole number in decimal digits, between one character and CR LF: `:42`, `$42`. Makes no string of it. */
  decimalLine(type: number, value: number): void {
    if (value < 0 || value > kMostDigits) {
      this.raw(`${String.fromCharCode(type)}${value}\r\n`)
      return
    }
    this.reserve(13)
    const { buffer } = this
    buffer[this.end] = type
    let digits = 1
    for (let power = 10; power <= value; power *= 10) digits++
    let rest = value
    for (let at = this.end + digits; at > this.end; at--) {
      const next = (rest / 10) | 0
      buffer[at] = 48 + rest - next * 10
      rest = next
    }
    buffer[this.end + digits + 1] = 13
    buffer[this.end + digits + 2] = 10
    this.end += digits + 3
  }

  /** Writes a u32 over the four bytes at a position. */
  patchU32(position: number, value: number): void {
    this.putU32(this.start + position, value)
  }

  /** Forgets everything from a position on. */
  truncate(position: number): void {
    if (position < this.length) this.end = this.start + position
  }

  /** Hands out the bytes written since the last take; the writer is empty afterwards. */
  take(): Buffer {
    const taken = this.buffer.subarray(this.start, this.end)
    this.start = this.end
    // A buffer that had to grow is not kept: one large reply must not hold its memory for ever.
    if (this.buffer.length > kSlab) this.replace(kSlab)
    return taken
  }

  private bytes(value: Buffer): void {
    this.reserve(value.length)
    if (value.length > kShort) this.buffer.set(value, this.end)
    else for (let i = 0; i < value.length; i++) this.buffer[this.end + i] = value[i] as number
    this.end += value.length
  }

  private shortAscii(value: string): boolean {
    this.reserve(value.length)
    const { buffer, end } = this
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i)
      if (code > 127) return false
      buffer[end + i] = code
    }
    this.end = end + value.length
    return true
  }

  private utf8(value: string): void {
    // A UTF-16 unit takes three bytes at most; for long strings counting first is cheaper than reserving threefold.
    this.reserve(value.length > kSlab ? Buffer.byteLength(value) : value.length * 3)
    this.end += this.buffer.write(value, this.end)
  }

  private putU32(at: number, value: number): void {
    const { buffer } = this
    buffer[at] = value
    buffer[at + 1] = value >>> 8
    buffer[at + 2] = value >>> 16
    buffer[at + 3] = value >>> 24
  }

  private reserve(count: number): void {
    if (this.end + count > this.buffer.length) this.replace(Math.max(kSlab, 2 * (this.length + count)))
  }

  private replace(size: number): void {
    const next = Buffer.allocUnsafeSlow(size)
    this.buffer.copy(next, 0, this.start, this.end)
    this.end -= this.start
    this.start = 0
    this.buffer = next
  }
}
