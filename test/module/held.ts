// Commands that wait at a gate of the plugin `gates`: a hook has been asked about them and has not answered.
import type { Redis } from 'ioredis'
import { messageOf, until } from '../helpers/index.js'

export interface Held {
  /** The reply as JSON after `no error but`, or the error's message. */
  readonly answer: Promise<string>
  /** Whether there is one already. */
  readonly isAnswered: () => boolean
}

/** Closes the gate that the command's key is, sends the command, and resolves when the hook has been asked about it. */
export async function hold(admin: Redis, client: Redis, gate: string, name: string, ...args: string[]): Promise<Held> {
  await admin.call('GATES.CLOSE', gate)
  let answered = false
  const answer = messageOf(client.call(name, ...args)).finally(() => (answered = true))
  await until(async () => (await admin.call('GATES.WAITING', gate)) === 1, { what: `${name} to wait at ${gate}` })
  return { answer, isAnswered: () => answered }
}

/** Answers for the hook: `deny CODE text`, `rewrite NAME args`, `reply text`; else the command may go on. */
export async function open(admin: Redis, gate: string, ...verdict: string[]): Promise<void> {
  const gone = await admin.call('GATES.OPEN', gate, ...verdict)
  if (gone !== 1) throw new Error(`expected one command at ${gate}, got ${String(gone)}`)
}
