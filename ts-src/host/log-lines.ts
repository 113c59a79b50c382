// Log lines as the module reads them from our standard output: `<N>name: text`, N being the syslog level.
import { format } from 'node:util'

/** Takes one line, without its line feed. */
export type LogSink = (line: string) => void

/** Beyond this the module would cut the line anyway. */
const kLongestLine = 4000
const kNotice = '<5>'

/** What `console.log` and its sisters of a plugin give: a notice in the plugin's name, or what their name says. */
export function consoleLine(name: string, method: string, args: readonly unknown[]): string {
  const level = method === 'error' ? '<3>' : method === 'warn' ? '<4>' : method === 'debug' ? '<7>' : kNotice
  return cutLine(`${level}${name}: ${oneLine(format(...args))}`)
}

/** A line that a plugin or a native library wrote to standard output by itself. */
export function plainLine(name: string, text: string): string {
  return cutLine(`${kNotice}${name}: ${oneLine(text)}`)
}

/**
 * Prevents a flood from a plugin: so many entries a second are let through, the rest is counted and told.
 *
 * @param tell makes the entry that tells of the others from a line of text
 */
export function limitRate<T>(
  send: (entry: T) => void,
  perSecond: number,
  tell: (line: string) => T,
  now: () => number = Date.now,
): (entry: T) => void {
  let second = 0
  let count = 0
  return (entry) => {
    const current = Math.floor(now() / 1000)
    if (current !== second) {
      const dropped = count - perSecond
      if (dropped > 0) send(tell(`<4>${dropped} log lines were dropped: more than ${perSecond} in a second`))
      second = current
      count = 0
    }
    if (++count <= perSecond) send(entry)
  }
}

/** Line breaks cannot be in a line; they are written as `\n`, as in a JSON string. */
export function oneLine(text: string): string {
  return text.replace(/\r\n|[\r\n]/g, '\\n')
}

/** Cuts a line to what the module takes. */
export function cutLine(line: string): string {
  return line.length <= kLongestLine ? line : `${line.slice(0, kLongestLine)}…`
}
