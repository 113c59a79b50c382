// One worker thread from its start to its end, seen from the supervisor.
import { Worker } from 'node:worker_threads'
import { thrownStack, thrownText } from './errors.js'
import type { Beating, Heartbeat } from './heartbeat.js'
import { plainLine, type LogSink } from './log-lines.js'
import type { Logger } from './log.js'
import {
  kLaneEndedExit,
  type FromWorker,
  type PluginEventFigures,
  type ToWorker,
  type WorkerStart,
} from './worker-messages.js'

const kMiB = 1024 * 1024
/** So often in a row a worker must be above its limit: memory that is garbage already counts until it is collected. */
const kBeatsAboveLimit = 2
/** After a stop was asked for, the thread is ended by force this much later than it was allowed. */
const kStopGraceMs = 250

export interface WorkerLimits {
  /** Heap of the thread in MiB. */
  readonly heapMb: number
  /** Buffers and other memory outside the heap, in MiB. */
  readonly externalMb: number
  /** Milliseconds without an answer after which the thread is stuck. */
  readonly stuckMs: number
}

export interface WorkerMemory {
  readonly heapBytes: number
  readonly externalBytes: number
}

export interface PluginWorkerOptions {
  readonly start: WorkerStart
  readonly limits: WorkerLimits
  readonly heartbeat: Heartbeat
  readonly sink: LogSink
  /** The logger of a plugin. */
  readonly logOf: (plugin: string) => Logger
  readonly onMessage: (message: Extract<FromWorker, { type: 'active' | 'failed' }>) => void
  /** The thread has ended; `crash` says why, it is missing when the end was asked for. */
  readonly onEnd: (crash?: string) => void
}

export class PluginWorker implements Beating {
  private readonly worker: Worker
  private crash: string | undefined
  private stopping = false
  private started = 0
  private aboveLimit = 0
  private lastMemory: WorkerMemory = { heapBytes: 0, externalBytes: 0 }
  private lastEvents: PluginEventFigures = {}
  private readonly ended: Promise<void>

  constructor(private readonly options: PluginWorkerOptions) {
    const { start, limits, heartbeat } = options
    const { FERRITE_SOCKET: _, ...env } = process.env
    this.worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: start,
      name: start.label,
      resourceLimits: {
        maxOldGenerationSizeMb: limits.heapMb,
        maxYoungGenerationSizeMb: Math.min(32, limits.heapMb / 4),
      },
      env,
      stdout: true,
      stderr: true,
    })
    this.worker.on('message', (message: FromWorker) => this.onMessage(message))
    this.worker.on('error', (error: unknown) => this.onError(error))
    this.ended = new Promise((resolve) =>
      this.worker.once('exit', (code) => {
        this.onExit(code)
        resolve()
      }),
    )
    this.passOn(this.worker.stdout)
    this.passOn(this.worker.stderr)
    heartbeat.watch(this, limits.stuckMs)
  }

  /** What had become of events when it was last asked. */
  get events(): PluginEventFigures {
    return this.lastEvents
  }

  /** What the thread used when it was last asked. */
  get memory(): WorkerMemory {
    return this.lastMemory
  }

  get threadId(): number {
    return this.worker.threadId
  }

  ask(): void {
    this.post({ type: 'beat' })
  }

  stuck(ms: number): void {
    this.kill(
      `no answer for ${(ms / 1000).toFixed(0)} s: an endless loop, a call that blocks the thread, or a full heap`,
    )
  }

  /** Ends the thread at once; it counts as a crash. */
  kill(reason: string): void {
    this.crash ??= reason
    void this.worker.terminate()
  }

  /** Asks the plugins to end; after the deadline the thread is ended by force. */
  async stop(reason: string, deadlineMs: number, serverStops: boolean): Promise<void> {
    this.stopping = true
    this.post({ type: 'stop', reason, deadlineMs, serverStops })
    const timer = setTimeout(() => void this.worker.terminate(), deadlineMs + kStopGraceMs)
    await this.ended
    clearTimeout(timer)
  }

  private post(message: ToWorker): void {
    this.worker.postMessage(message)
  }

  private onMessage(message: FromWorker): void {
    if (message.type === 'log') this.options.sink(message.line)
    else if (message.type === 'entry') this.onEntry(message)
    else if (message.type === 'beat') this.onBeat(message)
    else this.onStarted(message)
  }

  /** From when all its plugins have started, the thread has no more time to answer than any other. */
  private onStarted(message: Extract<FromWorker, { type: 'active' | 'failed' }>): void {
    this.started++
    if (this.started === this.options.start.plugins.length) this.options.heartbeat.beat(this)
    this.options.onMessage(message)
  }

  private onEntry({ plugin, level, text, fields }: Extract<FromWorker, { type: 'entry' }>): void {
    const log = this.options.logOf(plugin)
    if (fields === undefined) log[level](text)
    else log[level](JSON.parse(fields) as object, text === '' ? undefined : text)
  }

  private onBeat(memory: Extract<FromWorker, { type: 'beat' }>): void {
    this.options.heartbeat.beat(this)
    this.lastEvents = memory.events
    this.lastMemory = { heapBytes: memory.heapBytes, externalBytes: memory.externalBytes }
    const limit = this.options.limits.externalMb
    this.aboveLimit = memory.externalBytes > limit * kMiB ? this.aboveLimit + 1 : 0
    if (this.aboveLimit < kBeatsAboveLimit) return
    const used = Math.round(memory.externalBytes / kMiB)
    this.kill(`out of memory: ${used} MiB outside the heap (Buffers), the limit is ${limit} MiB`)
  }

  private onError(error: unknown): void {
    const isOutOfMemory = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY'
    if (isOutOfMemory) this.crash ??= `out of memory: the heap's limit is ${this.options.limits.heapMb} MiB`
    else {
      this.crash ??= thrownText(error)
      this.options.sink(plainLine(this.options.start.label, thrownStack(error)).replace('<5>', '<3>'))
    }
  }

  private onExit(code: number): void {
    this.options.heartbeat.forget(this)
    if (this.stopping) return this.options.onEnd()
    const byItself = code === kLaneEndedExit ? 'its connection to the server ended' : `process.exit(${code}) was called`
    this.options.onEnd(this.crash ?? byItself)
  }

  /** Lines that something in the thread wrote to standard output by itself. */
  private passOn(stream: NodeJS.ReadableStream): void {
    let rest = ''
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > 4096) lines.push(rest.slice(0, 4096))
      if (rest.length > 4096) rest = ''
      for (const line of lines) if (line !== '') this.options.sink(plainLine(this.options.start.label, line))
    })
    stream.on('end', () => {
      if (rest !== '') this.options.sink(plainLine(this.options.start.label, rest))
    })
  }
}
