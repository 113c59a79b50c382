// Writes log lines to a file descriptor without ever blocking the thread: the reader of our standard output is the
// server, which may be busy for seconds.
import { write } from 'node:fs'

const kMostWaiting = 1024 * 1024

/** Lines on their way to a pipe. While it is full they wait, up to 1 MiB; what does not fit is dropped and counted. */
export class LogWriter {
  private waiting: string[] = []
  private size = 0
  private dropped = 0
  private busy = false
  private onIdle: (() => void)[] = []

  constructor(private readonly fd: number) {}

  /** Takes a line, without its line feed. */
  readonly line = (text: string): void => {
    if (this.size + text.length > kMostWaiting) {
      this.dropped++
      return
    }
    this.waiting.push(text)
    this.size += text.length
    if (!this.busy) this.writeNext()
  }

  /** Fulfilled when every line taken so far is written, or nobody is left to read them. */
  flushed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.busy) this.onIdle.push(resolve)
      else resolve()
    })
  }

  private writeNext(): void {
    this.busy = true
    this.writeAll(Buffer.from(this.takeAll()))
  }

  private writeAll(bytes: Buffer): void {
    write(this.fd, bytes, (error, written) => {
      if (error !== null) return this.onError(error, bytes)
      if (written < bytes.length) return this.writeAll(bytes.subarray(written))
      if (this.waiting.length > 0) this.writeNext()
      else this.idle()
    })
  }

  private onError(error: NodeJS.ErrnoException, bytes: Buffer): void {
    if (error.code === 'EAGAIN') {
      setTimeout(() => this.writeAll(bytes), 10) // somebody made the pipe non-blocking and it is full
      return
    }
    this.waiting = [] // the reader has gone: there is nobody left to tell
    this.size = 0
    this.idle()
  }

  private idle(): void {
    this.busy = false
    const told = this.onIdle
    this.onIdle = []
    for (const resolve of told) resolve()
  }

  private takeAll(): string {
    if (this.dropped > 0) this.waiting.push(`<4>${this.dropped} log lines were dropped, nobody read them in time`)
    const text = this.waiting.map((line) => `${line}\n`).join('')
    this.waiting = []
    this.size = 0
    this.dropped = 0
    return text
  }
}
