/** What was wrong with bytes of the bridge protocol. */
export type ProtocolErrorCode =
  | 'FERRITE_PROTOCOL_LENGTH' // a frame's length is out of range
  | 'FERRITE_PROTOCOL_SHORT' // a body or a value ends too early
  | 'FERRITE_PROTOCOL_SURPLUS' // bytes are left over
  | 'FERRITE_PROTOCOL_TYPE' // an unknown message type, or one of the wrong direction
  | 'FERRITE_PROTOCOL_FIELD' // a field holds a value that it may not hold
  | 'FERRITE_PROTOCOL_VALUE' // a RESP value breaks RESP's rules
  | 'FERRITE_PROTOCOL_NESTING' // a RESP value is nested too deeply

/**
 * Bytes that break docs/design/bridge-protocol.md. The lane that sent them is closed; this is the only error
 * that decoding throws.
 */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'

  constructor(
    readonly code: ProtocolErrorCode,
    message: string,
  ) {
    super(message)
  }
}
