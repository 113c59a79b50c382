// The module's side of the bridge protocol over a real unix socket: what docs/design/bridge-protocol.md demands of a
// module, no more. The tests of the host run against it; the real module has tests of its own against real servers.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ByteWriter } from '#lib/bridge/byte-writer.js'
import { FrameParser } from '#lib/bridge/frame.js'
import {
  decodeFromHost,
  encodeMessage,
  InvokeFlag,
  type Argv,
  type Attach,
  type Call,
  type HostMessage,
  type Invoke,
  type LaneKind,
  type ModuleMessage,
  type Result,
  type ServerState,
} from '#lib/bridge/messages.js'
import { decodeResp, encodeResp, type RespError, type RespValue } from '#lib/bridge/resp.js'
import { until } from '../helpers/until.js'

const kPrimary: ServerState = { primary: true, loading: false, shuttingDown: false }

type Problems = Extract<ModuleMessage, { type: 'ROUTES_READ' }>['problems']

/** What an INVOKE of a test may say; the rest has defaults. */
export interface InvokeOptions {
  flags?: number
  clientId?: number
  db?: number
  resp?: 2 | 3
  now?: number
  timeoutMs?: number
  user?: string
  reads?: readonly RespValue[]
}

/** A RESULT with its reply decoded. */
export interface Answer {
  outcome: number
  reply: RespValue
  commit: readonly (readonly string[])[] | undefined
  assumed: readonly RespValue[] | undefined
}

/** What the peer answers to one command of a CALL. */
export type CallAnswer = (argv: readonly string[], call: Call) => RespValue

export interface PeerOptions {
  /** What the module makes of the route table: a problem of no command is one of the whole table. */
  routesProblems?: Problems
  values?: Record<string, string>
  state?: ServerState
}

export class ModulePeer {
  readonly lanes: PeerLane[] = []
  readonly token = 'f'.repeat(64)
  state: ServerState
  /** Calls are not answered while this is set. */
  holdsCalls = false
  /** Calls are refused as a whole with this. */
  refusal: RespError | undefined
  readonly routesProblems: Problems
  /** Answers the commands of calls. */
  onCall: CallAnswer = ([name]) => `${name ?? ''} done`

  private constructor(
    readonly folder: string,
    private readonly server: Server,
    readonly values: Record<string, string>,
    options: PeerOptions,
  ) {
    this.state = options.state ?? kPrimary
    this.routesProblems = options.routesProblems ?? []
    server.on('connection', (socket) => this.lanes.push(new PeerLane(this, socket)))
  }

  static async listen(options: PeerOptions = {}): Promise<ModulePeer> {
    const folder = await mkdtemp(join(tmpdir(), 'ferrite-peer-'))
    const server = createServer()
    const peer = new ModulePeer(folder, server, { 'log-level': 'debug', ...options.values }, options)
    await writeFile(join(folder, 'token'), peer.token, { mode: 0o600 })
    await new Promise<void>((resolve) => server.listen(peer.socketPath, resolve))
    return peer
  }

  get socketPath(): string {
    return join(this.folder, 's')
  }

  /** The open lane of a kind whose label is this; waits for it. */
  lane(kind: LaneKind, label?: string): Promise<PeerLane> {
    return until(
      () =>
        this.lanes.find((lane) => lane.isOpen && lane.kind === kind && (label === undefined || lane.label === label)),
      { what: `a lane ${kind} ${label ?? ''}` },
    )
  }

  /** The lane that serves a command now; waits for its ATTACH. */
  serving(command: string): Promise<PeerLane> {
    return until(() => this.lanes.find((lane) => lane.isOpen && lane.codeOf(command) !== undefined), {
      what: `a lane that serves ${command}`,
    })
  }

  /** Sends every lane a STATE. */
  setState(state: Partial<ServerState>): void {
    this.state = { ...kPrimary, ...state }
    for (const lane of this.lanes) if (lane.isOpen) lane.send({ type: 'STATE', state: this.state })
  }

  async close(): Promise<void> {
    for (const lane of this.lanes) lane.end()
    await new Promise((resolve) => this.server.close(resolve))
    await rm(this.folder, { recursive: true })
  }
}

export class PeerLane {
  kind: LaneKind | undefined
  label = ''
  isOpen = true
  /** Everything that came, in its order. */
  readonly received: HostMessage[] = []
  /** Chunks that came: how often the host wrote, about. */
  chunks = 0
  private readonly codes = new Map<string, number>()
  private readonly writer = new ByteWriter()
  private lastId = 0

  constructor(
    private readonly peer: ModulePeer,
    private readonly socket: Socket,
  ) {
    const parser = new FrameParser((frame) => this.onMessage(decodeFromHost(frame)))
    socket.on('data', (chunk) => {
      this.chunks++
      parser.push(chunk)
    })
    socket.on('error', () => undefined) // 'close' follows
    socket.on('close', () => (this.isOpen = false))
  }

  codeOf(command: string): number | undefined {
    return this.codes.get(command)
  }

  attached(plugin: string): Attach | undefined {
    return this.all('ATTACH').find((message) => message.plugin === plugin)
  }

  all<T extends HostMessage['type']>(type: T): Extract<HostMessage, { type: T }>[] {
    return this.received.filter((message): message is Extract<HostMessage, { type: T }> => message.type === type)
  }

  /** Waits for a message. */
  next<T extends HostMessage['type']>(
    type: T,
    matches: (message: Extract<HostMessage, { type: T }>) => boolean = () => true,
  ): Promise<Extract<HostMessage, { type: T }>> {
    return until(() => this.all(type).find(matches), { what: `${type} of the host` })
  }

  /** Sends messages with one write. */
  send(...messages: readonly ModuleMessage[]): void {
    for (const message of messages) encodeMessage(this.writer, message)
    this.socket.write(this.writer.take())
  }

  sendBytes(bytes: Buffer): void {
    this.socket.write(bytes)
  }

  /** An INVOKE, ready to be sent. */
  invokeOf(command: string, args: readonly (string | Buffer)[], options: InvokeOptions = {}): Invoke {
    const code = this.codeOf(command)
    if (code === undefined) throw new Error(`the lane ${this.label} does not serve ${command}`)
    return {
      type: 'INVOKE',
      id: ++this.lastId,
      code,
      flags: options.flags ?? 0,
      clientId: options.clientId ?? 7,
      db: options.db ?? 0,
      resp: options.resp ?? 3,
      now: options.now ?? Date.now(),
      timeoutMs: options.timeoutMs ?? 60_000,
      user: options.user ?? 'default',
      args: args.map((arg) => Buffer.from(arg as string)),
      reads: (options.reads ?? []).map(bytesOf),
    }
  }

  /** Runs a command and waits for its RESULT. */
  async invoke(command: string, args: readonly (string | Buffer)[] = [], options: InvokeOptions = {}): Promise<Answer> {
    const [answer] = await this.answers(this.invokeOf(command, args, options))
    return answer as Answer // one INVOKE, one answer
  }

  /** Sends INVOKEs as one batch, all but the last one chained, and waits for all RESULTs. */
  batch(invokes: readonly Invoke[]): Promise<Answer[]> {
    const last = invokes.length - 1
    return this.answers(
      ...invokes.map((invoke, index) => ({
        ...invoke,
        flags: invoke.flags | InvokeFlag.guarded | (index === last ? 0 : InvokeFlag.chained),
      })),
    )
  }

  /** Sends INVOKEs with one write and waits for their RESULTs. */
  async answers(...invokes: readonly Invoke[]): Promise<Answer[]> {
    this.send(...invokes)
    return Promise.all(invokes.map(async ({ id }) => answerOf(await this.next('RESULT', (result) => result.id === id))))
  }

  end(): void {
    this.socket.destroy()
  }

  private onMessage(message: HostMessage): void {
    this.received.push(message)
    switch (message.type) {
      case 'HELLO':
        return this.onHello(message)
      case 'ATTACH':
        for (const { name, code } of message.commands) this.codes.set(name, code)
        return this.send({ type: 'ATTACHED', id: message.id, problems: [] })
      case 'ROUTES':
        return this.send({ type: 'ROUTES_READ', id: message.id, problems: this.peer.routesProblems })
      case 'CALL':
        return this.onCall(message)
      default: // looked at by tests
    }
  }

  private onHello(hello: Extract<HostMessage, { type: 'HELLO' }>): void {
    if (hello.token !== this.peer.token) return void this.socket.destroy()
    this.kind = hello.kind
    this.label = hello.label
    const { state, values } = this.peer
    this.send({ type: 'WELCOME', version: 1, lane: this.peer.lanes.indexOf(this) + 1, state, values })
  }

  private onCall(call: Call): void {
    const { holdsCalls, refusal } = this.peer
    if (holdsCalls) return
    if (refusal !== undefined) {
      return this.send({ type: 'CALL_RESULT', id: call.id, refused: true, values: [bytesOf(refusal)] })
    }
    const values = call.commands.map((argv) => bytesOf(this.peer.onCall(argv.map(String), call)))
    this.send({ type: 'CALL_RESULT', id: call.id, refused: false, values })
  }
}

export function bytesOf(value: RespValue): Buffer {
  const writer = new ByteWriter()
  encodeResp(writer, value)
  return writer.take()
}

function answerOf(result: Result): Answer {
  return {
    outcome: result.outcome,
    reply: result.reply.length === 0 ? null : readable(decodeResp(result.reply, { slots: true })),
    commit: result.commit?.map((argv: Argv) => argv.map(String)),
    assumed: result.assumed?.map((value) => readable(decodeResp(value))),
  }
}

/** Bulk strings as text, which is easier to compare. */
function readable(value: RespValue): RespValue {
  if (Buffer.isBuffer(value)) return value.toString()
  return Array.isArray(value) ? value.map(readable) : value
}
