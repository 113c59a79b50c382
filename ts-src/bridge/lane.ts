// One lane: a connection to the module, used by one thread. Output is collected in `writer` and written once per chunk
// of input, or once per turn of the event loop for what comes in between.
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { ByteWriter } from './byte-writer.js'
import { FrameParser, type Frame } from './frame.js'
import {
  decodeFromModule,
  decodeInvoke,
  encodeMessage,
  kProtocolVersion,
  MessageType,
  type HostMessage,
  type Invoke,
  type LaneKind,
  type ModuleMessage,
  type ServerState,
  type Welcome,
} from './messages.js'
import { ProtocolError } from './protocol-error.js'

const kReadSlab = 64 * 1024
const kLeastRead = 16 * 1024
/** With more output than this waiting for the module, no further input is read. */
const kBacklog = 16 * 1024 * 1024
const kWelcomeTimeoutMs = 10_000

/** What a lane passes on; PING, PONG and WELCOME it deals with itself. */
export interface LaneHandler {
  onInvoke(invoke: Invoke): void
  onMessage(message: Exclude<ModuleMessage, { type: 'INVOKE' | 'WELCOME' | 'PING' | 'PONG' }>): void
}

export interface LaneOptions {
  /** Path of the module's socket; the file `token` lies beside it. */
  readonly socketPath: string
  readonly kind: LaneKind
  /** Shown by the module in its log and in INFO. */
  readonly label: string
}

/** Why a lane came to its end; `error` is missing when one of the two sides closed it in good order. */
export interface LaneEnd {
  readonly reason: string
  readonly error?: Error
}

/**
 * Connects to the module and says HELLO.
 *
 * @throws ProtocolError, or Node's error, when there is no connection, no WELCOME within 10 s or another protocol version
 */
export async function connectLane(options: LaneOptions): Promise<Lane> {
  const token = (await readFile(join(dirname(options.socketPath), 'token'), 'utf8')).trim()
  const lane = new Lane(options.socketPath)
  lane.send({
    type: 'HELLO',
    version: kProtocolVersion,
    kind: options.kind,
    pid: process.pid,
    label: options.label,
    token,
  })
  await lane.welcomed
  return lane
}

export class Lane {
  /** Where frames are written; call `schedule()` afterwards unless a message of this lane is being handled. */
  readonly writer = new ByteWriter()
  /** Fulfilled when the lane has ended; never rejected. */
  readonly closed: Promise<LaneEnd>
  /** Fulfilled with WELCOME; rejected when the lane ends before. */
  readonly welcomed: Promise<Welcome>

  private readonly socket: Socket
  private readonly parser = new FrameParser((frame) => this.onFrame(frame))
  private slab = Buffer.allocUnsafeSlow(kReadSlab)
  private used = 0
  private handler: LaneHandler | undefined
  private early: Frame[] = []
  private welcomeMessage: Welcome | undefined
  private serverState: ServerState = { primary: false, loading: true, shuttingDown: false }
  private serverValues: Readonly<Record<string, string>> = {}
  private inChunk = false
  private scheduled = false
  private ended = false
  private error: Error | undefined
  private readonly flushLater = (): void => {
    this.scheduled = false
    this.flush()
  }
  private readonly onWelcome: (welcome: Welcome) => void

  constructor(socketPath: string) {
    const { promise, resolve, reject } = withResolvers<Welcome>()
    this.welcomed = promise
    this.onWelcome = resolve
    this.socket = connect({
      path: socketPath,
      onread: { buffer: () => this.readBuffer(), callback: (count) => this.onRead(count) },
    })
    this.socket.on('drain', () => this.socket.resume())
    this.socket.on('error', (error) => (this.error ??= error))
    this.socket.on('end', () => this.socket.destroy())
    this.closed = new Promise((fulfil) => this.socket.once('close', () => fulfil(this.finish())))
    const timer = setTimeout(() => this.fail(new Error('the module sent no WELCOME within 10 s')), kWelcomeTimeoutMs)
    void this.closed.then((end) => reject(end.error ?? new Error(`the lane ended before WELCOME: ${end.reason}`)))
    promise.then(
      () => clearTimeout(timer),
      () => clearTimeout(timer),
    )
  }

  /** What the module said of itself in WELCOME. */
  get welcome(): Welcome {
    if (this.welcomeMessage === undefined) throw new Error('the lane has had no WELCOME yet; await lane.welcomed')
    return this.welcomeMessage
  }

  /** The values of WELCOME, as it or the last SETTINGS said. */
  get values(): Readonly<Record<string, string>> {
    return this.serverValues
  }

  /** The state of the server, as WELCOME or the last STATE said. */
  get state(): ServerState {
    return this.serverState
  }

  /** Bytes that wait for the module to read them. */
  get backlog(): number {
    return this.writer.length + this.socket.writableLength
  }

  /** True once nothing can be sent any more. */
  get isClosed(): boolean {
    return this.ended
  }

  /** Sets who gets the messages. Those that came since WELCOME are passed on now. */
  start(handler: LaneHandler): void {
    this.handler = handler
    const early = this.early
    this.early = []
    this.handling(() => early.forEach((frame) => this.dispatch(frame)))
  }

  send(message: HostMessage): void {
    encodeMessage(this.writer, message)
    this.schedule()
  }

  /** Has the writer's bytes sent at the end of this chunk of input or of this turn of the event loop. */
  schedule(): void {
    if (this.inChunk || this.scheduled) return
    this.scheduled = true
    // nextTick, not queueMicrotask: scheduled from a microtask it runs when all of them are done, so that the results of
    // all promises that one chunk has settled leave in one write.
    process.nextTick(this.flushLater)
  }

  /** Sends what is written now. */
  flush(): void {
    if (this.writer.length === 0) return
    const bytes = this.writer.take()
    if (!this.ended) this.socket.write(bytes)
  }

  /** Sends what is written, then ends the lane. */
  close(): void {
    this.flush()
    this.ended = true
    this.socket.end(() => this.socket.destroy())
  }

  private readBuffer(): Buffer {
    if (this.slab.length - this.used < kLeastRead) {
      this.slab = Buffer.allocUnsafeSlow(kReadSlab)
      this.used = 0
    }
    return this.slab.subarray(this.used)
  }

  private onRead(count: number): boolean {
    const chunk = this.slab.subarray(this.used, this.used + count)
    this.used += count
    this.handling(() => this.parser.push(chunk))
    return this.socket.writableLength <= kBacklog
  }

  /** Runs what handles input, then sends all that it wrote with one write. */
  private handling(work: () => void): void {
    this.inChunk = true
    try {
      work()
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.fail(error)
    } finally {
      this.inChunk = false
      this.flush()
    }
  }

  private onFrame(frame: Frame): void {
    if (this.ended) return
    if (this.welcomeMessage === undefined) this.onFirst(frame)
    else if (this.handler === undefined) this.early.push(frame)
    else this.dispatch(frame)
  }

  private onFirst(frame: Frame): void {
    const message = decodeFromModule(frame)
    if (message.type !== 'WELCOME') {
      throw new ProtocolError(
        'FERRITE_PROTOCOL_TYPE',
        `the first message of the module is ${message.type}, not WELCOME`,
      )
    }
    if (message.version !== kProtocolVersion) {
      throw new ProtocolError(
        'FERRITE_PROTOCOL_FIELD',
        `the module speaks version ${message.version} of the protocol, this host version ${kProtocolVersion}: install the same version of both`,
      )
    }
    this.welcomeMessage = message
    this.serverState = message.state
    this.serverValues = message.values
    this.onWelcome(message)
  }

  private dispatch(frame: Frame): void {
    const handler = this.handler as LaneHandler // only called once there is one
    if (frame.type === MessageType.INVOKE) return handler.onInvoke(decodeInvoke(frame))
    const message = decodeFromModule(frame)
    switch (message.type) {
      case 'PING':
        return encodeMessage(this.writer, { type: 'PONG', cookie: message.cookie })
      case 'PONG':
      case 'INVOKE':
        return
      case 'WELCOME':
        throw new ProtocolError('FERRITE_PROTOCOL_TYPE', 'the module sent a second WELCOME')
      case 'STATE':
        this.serverState = message.state
        return handler.onMessage(message)
      case 'SETTINGS':
        this.serverValues = { ...this.serverValues, ...message.values }
        return handler.onMessage(message)
      default:
        return handler.onMessage(message)
    }
  }

  private fail(error: Error): void {
    this.error ??= error
    this.ended = true
    this.socket.destroy()
  }

  private finish(): LaneEnd {
    this.ended = true
    const reason = this.error?.message ?? 'closed'
    return this.error === undefined ? { reason } : { reason, error: this.error }
  }
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve: (value: T) => void = () => undefined
  let reject: (error: Error) => void = () => undefined
  const promise = new Promise<T>((fulfil, refuse) => {
    resolve = fulfil
    reject = refuse
  })
  return { promise, resolve, reject }
}
