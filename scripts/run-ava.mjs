// Runs ava and counts: its TAP is turned into one line a test, failures with their details.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { rootFolder } from './library.mjs'
import { node } from './sources.mjs'

/** Resolves to the numbers of passed and failed tests; skipped ones are printed and count as neither. */
export async function runAva(args) {
  const child = spawn(process.execPath, [node('ava/entrypoints/cli.mjs'), '--tap', ...args], {
    cwd: rootFolder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? -1))
  })
  const count = { passed: 0, failed: 0, skipped: 0 }
  for await (const line of createInterface({ input: child.stdout })) {
    const text = present(line, count)
    if (text !== undefined) console.log(text)
  }
  const code = await ended
  if (count.skipped > 0) console.log(`${count.skipped} skipped`)
  // No tests at all, or a crash of ava itself, is a failure too.
  if (code !== 0 && count.failed === 0) {
    console.log(`not ok - ava ended with status ${code} without naming a failed test`)
    count.failed = 1
  }
  return count
}

function present(line, count) {
  const match = /^(not ok|ok) \d+ - (.*?)( # (SKIP|TODO).*)?$/.exec(line)
  if (match === null) return /^(TAP version|1\.\.\d|# (tests|pass|fail|skip) |# \S|#?$)/.test(line) ? undefined : line
  const [, verdict, title, , directive] = match
  if (directive !== undefined) {
    count.skipped++
    return `skipped - ${title}`
  }
  if (verdict === 'ok') count.passed++
  else count.failed++
  return `${verdict} - ${title}`
}
