/** The types of `ctx.redis` and `ctx.commit`: ioredis's, less what a plugin must not or cannot call. */

import type { RedisCommander } from 'ioredis'
import type { CommitResult } from './reply.js'

declare module 'ioredis/built/utils/RedisCommander.js' {
  // The parameters must be named as in ioredis for the declarations to merge.
  // eslint-disable-next-line @typescript-eslint/no-unused-vars
  interface ResultTypes<Result, Context> {
    /** Commands of a plugin's commit: the result exists only after the handler has returned. */
    ferriteCommit: CommitResult
    /** Commands of a plugin's pipeline or transaction: each returns the pipeline. */
    ferritePipeline: PluginPipeline
  }
}

/**
 * Commands that change or need the state of a connection, which a plugin does not have, or that take the server over.
 * Type errors on `ctx.redis`, refused when called all the same.
 */
export const connectionCommands = [
  'subscribe',
  'unsubscribe',
  'psubscribe',
  'punsubscribe',
  'ssubscribe',
  'sunsubscribe',
  'monitor',
  'select',
  'auth',
  'hello',
  'quit',
  'reset',
  'watch',
  'unwatch',
  'multi',
  'exec',
  'discard',
  'client',
  'readonly',
  'readwrite',
  'asking',
  'sync',
  'psync',
  'replconf',
  'replicaof',
  'slaveof',
  'failover',
  'module',
  'shutdown',
  'debug',
  'wait',
] as const

type ConnectionCommand = (typeof connectionCommands)[number]
type Refused = ConnectionCommand | `${ConnectionCommand}Buffer` | 'pipeline'

/** The result of one command in a pipeline: its error, or its reply. */
export type PipelineResult = readonly [error: Error | null, result: unknown]

/** Commands that are sent together. Nothing happens before `exec()`. */
export interface PluginPipeline extends Omit<RedisCommander<{ type: 'ferritePipeline' }>, Refused> {
  /** Number of commands so far. */
  readonly length: number
  /** Sends the commands; rejects only if they could not be sent, or a transaction was refused as a whole. */
  exec(): Promise<readonly PipelineResult[]>
}

/** Server commands as promises, with the method names and types of ioredis; replies have their RESP2 shapes. */
export interface PluginRedis extends Omit<RedisCommander<{ type: 'default' }>, Refused> {
  /** Several commands in one round trip; others may run in between. */
  pipeline(): PluginPipeline
  /** Several commands as one MULTI/EXEC, sent in one round trip. */
  multi(): PluginPipeline
}

/**
 * Commands that are run together with the reply, as one MULTI/EXEC, after the handler has returned; none is run if it
 * throws. What a method returns may stand in the reply in place of the command's own reply.
 */
export interface PluginCommit extends Omit<RedisCommander<{ type: 'ferriteCommit' }>, Refused> {
  /** Number of commands so far. */
  readonly length: number
}
