// Logging of the host: pino, with lines in the form that the module reads from our standard output (protocol page,
// Standard output of the host): `<N>name: message key=value …`. Main thread only: pino costs 2 MB a thread, so workers
// send their entries here (worker-log.ts).
import { pino, type Logger } from 'pino'
import { thrownStack } from './errors.js'
import { cutLine, oneLine, type LogSink } from './log-lines.js'

export type { Logger } from 'pino'

/** `ferrite.log-level` to pino's levels. */
const kLevels: Readonly<Record<string, string>> = {
  debug: 'trace',
  verbose: 'debug',
  notice: 'info',
  warning: 'warn',
}

export interface LoggerOptions {
  /** Whose lines they are: a plugin's name; empty for the host itself, which the module names. */
  readonly name: string
  /** A value of `ferrite.log-level`. @default 'notice' */
  readonly level?: string | undefined
  readonly sink: LogSink
}

/** A logger that writes one line an entry to the sink. */
export function createLogger(options: LoggerOptions): Logger {
  const { name, sink } = options
  const stream = { write: (json: string) => sink(toLine(name, json)) }
  return pino(
    {
      base: null,
      timestamp: false,
      level: levelOf(options.level),
      serializers: { err: thrownStack, error: thrownStack },
    },
    stream,
  )
}

/** Sets which entries a logger writes from now on, by a value of `ferrite.log-level`. */
export function setLevel(log: Logger, level: string | undefined): void {
  log.level = levelOf(level)
}

function levelOf(level = 'notice'): string {
  return kLevels[level] ?? 'info'
}

function toLine(name: string, json: string): string {
  const { level, msg, ...fields } = JSON.parse(json) as { level: number; msg?: string }
  const words = Object.entries(fields).map(([key, value]) => `${key}=${fieldText(value)}`)
  const text = [msg === undefined ? '' : oneLine(msg), ...words].filter((part) => part !== '').join(' ')
  return cutLine(`<${syslogLevel(level)}>${name === '' ? '' : `${name}: `}${text}`)
}

function fieldText(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"=]+$/.test(value)) return value
  return JSON.stringify(value)
}

function syslogLevel(level: number): number {
  if (level >= 50) return 3
  if (level >= 40) return 4
  return level >= 30 ? 6 : 7
}
