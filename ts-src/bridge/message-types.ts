// The messages of the bridge protocol as plain objects; docs/design/bridge-protocol.md says what each field means.
import type { U64 } from './u64.js'

/** The version of the protocol that this code speaks. */
export const kProtocolVersion = 1

export const MessageType = {
  HELLO: 1,
  WELCOME: 2,
  PING: 3,
  PONG: 4,
  STATE: 5,
  SETTINGS: 6,
  ATTACH: 10,
  ATTACHED: 11,
  DETACH: 12,
  STATUS: 13,
  ROUTES: 14,
  ROUTES_READ: 15,
  INVOKE: 20,
  RESULT: 21,
  CANCEL: 22,
  CALL: 23,
  CALL_RESULT: 24,
  EVENT: 30,
  GAP: 31,
  NOTICE: 32,
  EMIT: 33,
} as const

export const StateFlag = { primary: 1, loading: 2, shuttingDown: 4 } as const

export const InvokeFlag = {
  sync: 1,
  multi: 2,
  nested: 4,
  readOnly: 8,
  rerun: 16,
  guarded: 32,
  chained: 64,
  told: 128,
} as const

export const ResultFlag = { commit: 2, assumed: 4 } as const

/** `continue` and `rewrite` are answers of hooks alone, `again` of commands alone. */
export const Outcome = { done: 0, refused: 1, failed: 2, again: 3, continue: 4, rewrite: 5 } as const

export const CallFlag = { resp3: 1, atomic: 2, asPlugin: 4 } as const

export const SubscriptionFlag = { ownWrites: 1, onReplica: 2, oldValue: 4 } as const

/** Events that may lead to each other. */
export const kMostHops = 8

export const LaneKinds = ['control', 'plugins'] as const
export const SubscriptionKinds = ['keys', 'clients', 'server', 'plugins'] as const
export const PayloadFormats = ['none', 'bytes', 'json'] as const
export const PluginStates = ['loading', 'active', 'disabled', 'failed', 'unloading'] as const
export const CancelReasons = ['', 'client gone', 'timeout', 'unblocked', 'failed'] as const
export const EventOrigins = ['client', 'plugin', 'expire', 'evict', 'unknown'] as const
export const KeyTypes = ['unknown', 'string', 'list', 'hash', 'set', 'zset', 'module', 'stream'] as const

export type LaneKind = (typeof LaneKinds)[number]
export type SubscriptionKind = (typeof SubscriptionKinds)[number]
export type PayloadFormat = (typeof PayloadFormats)[number]
export type PluginState = (typeof PluginStates)[number]
export type CancelReason = Exclude<(typeof CancelReasons)[number], ''>
export type EventOrigin = (typeof EventOrigins)[number]
export type KeyType = (typeof KeyTypes)[number]

/** One command of a call or a commit: its name and its arguments. */
export type Argv = readonly (Buffer | string)[]

export interface ServerState {
  readonly primary: boolean
  readonly loading: boolean
  readonly shuttingDown: boolean
}

export interface CommandProblem {
  readonly command: string
  readonly problem: string
}

export interface CommandCode {
  /** Upper case, `SESSION|GET` for a subcommand; `hook <plugin>/<name>` for a hook. */
  readonly name: string
  readonly code: number
}

export interface Subscription {
  readonly id: number
  readonly kind: SubscriptionKind
  /** A sum of SubscriptionFlag. */
  readonly flags: number
  readonly events: readonly string[]
  readonly keys: readonly (Buffer | string)[]
}

export interface PluginStatus {
  readonly plugin: string
  readonly version: string
  readonly state: PluginState
  readonly restarts: number
  readonly reason: string
}

export interface Hello {
  readonly type: 'HELLO'
  readonly version: number
  readonly kind: LaneKind
  readonly pid: number
  readonly label: string
  readonly token: string
}

export interface Welcome {
  readonly type: 'WELCOME'
  readonly version: number
  readonly lane: U64
  readonly state: ServerState
  readonly values: Readonly<Record<string, string>>
}

export interface Ping {
  readonly type: 'PING'
  readonly cookie: U64
}

export interface Pong {
  readonly type: 'PONG'
  readonly cookie: U64
}

export interface State {
  readonly type: 'STATE'
  readonly state: ServerState
}

export interface Settings {
  readonly type: 'SETTINGS'
  /** Those of WELCOME's values that are others now. */
  readonly values: Readonly<Record<string, string>>
}

export interface Attach {
  readonly type: 'ATTACH'
  readonly id: U64
  readonly plugin: string
  readonly version: string
  readonly commands: readonly CommandCode[]
  readonly subscriptions: readonly Subscription[]
}

export interface Attached {
  readonly type: 'ATTACHED'
  readonly id: U64
  readonly problems: readonly CommandProblem[]
}

export interface Detach {
  readonly type: 'DETACH'
  readonly plugin: string
  readonly reason: string
}

export interface Status {
  readonly type: 'STATUS'
  readonly plugins: readonly PluginStatus[]
}

export interface Routes {
  readonly type: 'ROUTES'
  readonly id: U64
}

export interface RoutesRead {
  readonly type: 'ROUTES_READ'
  readonly id: U64
  readonly problems: readonly CommandProblem[]
}

export interface Invoke {
  readonly type: 'INVOKE'
  readonly id: U64
  readonly code: number
  /** A sum of InvokeFlag. */
  readonly flags: number
  readonly clientId: U64
  readonly db: number
  readonly resp: 2 | 3
  /** The server's time in ms since 1970. */
  readonly now: number
  /** Milliseconds until the deadline. */
  readonly timeoutMs: number
  readonly user: string
  readonly args: readonly Buffer[]
  /** The declared reads, a RESP value each. */
  readonly reads: readonly Buffer[]
}

export interface Result {
  readonly type: 'RESULT'
  readonly id: U64
  /** One of Outcome. */
  readonly outcome: number
  /** One RESP3 value; empty with the outcomes `again` and `continue`. */
  readonly reply: Buffer
  readonly commit?: readonly Argv[]
  readonly assumed?: readonly Buffer[]
}

export interface Cancel {
  readonly type: 'CANCEL'
  readonly id: U64
  readonly reason: CancelReason
}

export interface Call {
  readonly type: 'CALL'
  readonly id: U64
  /** A sum of CallFlag. */
  readonly flags: number
  readonly requestId: U64
  readonly plugin: string
  readonly db: number
  readonly commands: readonly Argv[]
}

export interface CallResult {
  readonly type: 'CALL_RESULT'
  readonly id: U64
  readonly refused: boolean
  readonly values: readonly Buffer[]
}

export interface Event {
  readonly type: 'EVENT'
  /** From 1 in each lane. */
  readonly sequence: U64
  readonly now: number
  readonly db: number
  readonly origin: EventOrigin
  readonly oldType: KeyType
  readonly oldLength: number
  readonly event: string
  readonly key: Buffer
  readonly subscriptions: readonly number[]
}

/** What happened to a client, the server or among plugins. */
export interface Notice {
  readonly type: 'NOTICE'
  /** Counted with the events of keys. */
  readonly sequence: U64
  readonly kind: Exclude<SubscriptionKind, 'keys'>
  readonly now: number
  readonly event: string
  readonly fields: Readonly<Record<string, Buffer>>
  readonly subscriptions: readonly number[]
}

/** An event that a plugin emits. */
export interface Emit {
  readonly type: 'EMIT'
  readonly plugin: string
  /** 1 to kMostHops. */
  readonly hops: number
  readonly event: string
  readonly format: PayloadFormat
  readonly payload: Buffer
}

export interface Gap {
  readonly type: 'GAP'
  readonly dropped: U64
}

/** What the host sends. */
export type HostMessage = Hello | Ping | Pong | Attach | Detach | Status | Routes | Result | Call | Emit
/** What the module sends. */
export type ModuleMessage =
  Welcome | Ping | Pong | State | Settings | Attached | RoutesRead | Invoke | Cancel | CallResult | Event | Notice | Gap
export type Message = HostMessage | ModuleMessage
