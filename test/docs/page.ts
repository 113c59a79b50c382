// A page of the documentation as something that can be run.
//
// Files are fenced blocks that begin with a comment that names them (`// greeter.ts`); they are written into a folder of
// the page. `console` blocks are sessions in that folder: a line `$ command`, then what it prints. In what it prints `…`
// stands for any text in a line, and a line of `…` alone for any lines. Plugins among the files are served by a server
// that is there when the first command runs.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { packageRoot } from '../helpers/index.js'

/** One fenced block. */
export interface Block {
  readonly language: string
  /** Number of the line with the fence, from 1. */
  readonly line: number
  readonly text: string
}

/** A command of a session, with what it is to print. */
export interface Step {
  readonly command: string
  readonly line: number
  readonly expected: readonly string[]
}

export interface PageFile {
  readonly name: string
  readonly text: string
  /** It exports a plugin. */
  readonly isPlugin: boolean
}

export interface Page {
  readonly name: string
  readonly files: readonly PageFile[]
  readonly steps: readonly Step[]
  /** Lines for redis.conf. */
  readonly configurations: readonly Block[]
  /** Blocks that nothing is known to do with. */
  readonly others: readonly Block[]
}

const named = /^\/\/ ([\w./-]+\.(?:ts|mts|js|mjs))\n/
/** Diagrams and tables of words: nothing to run. */
const notCode = ['text', 'mermaid']

/** Reads a page; `path` is relative to the clone. */
export async function readPage(path: string): Promise<Page> {
  const blocks = fencedBlocks(await readFile(join(packageRoot, path), 'utf8'))
  const isFile = (block: Block): boolean => named.test(block.text)
  const isSession = ({ language }: Block): boolean => language === 'console'
  const isConfiguration = ({ language }: Block): boolean => language === 'conf'
  const isKnown = (block: Block): boolean => isFile(block) || isSession(block) || isConfiguration(block)
  return {
    name: path,
    files: blocks.filter(isFile).map(({ text }) => ({
      name: named.exec(text)?.[1] ?? '',
      text,
      isPlugin: text.includes('export default definePlugin('),
    })),
    steps: blocks.filter(isSession).flatMap(stepsOf),
    configurations: blocks.filter(isConfiguration),
    others: blocks.filter((block) => !isKnown(block) && !notCode.includes(block.language)),
  }
}

function fencedBlocks(text: string): readonly Block[] {
  const blocks: Block[] = []
  let open: { language: string; line: number; lines: string[] } | undefined
  text.split('\n').forEach((line, at) => {
    const fence = /^```(\w*)$/.exec(line)
    if (fence === null) open?.lines.push(line)
    else if (open === undefined) open = { language: fence[1] ?? '', line: at + 1, lines: [] }
    else {
      blocks.push({ language: open.language, line: open.line, text: `${open.lines.join('\n')}\n` })
      open = undefined
    }
  })
  return blocks
}

function stepsOf({ text, line }: Block): readonly Step[] {
  const steps: { command: string; line: number; expected: string[] }[] = []
  text
    .trimEnd()
    .split('\n')
    .forEach((row, at) => {
      if (row.startsWith('$ ')) steps.push({ command: row.slice(2), line: line + at + 1, expected: [] })
      else steps.at(-1)?.expected.push(row)
    })
  return steps
}

/** Whether a program printed what the page says. */
export function matches(expected: readonly string[], printed: string): boolean {
  const lines = expected.map((line) => (line === '…' ? '(?:.*\n)*?' : `${lineSource(line)}\n`))
  return new RegExp(`^${lines.join('')}$`).test(printed === '' || printed.endsWith('\n') ? printed : `${printed}\n`)
}

function lineSource(line: string): string {
  return line
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*')
}
