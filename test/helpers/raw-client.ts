// A client that shows the very bytes of replies: what other clients make of them is their affair.
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'

export type Words = readonly (string | Buffer)[]

interface Waiter {
  readonly end: Buffer
  readonly resolve: (bytes: Buffer) => void
  readonly reject: (error: Error) => void
}

export class RawClient implements Disposable {
  readonly #socket: Socket
  #chunks: Buffer[] = []
  #tail: Buffer = Buffer.alloc(0)
  #waiter: Waiter | undefined
  /** Resolves when the connection has ended, from either side. */
  readonly closed: Promise<void>

  private constructor(socket: Socket) {
    this.#socket = socket
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
    socket.on('error', () => undefined) // 'close' follows, which fails what waits
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.once('close', () => this.#waiter?.reject(new Error('the connection was closed before the reply')))
  }

  static async connect(port: number, resp: 2 | 3 = 2): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const client = new RawClient(socket)
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    if (resp === 3) await client.ask('HELLO', '3')
    return client
  }

  /** The bytes of the reply to one command. */
  async ask(...words: Words): Promise<Buffer> {
    return await this.askAll(words)
  }

  /** The same as text, one character a byte. */
  async text(...words: Words): Promise<string> {
    return (await this.askAll(words)).toString('latin1')
  }

  /** The bytes of the replies to commands that are sent at once. */
  async askAll(...commands: readonly Words[]): Promise<Buffer> {
    if (this.#waiter !== undefined) throw new Error('one question at a time')
    // The reply of ECHO with a word that nobody knows ends the replies; no need to understand them.
    const word = randomBytes(12).toString('hex')
    const replies = new Promise<Buffer>((resolve, reject) => {
      this.#waiter = { end: Buffer.from(`$${String(word.length)}\r\n${word}\r\n`), resolve, reject }
    })
    this.send(...commands, ['ECHO', word])
    try {
      return await replies
    } finally {
      this.#waiter = undefined
    }
  }

  /** Sends commands and waits for nothing; their replies stand before those of the next question. */
  send(...commands: readonly Words[]): void {
    this.#socket.write(Buffer.concat(commands.map(encodeCommand)))
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk)
    const { end, resolve } = this.#waiter ?? {}
    const recent = Buffer.concat([this.#tail, chunk])
    this.#tail = recent.subarray(-64)
    const at = end === undefined ? -1 : recent.indexOf(end)
    if (end === undefined || at < 0) return
    const all = Buffer.concat(this.#chunks)
    const before = all.length - recent.length + at
    // What the server pushes may come behind the last reply: it is for the next question.
    const rest = all.subarray(before + end.length)
    this.#chunks = [rest]
    this.#tail = rest.subarray(-64)
    resolve?.(all.subarray(0, before))
  }
}

function encodeCommand(words: Words): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${String(words.length)}\r\n`)]
  for (const word of words) {
    const bytes = Buffer.from(word)
    parts.push(Buffer.from(`$${String(bytes.length)}\r\n`), bytes, Buffer.from('\r\n'))
  }
  return Buffer.concat(parts)
}
