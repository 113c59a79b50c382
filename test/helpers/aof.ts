import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The commands in the append-only file of a data folder, in their order; every word as text, one character a byte. */
export async function readAof(folder: string): Promise<readonly (readonly string[])[]> {
  const directory = join(folder, 'appendonlydir')
  const files = (await readdir(directory)).filter((name) => name.endsWith('.aof') && name.includes('.incr.'))
  const commands: string[][] = []
  for (const file of files.sort()) commands.push(...parseCommands(await readFile(join(directory, file), 'latin1')))
  return commands
}

function parseCommands(text: string): string[][] {
  const commands: string[][] = []
  let at = 0
  const line = (): string => {
    const end = text.indexOf('\r\n', at)
    if (end < 0) throw new Error(`the append-only file ends within a line at ${String(at)}`)
    const content = text.slice(at, end)
    at = end + 2
    return content
  }
  while (at < text.length) {
    const head = line()
    if (head.startsWith('#')) continue // an annotation such as a time stamp
    if (!head.startsWith('*'))
      throw new Error(`expected a command in the append-only file at ${String(at)}, got ${head}`)
    const words: string[] = []
    for (let left = Number(head.slice(1)); left > 0; left--) {
      const length = Number(line().slice(1))
      words.push(text.slice(at, at + length))
      at += length + 2
    }
    commands.push(words)
  }
  return commands
}
