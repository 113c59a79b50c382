// What `ferrite start` asks a fresh server, and tells.
import type { Redis } from 'ioredis'

export interface PluginSummary {
  readonly name: string
  readonly version: string
  /** `active`, `failed`, …; `unavailable` while the host is not there. */
  readonly state: string
  /** Why it is in that state, if there is more to say. */
  readonly reason: string
}

/**
 * Waits until the host has connected and every plugin named has left the states in which it cannot answer yet. Resolves
 * to the plugins as they are then, or after `deadlineMs`.
 */
export async function waitForPlugins(
  client: Redis,
  names: readonly string[],
  deadlineMs = 15_000,
): Promise<readonly PluginSummary[]> {
  const deadline = performance.now() + deadlineMs
  for (;;) {
    const hasHost = await hasLanes(client)
    const plugins = await listPlugins(client)
    const settled = plugins.filter(({ state }) => !['unavailable', 'loading'].includes(state)).map(({ name }) => name)
    const isSettled = names.every((name) => settled.includes(name))
    if ((hasHost && isSettled) || performance.now() > deadline) return plugins
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
}

async function hasLanes(client: Redis): Promise<boolean> {
  const answer = await ask(client, 'FERRITE.PING')
  return !(answer instanceof Error) && Object.keys(fields(answer)).length > 0
}

async function listPlugins(client: Redis): Promise<readonly PluginSummary[]> {
  const answer = await ask(client, 'FERRITE.PLUGIN', 'LIST')
  // The host may end while it is asked; what it was is seen the next time.
  if (answer instanceof Error || !Array.isArray(answer)) return []
  return answer.map((one) => {
    const { name, version, state, reason } = fields(one)
    return { name: text(name), version: text(version), state: text(state).toLowerCase(), reason: text(reason) }
  })
}

/** One line per plugin: name, version, state. */
export function describePlugins(plugins: readonly PluginSummary[]): readonly string[] {
  if (plugins.length === 0) return ['plugins: none']
  return [
    'plugins:',
    ...plugins.map((one) => {
      const reason = one.reason === '' ? '' : ` (${one.reason})`
      return `  ${one.name} ${one.version} ${one.state}${reason}`
    }),
  ]
}

async function ask(client: Redis, command: string, ...args: readonly string[]): Promise<unknown> {
  try {
    return await client.call(command, ...args)
  } catch (err) {
    if (err instanceof Error && err.name === 'ReplyError') return err
    throw err
  }
}

/** A map, whether it came as one or, under RESP2, as a flat list. */
function fields(value: unknown): Record<string, unknown> {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, one]) => [text(key), one]))
  if (Array.isArray(value)) {
    const flat: readonly unknown[] = value
    return Object.fromEntries(flat.flatMap((key, i) => (i % 2 === 0 ? [[text(key), flat[i + 1]]] : [])))
  }
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : { name: value }
}

function text(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  return Buffer.isBuffer(value) ? value.toString('utf8') : ''
}
