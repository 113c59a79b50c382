// The RESULTs that commands and hooks have in common.
import type { ByteWriter } from '../bridge/byte-writer.js'
import { beginFrame, endFrame } from '../bridge/frame.js'
import { MessageType, ResultFlag, writeStrs } from '../bridge/messages.js'
import { respError } from '../bridge/resp.js'
import type { U64 } from '../bridge/u64.js'

/** An outcome with an error as its reply. */
export function writeErrorResult(
  writer: ByteWriter,
  id: U64,
  outcome: number,
  code: string,
  text: string,
  assumed?: readonly Buffer[],
): void {
  const at = beginFrame(writer, MessageType.RESULT, assumed === undefined ? 0 : ResultFlag.assumed, outcome, id)
  writer.u32(0)
  const start = writer.length
  respError(writer, code, text)
  writer.patchU32(start - 4, writer.length - start)
  if (assumed !== undefined) writeStrs(writer, assumed)
  endFrame(writer, at)
}

/** An outcome without a reply. */
export function writeEmptyResult(writer: ByteWriter, id: U64, outcome: number): void {
  const at = beginFrame(writer, MessageType.RESULT, 0, outcome, id)
  writer.u32(0)
  endFrame(writer, at)
}

/** Eight hexadecimal digits, to find the log's entry for an error reply. Nothing is secret about them. */
export function failureId(): string {
  return Math.floor(Math.random() * 0x1_0000_0000)
    .toString(16)
    .padStart(8, '0')
}
