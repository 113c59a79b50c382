// A peer in place of the host, for a server with ferrite.host-mode external: it can say what no host would say.
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { ByteWriter } from '#lib/bridge/byte-writer.js'
import { beginFrame, endFrame, FrameParser } from '#lib/bridge/frame.js'
import {
  decodeFromModule,
  encodeMessage,
  kProtocolVersion,
  type HostMessage,
  type LaneKind,
  type ModuleMessage,
} from '#lib/bridge/messages.js'
import { until, type TestServer } from '../helpers/index.js'

/** What the module's log says where its socket is. */
export async function socketPathOf(server: TestServer): Promise<string> {
  const line = await server.logged('FERRITE_SOCKET=')
  return line.replace(/.*FERRITE_SOCKET=/, '').trim()
}

export class RawPeer {
  readonly received: ModuleMessage[] = []
  isOpen = true
  readonly #writer = new ByteWriter()
  #reply: Buffer | undefined
  #hasEnded = false

  private constructor(
    readonly socketPath: string,
    private readonly socket: Socket,
  ) {
    const parser = new FrameParser((frame) => this.#onMessage(decodeFromModule(frame)))
    socket.on('data', (chunk) => parser.push(chunk))
    socket.on('error', () => undefined) // 'close' follows
    socket.on('end', () => (this.#hasEnded = true))
    socket.on('close', () => (this.isOpen = false))
  }

  /** Connects and says nothing. */
  static async connect(server: TestServer): Promise<RawPeer> {
    const path = await socketPathOf(server)
    // Half-open, so that a test decides which direction ends when.
    const socket = connect({ path, allowHalfOpen: true })
    let isConnected = false
    socket.once('connect', () => (isConnected = true))
    const peer = new RawPeer(path, socket)
    await until(() => isConnected || !peer.isOpen, { what: 'a connection to the bridge' })
    return peer
  }

  /** Connects, says HELLO and waits for WELCOME. */
  static async lane(server: TestServer, kind: LaneKind, label = 'raw'): Promise<RawPeer> {
    const peer = await RawPeer.connect(server)
    peer.send(await peer.hello(kind, label))
    await peer.next('WELCOME')
    return peer
  }

  async hello(kind: LaneKind, label = 'raw'): Promise<Extract<HostMessage, { type: 'HELLO' }>> {
    const token = (await readFile(join(dirname(this.socketPath), 'token'), 'utf8')).trim()
    return { type: 'HELLO', version: kProtocolVersion, kind, pid: process.pid, label, token }
  }

  send(...messages: readonly HostMessage[]): void {
    for (const message of messages) encodeMessage(this.#writer, message)
    this.socket.write(this.#writer.take())
  }

  /** A frame of any kind. */
  sendFrame(type: number, body: Buffer, options: { flags?: number; code?: number; id?: number } = {}): void {
    const at = beginFrame(this.#writer, type, options.flags ?? 0, options.code ?? 0, options.id ?? 0)
    this.#writer.raw(body)
    endFrame(this.#writer, at)
    this.socket.write(this.#writer.take())
  }

  sendBytes(bytes: Buffer): void {
    this.socket.write(bytes)
  }

  /** Serves commands: ATTACH and the module's answer. */
  async attach(
    plugin: string,
    ...commands: readonly string[]
  ): Promise<Extract<ModuleMessage, { type: 'ATTACHED' }>['problems']> {
    const id = this.received.length + 1
    const codes = commands.map((name, code) => ({ name, code }))
    this.send({ type: 'ATTACH', id, plugin, version: '1.0.0', commands: codes, subscriptions: [] })
    return (await this.next('ATTACHED', (message) => message.id === id)).problems
  }

  all<T extends ModuleMessage['type']>(type: T): Extract<ModuleMessage, { type: T }>[] {
    return this.received.filter((message): message is Extract<ModuleMessage, { type: T }> => message.type === type)
  }

  /** Waits for a message. */
  next<T extends ModuleMessage['type']>(
    type: T,
    matches: (message: Extract<ModuleMessage, { type: T }>) => boolean = () => true,
  ): Promise<Extract<ModuleMessage, { type: T }>> {
    return until(() => this.all(type).find(matches), { what: `${type} of the module` })
  }

  /** Answers every INVOKE from now on, with the bytes of one RESP value. */
  answerAll(reply: string): void {
    this.#reply = Buffer.from(reply)
  }

  /** Reads nothing any more. */
  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** Closes the sending direction. */
  halfClose(): void {
    this.socket.end()
  }

  /** Waits until the module has closed the connection. */
  async closed(): Promise<void> {
    if (this.#hasEnded) this.socket.destroy()
    this.socket.on('end', () => this.socket.destroy())
    await until(() => !this.isOpen, { what: 'the module to close the connection' })
  }

  end(): void {
    this.socket.destroy()
  }

  #onMessage(message: ModuleMessage): void {
    this.received.push(message)
    if (message.type !== 'INVOKE' || this.#reply === undefined) return
    this.send({ type: 'RESULT', id: message.id, outcome: 0, reply: this.#reply })
  }
}
