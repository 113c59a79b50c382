/** Evaluates the definition of a bundled plugin in a child process (inspect-child.ts), with a deadline. */

import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Permissions } from '../sdk/define-plugin.js'
import type { SettingSpec } from '../sdk/setting.js'
import { PluginBuildError } from './build-error.js'
import type { HookRoute } from './hook-route.js'
import type { ManifestCommand } from './manifest.js'
import type { NoticeHook } from './notice-hook.js'
import type { RuleRoute } from './rule-route.js'

/** What the definition says, as plain data. */
export interface InspectedPlugin {
  readonly name: string
  readonly version?: string
  readonly permissions?: Permissions
  readonly commands: readonly ManifestCommand[]
  readonly commandHooks: readonly HookRoute[]
  readonly keyHooks: readonly string[]
  readonly noticeHooks: readonly NoticeHook[]
  readonly timers: readonly string[]
  readonly rules: readonly RuleRoute[]
  readonly config: Readonly<Record<string, SettingSpec>>
}

/** The child's one message. */
export type InspectAnswer = { readonly plugin: InspectedPlugin } | { readonly problem: string }

const childFile = fileURLToPath(new URL('inspect-child.js', import.meta.url))
const mostOutput = 2000

function lastLines(output: string): string {
  const text = output.trim()
  return text === '' ? '' : `; it printed: ${text.slice(-mostOutput)}`
}

function collectOutput(child: ChildProcess): () => string {
  let output = ''
  const add = (chunk: Buffer): void => {
    output = (output + chunk.toString('utf8')).slice(-mostOutput)
  }
  child.stdout?.on('data', add)
  child.stderr?.on('data', add)
  return () => output
}

/** How the child ended without an answer. */
function describeEnd(code: number | null, signal: NodeJS.Signals | null, isLate: boolean, deadlineMs: number): string {
  if (isLate) return `its top-level code did not end within ${deadlineMs} ms: start work in setup(), not at import`
  return `the process that imported it ended before it was done (${signal ?? `exit code ${String(code)}`})`
}

/**
 * Imports a bundle in a child process and compiles what it exports.
 *
 * @param source for messages
 * @param file the bundle, an absolute path
 * @throws PluginBuildError: what is wrong with the definition, or that the import hung or died
 */
export function inspectBuilt(source: string, file: string, deadlineMs: number): Promise<InspectedPlugin> {
  return new Promise((resolve, reject) => {
    const child = fork(childFile, [file], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: ['--enable-source-maps'],
    })
    const output = collectOutput(child)
    let answer: InspectAnswer | undefined
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      child.kill('SIGKILL')
    }, deadlineMs)
    child.once('message', (message) => {
      answer = message as InspectAnswer // our own child sends nothing else
      child.kill('SIGKILL') // timers of the plugin would keep it alive
    })
    child.once('error', (cause) => {
      clearTimeout(timer)
      reject(new PluginBuildError(source, `cannot start a process to evaluate it: ${cause.message}`, { cause }))
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      if (answer !== undefined && 'plugin' in answer) resolve(answer.plugin)
      else {
        const problem = answer?.problem ?? describeEnd(code, signal, isLate, deadlineMs) + lastLines(output())
        reject(new PluginBuildError(source, problem))
      }
    })
  })
}
