// ctx.redis: the methods of ioredis over CALL messages. Only ioredis's Command is used, for its treatment of arguments
// and replies; it is loaded when a plugin uses ctx.redis for the first time (the whole client would cost 6 MB a worker).
import { createRequire } from 'node:module'
import type { Command as CommandClass } from 'ioredis'
import { CallFlag, type Argv } from '../bridge/messages.js'
import { RespError, RespMap, RespSet, RespSlot, RespVerbatim, type RespValue } from '../bridge/resp.js'
import { connectionCommands } from '../sdk/redis-types.js'
import type { Caller, Calls } from './calls.js'
import { commandMethods } from './command-methods.js'
import { HostError } from './errors.js'
import { ServerError } from './server-error.js'

type Command = InstanceType<typeof CommandClass>
type Callback = (error: Error | null, result?: unknown) => void
/** What an ioredis pipeline or transaction gives: error and reply of each command. */
export type ExecResult = [error: Error | null, result: unknown][]

/** What to do instead of a command that only has a meaning for a connection of one's own. */
const kAdvice: Readonly<Record<string, string>> = {
  subscribe: 'use onKey hooks for key events, or a client of your own for pub/sub',
  psubscribe: 'use onKey hooks for key events, or a client of your own for pub/sub',
  select: 'calls run in the database of the request',
  auth: 'calls run as the user of the request; ctx.asPlugin has the rights of the plugin',
  hello: 'the protocol of a call is fixed; ctx.call gives RESP3 values',
  watch: 'declare reads and retryOnChange, which do the same',
  multi: 'use ctx.redis.multi(), which sends everything at once with exec()',
  exec: 'use ctx.redis.multi(), which sends everything at once with exec()',
  discard: 'use ctx.redis.multi(), which sends nothing before exec()',
}
const kRefused: ReadonlySet<string> = new Set(connectionCommands)

let commandClass: typeof CommandClass | undefined

function loadCommand(): typeof CommandClass {
  if (commandClass !== undefined) return commandClass
  const loaded = createRequire(import.meta.url)('ioredis/built/Command.js') as { default: typeof CommandClass }
  return (commandClass = loaded.default)
}

/** The lane's calls and on whose behalf they are made: symbols, so that no command's name can collide with them. */
const kCalls = Symbol('calls')
const kCaller = Symbol('caller')
const kCommands = Symbol('commands')
const kFlags = Symbol('flags')

/** ctx.redis. Has a method for every command and its `…Buffer` variant, as ioredis has. */
export class RedisClient {
  readonly [kCalls]: Calls
  readonly [kCaller]: Caller

  constructor(calls: Calls, caller: Caller) {
    this[kCalls] = calls
    this[kCaller] = caller
  }

  /** Any command by its name; the reply as text. */
  call(name: string, ...args: unknown[]): Promise<unknown> {
    return run(this, name, args, 'utf8')
  }

  /** Any command by its name; the reply as bytes. */
  callBuffer(name: string, ...args: unknown[]): Promise<unknown> {
    return run(this, name, args, null)
  }

  /** Commands that are sent together, one after the other. */
  pipeline(commands?: readonly (readonly unknown[])[]): RedisPipeline {
    return new RedisPipeline(this[kCalls], this[kCaller], 0).addBatch(commands ?? [])
  }

  /** Commands that are run as one MULTI/EXEC; nothing is sent before `exec()`. */
  multi(commands?: readonly (readonly unknown[])[] | { pipeline?: boolean }): RedisPipeline {
    if (commands !== undefined && !Array.isArray(commands)) {
      throw new HostError(
        'FERRITE_CALL_REFUSED',
        'multi() takes no options here: all is sent with exec(), in one frame',
      )
    }
    const batch = (commands ?? []) as readonly (readonly unknown[])[]
    return new RedisPipeline(this[kCalls], this[kCaller], CallFlag.atomic).addBatch(batch)
  }
}

/** `pipeline()` and `multi()`: queues commands; `exec()` sends them in one frame. */
export class RedisPipeline {
  readonly [kCalls]: Calls
  readonly [kCaller]: Caller
  readonly [kFlags]: number;
  [kCommands]: Command[] = []

  constructor(calls: Calls, caller: Caller, flags: number) {
    this[kCalls] = calls
    this[kCaller] = caller
    this[kFlags] = flags
  }

  /** Commands queued so far. */
  get length(): number {
    return this[kCommands].length
  }

  call(name: string, ...args: unknown[]): this {
    return queue(this, name, args, 'utf8')
  }

  callBuffer(name: string, ...args: unknown[]): this {
    return queue(this, name, args, null)
  }

  /** Queues `[['set', 'a', '1'], ['get', 'a']]`. */
  addBatch(commands: readonly (readonly unknown[])[]): this {
    for (const [name, ...args] of commands) queueByMethod(this, String(name), args)
    return this
  }

  /**
   * Sends the queued commands. Fulfilled with error and reply of each; rejected when the server refused all of them.
   */
  async exec(callback?: (error: Error | null, result?: ExecResult) => void): Promise<ExecResult> {
    const execution = execute(this)
    if (callback !== undefined) {
      execution.then(
        (result) => callback(null, result),
        (error: unknown) => callback(error as Error),
      )
    }
    return execution
  }
}

Object.setPrototypeOf(
  RedisClient.prototype,
  commandMethods((name) => {
    const [command, encoding] = parseMethod(name)
    return function (this: RedisClient, ...args: unknown[]): Promise<unknown> {
      return run(this, command, args, encoding)
    }
  }),
)

Object.setPrototypeOf(
  RedisPipeline.prototype,
  commandMethods((name) => {
    const [command, encoding] = parseMethod(name)
    return function (this: RedisPipeline, ...args: unknown[]): RedisPipeline {
      return queue(this, command, args, encoding)
    }
  }),
)

async function run(client: RedisClient, name: string, args: unknown[], encoding: 'utf8' | null): Promise<unknown> {
  const command = makeCommand(name, args, encoding)
  settle(command, client[kCalls].send(client[kCaller], [argvOf(command)], 0))
  return command.promise
}

function settle(command: Command, sent: Promise<RespValue[]>): void {
  sent.then(
    (values) => settleWith(command, values[0] ?? null),
    (error: unknown) => command.reject(error as Error),
  )
}

/** Resolves or rejects the command; its own transformers give the reply the shape that ioredis gives it. */
function settleWith(command: Command, value: RespValue): void {
  const reply = toRedisReply(value, command)
  if (reply instanceof Error) command.reject(reply)
  else command.resolve(reply)
}

async function execute(pipeline: RedisPipeline): Promise<ExecResult> {
  const commands = pipeline[kCommands]
  pipeline[kCommands] = []
  if (commands.length === 0) return []
  const sent = pipeline[kCalls].send(pipeline[kCaller], commands.map(argvOf), pipeline[kFlags])
  // Every command has a promise of its own, which nobody has asked for: what it says is in the list as well.
  for (const command of commands) void command.promise.catch(() => undefined)
  let values: RespValue[]
  try {
    values = await sent
  } catch (error) {
    for (const command of commands) command.reject(error as Error)
    throw error
  }
  return Promise.all(commands.map((command, index) => outcomeOf(command, values[index] ?? null)))
}

async function outcomeOf(command: Command, value: RespValue): Promise<ExecResult[number]> {
  settleWith(command, value)
  try {
    return [null, await command.promise]
  } catch (error) {
    return [error as Error, undefined]
  }
}

function queue<P extends RedisPipeline>(pipeline: P, name: string, args: unknown[], encoding: 'utf8' | null): P {
  pipeline[kCommands].push(makeCommand(name, args, encoding))
  return pipeline
}

function queueByMethod(pipeline: RedisPipeline, method: string, args: unknown[]): void {
  const [name, encoding] = parseMethod(method)
  queue(pipeline, name, args, encoding)
}

/** `getBuffer` is GET with the reply as bytes. */
function parseMethod(method: string): [name: string, encoding: 'utf8' | null] {
  const isBuffer = method.length > 6 && method.endsWith('Buffer')
  return isBuffer ? [method.slice(0, -6), null] : [method, 'utf8']
}

function makeCommand(name: string, args: unknown[], encoding: 'utf8' | null): Command {
  const lower = name.toLowerCase()
  if (kRefused.has(lower)) {
    const advice = kAdvice[lower] ?? 'it changes or needs a connection of its own, or takes the server over'
    throw new HostError('FERRITE_CALL_REFUSED', `${name.toUpperCase()} cannot be called from a plugin: ${advice}`)
  }
  const callback = typeof args.at(-1) === 'function' ? (args.pop() as Callback) : undefined
  return new (loadCommand())(lower, args as never[], { replyEncoding: encoding }, callback as never)
}

function argvOf(command: Command): Argv {
  return [command.name.toUpperCase(), ...(command.args as (Buffer | string)[])]
}

/** A RESP2-shaped value as ioredis's own parser would give it: bytes, numbers, arrays and Errors. */
function toRedisReply(value: RespValue, command: Command): unknown {
  if (value === null || Buffer.isBuffer(value)) return value
  if (typeof value === 'string') return Buffer.from(value)
  if (typeof value === 'number' || typeof value === 'bigint') return toRedisNumber(value)
  if (typeof value === 'boolean') return value ? 1 : 0
  if (value instanceof RespError) return serverError(value, command)
  if (value instanceof RespVerbatim) return value.text
  if (value instanceof RespMap) return value.entries.flat().map((item) => toRedisReply(item, command))
  if (value instanceof RespSlot) return null // decodeResp gives none here
  return (value instanceof RespSet ? value.items : value).map((item) => toRedisReply(item, command))
}

/** As ioredis: integers are numbers (exact to 2^53), doubles are text. */
function toRedisNumber(value: number | bigint): unknown {
  return Number.isInteger(value) || typeof value === 'bigint' ? Number(value) : Buffer.from(String(value))
}

function serverError(error: RespError, command: Command): ServerError {
  return new ServerError(error, { name: command.name, args: command.args })
}
