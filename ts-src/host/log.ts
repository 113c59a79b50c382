// Logging of the host: pino, with lines in the form that the module reads from our standard output (protocol page,
// Standard output of the host): `<N>name: message key=value …`.
import { format } from 'node:util'
import { pino, type Logger } from 'pino'
import { thrownStack } from './errors.js'

export type { Logger } from 'pino'

/** Takes one line, without its line feed. */
export type LogSink = (line: string) => void

/** Beyond this the module would cut the line anyway. */
const kLongestLine = 4000
const kNotice = '<5>'
/** `ferrite.log-level` to pino's levels. */
const kLevels: Readonly<Record<string, string>> = {
  debug: 'trace',
  verbose: 'debug',
  notice: 'info',
  warning: 'warn',
  nothing: 'silent',
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
      level: kLevels[options.level ?? 'notice'] ?? 'info',
      serializers: { err: thrownStack, error: thrownStack },
    },
    stream,
  )
}

/** What `console.log` and its sisters of a plugin give: a notice in the plugin's name, or what their name says. */
export function consoleLine(name: string, method: string, args: readonly unknown[]): string {
  const level = method === 'error' ? '<3>' : method === 'warn' ? '<4>' : method === 'debug' ? '<7>' : kNotice
  return cut(`${level}${name}: ${oneLine(format(...args))}`)
}

/** A line that a plugin or a native library wrote to standard output by itself. */
export function plainLine(name: string, text: string): string {
  return cut(`${kNotice}${name}: ${oneLine(text)}`)
}

/** Prevents a flood of lines from a plugin: so many a second are let through, the rest is counted and told. */
export function limitLines(sink: LogSink, perSecond: number, now: () => number = Date.now): LogSink {
  let second = 0
  let count = 0
  return (line) => {
    const current = Math.floor(now() / 1000)
    if (current !== second) {
      const dropped = count - perSecond
      if (dropped > 0) sink(`<4>${dropped} log lines were dropped: more than ${perSecond} in a second`)
      second = current
      count = 0
    }
    if (++count <= perSecond) sink(line)
  }
}

function toLine(name: string, json: string): string {
  const { level, msg, ...fields } = JSON.parse(json) as { level: number; msg?: string }
  const words = Object.entries(fields).map(([key, value]) => `${key}=${fieldText(value)}`)
  const text = [msg === undefined ? '' : oneLine(msg), ...words].filter((part) => part !== '').join(' ')
  return cut(`<${syslogLevel(level)}>${name === '' ? '' : `${name}: `}${text}`)
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

/** Line breaks cannot be in a line; they are written as `\n`, as in a JSON string. */
function oneLine(text: string): string {
  return text.replace(/\r\n|[\r\n]/g, '\\n')
}

function cut(line: string): string {
  return line.length <= kLongestLine ? line : `${line.slice(0, kLongestLine)}…`
}
