// Frames to typed messages. Only ProtocolError is thrown, and a body must be used up exactly.
import { BodyReader } from './body-reader.js'
import type { Frame } from './frame.js'
import {
  kMostHops,
  CancelReasons,
  EventOrigins,
  KeyTypes,
  LaneKinds,
  MessageType,
  Outcome,
  PayloadFormats,
  PluginStates,
  ResultFlag,
  StateFlag,
  SubscriptionKinds,
  type Attach,
  type CancelReason,
  type CommandProblem,
  type Emit,
  type Event,
  type HostMessage,
  type Invoke,
  type ModuleMessage,
  type Notice,
  type Result,
  type ServerState,
} from './message-types.js'
import { ProtocolError } from './protocol-error.js'

/** Decodes what a module sends. @throws ProtocolError for anything else */
export function decodeFromModule(frame: Frame): ModuleMessage {
  const reader = new BodyReader(frame)
  const message = fromModule(frame, reader)
  reader.end()
  return message
}

/** Decodes what a host sends. @throws ProtocolError for anything else */
export function decodeFromHost(frame: Frame): HostMessage {
  const reader = new BodyReader(frame)
  const message = fromHost(frame, reader)
  reader.end()
  return message
}

/** Decodes an INVOKE, whose type has been looked at already. @throws ProtocolError */
export function decodeInvoke(frame: Frame): Invoke {
  const reader = new BodyReader(frame)
  const invoke = readInvoke(frame, reader)
  reader.end()
  return invoke
}

function fromModule(frame: Frame, r: BodyReader): ModuleMessage {
  const { code, id } = frame
  switch (frame.type) {
    case MessageType.INVOKE:
      return readInvoke(frame, r)
    case MessageType.CALL_RESULT:
      return { type: 'CALL_RESULT', id, refused: code !== 0, values: r.strs() }
    case MessageType.EVENT:
      return readEvent(frame, r)
    case MessageType.NOTICE:
      return readNotice(frame, r)
    case MessageType.CANCEL:
      return { type: 'CANCEL', id, reason: cancelReason(code) }
    case MessageType.GAP:
      return { type: 'GAP', dropped: id }
    case MessageType.WELCOME:
      return { type: 'WELCOME', version: code, lane: id, state: stateOf(frame.flags), values: readPairs(r) }
    case MessageType.PING:
      return { type: 'PING', cookie: id }
    case MessageType.PONG:
      return { type: 'PONG', cookie: id }
    case MessageType.STATE:
      return { type: 'STATE', state: stateOf(frame.flags) }
    case MessageType.SETTINGS:
      return { type: 'SETTINGS', values: readPairs(r) }
    case MessageType.ATTACHED:
      return { type: 'ATTACHED', id, problems: readProblems(r) }
    case MessageType.ROUTES_READ:
      return { type: 'ROUTES_READ', id, problems: readProblems(r) }
    default:
      throw wrongType(frame, 'a module')
  }
}

function fromHost(frame: Frame, r: BodyReader): HostMessage {
  const { id } = frame
  switch (frame.type) {
    case MessageType.HELLO:
      return { type: 'HELLO', version: frame.code, ...readHello(r) }
    case MessageType.PING:
      return { type: 'PING', cookie: id }
    case MessageType.PONG:
      return { type: 'PONG', cookie: id }
    case MessageType.ATTACH:
      return { type: 'ATTACH', id, ...readAttach(r) }
    case MessageType.DETACH:
      return { type: 'DETACH', plugin: r.text(), reason: r.text() }
    case MessageType.STATUS:
      return { type: 'STATUS', plugins: r.list(17, readStatus) }
    case MessageType.ROUTES:
      return { type: 'ROUTES', id }
    case MessageType.RESULT:
      return readResult(frame, r)
    case MessageType.EMIT:
      return readEmit(frame, r)
    case MessageType.CALL:
      return { type: 'CALL', id, flags: frame.flags, ...readCall(r) }
    default:
      throw wrongType(frame, 'a host')
  }
}

function readHello(r: BodyReader) {
  return { kind: pick(LaneKinds, r.u8(), 'kind of lane'), pid: r.u32(), label: r.text(), token: r.text() }
}

function readPairs(r: BodyReader): Record<string, string> {
  return Object.fromEntries(r.list(8, (reader) => [reader.text(), reader.text()] as const))
}

function readProblems(r: BodyReader): CommandProblem[] {
  return r.list(8, (reader) => ({ command: reader.text(), problem: reader.text() }))
}

function readAttach(r: BodyReader): Omit<Attach, 'type' | 'id'> {
  return {
    plugin: r.text(),
    version: r.text(),
    commands: r.list(6, (reader) => ({ name: reader.text(), code: reader.u16() })),
    subscriptions: r.list(14, (reader) => ({
      id: reader.u32(),
      kind: pick(SubscriptionKinds, reader.u8(), 'kind of subscription'),
      flags: reader.u8(),
      events: reader.list(4, (inner) => inner.text()),
      keys: reader.strs(),
    })),
  }
}

function readStatus(r: BodyReader) {
  return {
    plugin: r.text(),
    version: r.text(),
    state: pick(PluginStates, r.u8(), 'state of a plugin'),
    restarts: r.u32(),
    reason: r.text(),
  }
}

function readInvoke(frame: Frame, r: BodyReader): Invoke {
  return {
    type: 'INVOKE',
    id: frame.id,
    code: frame.code,
    flags: frame.flags,
    clientId: r.u64(),
    db: r.u32(),
    resp: respVersion(r.u8()),
    now: r.u53(),
    timeoutMs: r.u32(),
    user: r.knownText(lastUser),
    args: r.strs(),
    reads: r.strs(),
  }
}

/** Requests of one user follow each other, so the last name is kept rather than decoded again. */
const lastUser = { bytes: Buffer.alloc(0), text: '' }

function readResult(frame: Frame, r: BodyReader): Result {
  if (frame.code > Outcome.rewrite) throw wrongField('outcome', frame.code)
  return {
    type: 'RESULT',
    id: frame.id,
    outcome: frame.code,
    reply: r.str(),
    ...(frame.flags & ResultFlag.commit ? { commit: r.list(4, (inner) => inner.strs()) } : {}),
    ...(frame.flags & ResultFlag.assumed ? { assumed: r.strs() } : {}),
  }
}

function readCall(r: BodyReader) {
  return { requestId: r.u64(), plugin: r.text(), db: r.u32(), commands: r.list(4, (inner) => inner.strs()) }
}

function readEmit({ code }: Frame, r: BodyReader): Emit {
  if (code > kMostHops) throw wrongField('number of hops', code)
  return {
    type: 'EMIT',
    plugin: r.text(),
    hops: code,
    event: r.text(),
    format: pick(PayloadFormats, r.u8(), 'format of a payload'),
    payload: r.str(),
  }
}

function readEvent(frame: Frame, r: BodyReader): Event {
  return {
    type: 'EVENT',
    sequence: frame.id,
    now: r.u53(),
    db: r.u32(),
    origin: pick(EventOrigins, r.u8(), 'origin'),
    oldType: pick(KeyTypes, r.u8(), 'type of a key'),
    oldLength: r.u53(),
    event: r.text(),
    key: r.str(),
    subscriptions: r.list(4, (inner) => inner.u32()),
  }
}

function readNotice(frame: Frame, r: BodyReader): Notice {
  const kind = pick(SubscriptionKinds, frame.code, 'kind of notice')
  if (kind === 'keys') throw wrongField('kind of notice', frame.code)
  return {
    type: 'NOTICE',
    sequence: frame.id,
    kind,
    now: r.u53(),
    event: r.text(),
    fields: Object.fromEntries(r.list(8, (reader) => [reader.text(), reader.str()] as const)),
    subscriptions: r.list(4, (inner) => inner.u32()),
  }
}

function respVersion(value: number): 2 | 3 {
  if (value === 2 || value === 3) return value
  throw wrongField('RESP version', value)
}

function cancelReason(code: number): CancelReason {
  const reason = CancelReasons[code]
  if (reason) return reason
  throw wrongField('reason of a CANCEL', code)
}

function stateOf(flags: number): ServerState {
  return {
    primary: (flags & StateFlag.primary) !== 0,
    loading: (flags & StateFlag.loading) !== 0,
    shuttingDown: (flags & StateFlag.shuttingDown) !== 0,
  }
}

function pick<T extends string>(names: readonly T[], index: number, what: string): T {
  const name = names[index]
  if (name !== undefined) return name
  throw wrongField(what, index)
}

function wrongField(what: string, value: number): ProtocolError {
  return new ProtocolError('FERRITE_PROTOCOL_FIELD', `${value} is not a valid ${what}`)
}

function wrongType(frame: Frame, who: string): ProtocolError {
  return new ProtocolError('FERRITE_PROTOCOL_TYPE', `a frame of type ${frame.type} is none that ${who} may send`)
}
