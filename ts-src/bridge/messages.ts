// Typed messages to frames. Decoding is in message-decoder.ts.
import type { ByteWriter } from './byte-writer.js'
import { beginFrame, endFrame } from './frame.js'
import {
  CancelReasons,
  EventOrigins,
  KeyTypes,
  LaneKinds,
  MessageType,
  PayloadFormats,
  PluginStates,
  ResultFlag,
  StateFlag,
  SubscriptionKinds,
  type Argv,
  type Attach,
  type Call,
  type CallResult,
  type CommandProblem,
  type Event,
  type Hello,
  type Invoke,
  type Message,
  type Notice,
  type Result,
  type ServerState,
  type Status,
} from './message-types.js'
import type { U64 } from './u64.js'

export { decodeFromHost, decodeFromModule, decodeInvoke } from './message-decoder.js'
export * from './message-types.js'

/** Writes a message as one frame. On an error nothing of it stays in the writer. */
export function encodeMessage(w: ByteWriter, message: Message): void {
  const [flags, code, id] = headerOf(message)
  const at = beginFrame(w, MessageType[message.type], flags, code, id)
  try {
    writeBody(w, message)
  } catch (error) {
    w.truncate(at)
    throw error
  }
  endFrame(w, at)
}

function headerOf(message: Message): [flags: number, code: number, id: U64] {
  switch (message.type) {
    case 'HELLO':
      return [0, message.version, 0]
    case 'WELCOME':
      return [stateFlags(message.state), message.version, message.lane]
    case 'STATE':
      return [stateFlags(message.state), 0, 0]
    case 'PING':
    case 'PONG':
      return [0, 0, message.cookie]
    case 'INVOKE':
      return [message.flags, message.code, message.id]
    case 'RESULT':
      return [resultFlags(message), message.outcome, message.id]
    case 'CANCEL':
      return [0, CancelReasons.indexOf(message.reason), message.id]
    case 'CALL':
      return [message.flags, 0, message.id]
    case 'CALL_RESULT':
      return [0, message.refused ? 1 : 0, message.id]
    case 'EMIT':
      return [0, message.hops, 0]
    case 'EVENT':
      return [0, 0, message.sequence]
    case 'NOTICE':
      return [0, SubscriptionKinds.indexOf(message.kind), message.sequence]
    case 'GAP':
      return [0, 0, message.dropped]
    case 'SETTINGS':
    case 'DETACH':
    case 'STATUS':
      return [0, 0, 0]
    default:
      return [0, 0, message.id]
  }
}

function writeBody(w: ByteWriter, message: Message): void {
  switch (message.type) {
    case 'HELLO':
      return writeHello(w, message)
    case 'WELCOME':
    case 'SETTINGS':
      return writePairs(w, message.values)
    case 'ATTACH':
      return writeAttach(w, message)
    case 'ATTACHED':
    case 'ROUTES_READ':
      return writeProblems(w, message.problems)
    case 'DETACH':
      w.str(message.plugin)
      return w.str(message.reason)
    case 'STATUS':
      return writeStatus(w, message)
    case 'INVOKE':
      return writeInvoke(w, message)
    case 'RESULT':
      return writeResult(w, message)
    case 'CALL':
      return writeCall(w, message)
    case 'CALL_RESULT':
      return writeValues(w, message)
    case 'EMIT':
      w.str(message.plugin)
      w.str(message.event)
      w.u8(PayloadFormats.indexOf(message.format))
      return w.str(message.payload)
    case 'EVENT':
      return writeEvent(w, message)
    case 'NOTICE':
      return writeNotice(w, message)
    default: // the others have no body
  }
}

function writeHello(w: ByteWriter, hello: Hello): void {
  w.u8(LaneKinds.indexOf(hello.kind))
  w.u32(hello.pid)
  w.str(hello.label)
  w.str(hello.token)
}

function writePairs(w: ByteWriter, values: Readonly<Record<string, string>>): void {
  const pairs = Object.entries(values)
  w.u32(pairs.length)
  for (const [key, value] of pairs) {
    w.str(key)
    w.str(value)
  }
}

function writeAttach(w: ByteWriter, attach: Attach): void {
  w.str(attach.plugin)
  w.str(attach.version)
  w.u32(attach.commands.length)
  for (const command of attach.commands) {
    w.str(command.name)
    w.u16(command.code)
  }
  w.u32(attach.subscriptions.length)
  for (const subscription of attach.subscriptions) {
    w.u32(subscription.id)
    w.u8(SubscriptionKinds.indexOf(subscription.kind))
    w.u8(subscription.flags)
    writeStrs(w, subscription.events)
    writeStrs(w, subscription.keys)
  }
}

function writeProblems(w: ByteWriter, problems: readonly CommandProblem[]): void {
  w.u32(problems.length)
  for (const { command, problem } of problems) {
    w.str(command)
    w.str(problem)
  }
}

function writeStatus(w: ByteWriter, status: Status): void {
  w.u32(status.plugins.length)
  for (const plugin of status.plugins) {
    w.str(plugin.plugin)
    w.str(plugin.version)
    w.u8(PluginStates.indexOf(plugin.state))
    w.u32(plugin.restarts)
    w.str(plugin.reason)
  }
}

function writeInvoke(w: ByteWriter, invoke: Invoke): void {
  w.u64(invoke.clientId)
  w.u32(invoke.db)
  w.u8(invoke.resp)
  w.u64(invoke.now)
  w.u32(invoke.timeoutMs)
  w.str(invoke.user)
  writeStrs(w, invoke.args)
  writeStrs(w, invoke.reads)
}

function writeResult(w: ByteWriter, result: Result): void {
  w.str(result.reply)
  if (result.commit !== undefined) writeCommands(w, result.commit)
  if (result.assumed !== undefined) writeStrs(w, result.assumed)
}

function writeCall(w: ByteWriter, call: Call): void {
  w.u64(call.requestId)
  w.str(call.plugin)
  w.u32(call.db)
  writeCommands(w, call.commands)
}

function writeValues(w: ByteWriter, result: CallResult): void {
  writeStrs(w, result.values)
}

function writeEvent(w: ByteWriter, event: Event): void {
  w.u64(event.now)
  w.u32(event.db)
  w.u8(EventOrigins.indexOf(event.origin))
  w.u8(KeyTypes.indexOf(event.oldType))
  w.u64(event.oldLength)
  w.str(event.event)
  w.str(event.key)
  w.u32(event.subscriptions.length)
  for (const id of event.subscriptions) w.u32(id)
}

function writeNotice(w: ByteWriter, notice: Notice): void {
  const fields = Object.entries(notice.fields)
  w.u64(notice.now)
  w.str(notice.event)
  w.u32(fields.length)
  for (const [name, value] of fields) {
    w.str(name)
    w.str(value)
  }
  w.u32(notice.subscriptions.length)
  for (const id of notice.subscriptions) w.u32(id)
}

/** A `list of (list of str)`: the commands of a call or a commit. */
export function writeCommands(w: ByteWriter, commands: readonly Argv[]): void {
  w.u32(commands.length)
  for (const argv of commands) writeStrs(w, argv)
}

/** A `list of str`. */
export function writeStrs(w: ByteWriter, items: readonly (Buffer | string)[]): void {
  w.u32(items.length)
  for (const item of items) w.str(item)
}

function stateFlags(state: ServerState): number {
  return (
    (state.primary ? StateFlag.primary : 0) |
    (state.loading ? StateFlag.loading : 0) |
    (state.shuttingDown ? StateFlag.shuttingDown : 0)
  )
}

function resultFlags(result: Result): number {
  return (result.commit === undefined ? 0 : ResultFlag.commit) | (result.assumed === undefined ? 0 : ResultFlag.assumed)
}
