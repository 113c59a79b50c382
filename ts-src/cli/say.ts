/** Progress and complaints go to standard error, so that what a command prints can be used by a program. */
export function say(line: string): void {
  process.stderr.write(`ferrite: ${line}\n`)
}
