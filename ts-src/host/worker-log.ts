// ctx.log in a worker thread: entries are sent to the main thread, where pino writes them.
import type { LogMethod, Logger } from '../sdk/context.js'
import { thrownStack } from './errors.js'
import type { FromWorker } from './worker-messages.js'

export const kLogMethods = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof kLogMethods)[number]

/** The lowest level that each value of `ferrite.log-level` lets through. */
const kLowest: Readonly<Record<string, number>> = { debug: 0, verbose: 0, notice: 1, warning: 2 }

/** A plugin's logger. Entries below the server's level go nowhere. */
export function createWorkerLogger(
  plugin: string,
  serverLevel: () => string | undefined,
  post: (entry: Extract<FromWorker, { type: 'entry' }>) => void,
): Logger {
  const method = (level: LogLevel): LogMethod => {
    const rank = kLogMethods.indexOf(level)
    return (first: object | string, second?: string) => {
      if (rank < (kLowest[serverLevel() ?? 'notice'] ?? 1)) return
      if (typeof first === 'string') post({ type: 'entry', plugin, level, text: first })
      else post({ type: 'entry', plugin, level, text: second ?? '', fields: fieldsText(first) })
    }
  }
  return { debug: method('debug'), info: method('info'), warn: method('warn'), error: method('error') }
}

/** Fields as JSON: Errors as their stacks, bigints as text. */
function fieldsText(fields: object): string {
  const seen = fields instanceof Error ? { err: fields } : fields
  try {
    return JSON.stringify(seen, (_key, value: unknown) => {
      if (value instanceof Error) return thrownStack(value)
      return typeof value === 'bigint' ? String(value) : value
    })
  } catch (error) {
    return JSON.stringify({ fields: `cannot be written: ${thrownStack(error)}` })
  }
}
