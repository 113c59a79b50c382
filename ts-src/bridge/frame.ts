// Frames of the bridge protocol: u32 length | u8 type | u8 flags | u16 code | u64 id | body, little-endian.
import type { ByteWriter } from './byte-writer.js'
import { ProtocolError } from './protocol-error.js'
import { joinU64, type U64 } from './u64.js'

/** Bytes of the header that `length` counts: type, flags, code and id. */
export const kHeaderLength = 12
/** The most that `length` may say: 513 MiB. */
export const kMaxFrameLength = 537_919_488
const kLengthBytes = 4
/** What a frame gets at first when it does not fit into its chunk; it grows as bytes arrive, not by what its length says. */
const kFirstBuffer = 64 * 1024

/** One frame, a view of the bytes that it arrived in. */
export class Frame {
  readonly type: number
  readonly flags: number
  readonly code: number
  readonly id: U64
  /** Where the body begins in `source`. */
  readonly start: number

  constructor(
    readonly source: Buffer,
    at: number,
    /** Where the body ends in `source`. */
    readonly end: number,
  ) {
    this.type = source[at + 4] as number
    this.flags = source[at + 5] as number
    this.code = (source[at + 6] as number) | ((source[at + 7] as number) << 8)
    this.id = joinU64(readU32(source, at + 8), readU32(source, at + 12))
    this.start = at + kLengthBytes + kHeaderLength
  }

  /** The body as a Buffer, without a copy. */
  get body(): Buffer {
    return this.source.subarray(this.start, this.end)
  }
}

/**
 * Cuts a stream of chunks into frames. A frame that lies inside one chunk is a view of it; one that does not is put
 * together in memory of its own, which doubles as it fills, so that every byte is copied a bounded number of times.
 */
export class FrameParser {
  private pending: Buffer | undefined
  private have = 0
  private total = 0

  constructor(private readonly onFrame: (frame: Frame) => void) {}

  /** Bytes of an unfinished frame that are waiting for the rest. */
  get waiting(): number {
    return this.have
  }

  /** @throws ProtocolError for a length out of range, and whatever `onFrame` throws; the parser is of no use afterwards */
  push(chunk: Buffer): void {
    let at = this.have > 0 ? this.complete(chunk) : 0
    while (chunk.length - at >= kLengthBytes) {
      const total = frameTotal(chunk, at)
      if (chunk.length - at < total) break
      this.onFrame(new Frame(chunk, at, at + total))
      at += total
    }
    if (at < chunk.length) this.keep(chunk, at)
  }

  /** Adds to the unfinished frame; returns where the chunk goes on behind it. */
  private complete(chunk: Buffer): number {
    let at = 0
    if (this.total === 0) {
      at = this.append(chunk, 0, kLengthBytes)
      if (this.have < kLengthBytes) return at
      this.total = frameTotal(this.pending as Buffer, 0) // append() has made it
    }
    at = this.append(chunk, at, this.total)
    if (this.have < this.total) return at
    const frame = new Frame(this.pending as Buffer, 0, this.total)
    this.pending = undefined
    this.have = 0
    this.total = 0
    this.onFrame(frame)
    return at
  }

  private keep(chunk: Buffer, at: number): void {
    const left = chunk.length - at
    this.total = left >= kLengthBytes ? frameTotal(chunk, at) : 0
    this.append(chunk, at, left)
  }

  /** Copies from the chunk until `until` bytes are there or the chunk ends. */
  private append(chunk: Buffer, at: number, until: number): number {
    const count = Math.min(until - this.have, chunk.length - at)
    this.grow(this.have + count)
    ;(this.pending as Buffer).set(chunk.subarray(at, at + count), this.have)
    this.have += count
    return at + count
  }

  private grow(needed: number): void {
    const size = this.pending?.length ?? 0
    if (size >= needed) return
    const most = this.total === 0 ? kFirstBuffer : this.total
    const next = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(most, Math.max(kFirstBuffer, size * 2))))
    if (this.pending !== undefined) this.pending.copy(next, 0, 0, this.have)
    this.pending = next
  }
}

/** Starts a frame; returns the position that `endFrame` needs. */
export function beginFrame(w: ByteWriter, type: number, flags: number, code: number, id: U64): number {
  const at = w.length
  w.u32(0)
  w.u8(type)
  w.u8(flags)
  w.u16(code)
  w.u64(id)
  return at
}

/** Ends the frame that begins at a position: fills in its length. */
export function endFrame(w: ByteWriter, at: number): void {
  const length = w.length - at - kLengthBytes
  if (length > kMaxFrameLength) {
    w.truncate(at)
    throw new ProtocolError(
      'FERRITE_PROTOCOL_LENGTH',
      `a frame of ${length} bytes is above the limit of ${kMaxFrameLength}`,
    )
  }
  w.patchU32(at, length)
}

function frameTotal(bytes: Buffer, at: number): number {
  const length = readU32(bytes, at)
  if (length >= kHeaderLength && length <= kMaxFrameLength) return kLengthBytes + length
  throw new ProtocolError(
    'FERRITE_PROTOCOL_LENGTH',
    `a frame says that it is ${length} bytes long; it must be ${kHeaderLength} to ${kMaxFrameLength}`,
  )
}

function readU32(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  )
}
