// What `ferrite start` asks a fresh server, and tells.
import type { Redis } from 'ioredis'

const hostDeadlineMs = 15_000

/** Waits until the plugin host answers, so that what is printed next can be typed at once. */
export async function waitForHost(client: Redis): Promise<void> {
  const deadline = performance.now() + hostDeadlineMs
  while (performance.now() < deadline) {
    const answer = await ask(client, 'FERRITE.PING')
    // A module without that command has no host to wait for.
    if (!(answer instanceof Error) || !answer.message.startsWith('UNAVAILABLE')) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** One line per plugin: name, version, state. */
export async function describePlugins(client: Redis): Promise<readonly string[]> {
  const answer = await ask(client, 'FERRITE.PLUGIN', 'LIST')
  if (answer instanceof Error) return [`plugins: not known (${answer.message})`]
  const plugins = Array.isArray(answer) ? answer.map(fields) : []
  if (plugins.length === 0) return ['plugins: none']
  return [
    'plugins:',
    ...plugins.map((one) => `  ${['name', 'version', 'state'].map((key) => text(one[key])).join(' ')}`),
  ]
}

const samples: readonly (readonly [command: string, line: string])[] = [
  ['RATELIMIT.CHECK', 'RATELIMIT.CHECK login:alice 5 60000'],
  ['INDEX.ADD', 'INDEX.ADD docs readme "Plugins in TypeScript for stock servers"'],
  ['INDEX.SEARCH', 'INDEX.SEARCH docs plugin'],
  ['FERRITE.PLUGIN', 'FERRITE.PLUGIN LIST'],
  ['FERRITE.PING', 'FERRITE.PING'],
  ['INFO', 'INFO ferrite'],
  ['MODULE', 'MODULE LIST'],
  ['COMMAND', 'COMMAND LIST FILTERBY MODULE ferrite'],
  ['CONFIG', "CONFIG GET 'ferrite.*'"],
  ['PING', 'PING'],
]

/** Five commands that this server has. */
export async function suggestCommands(client: Redis): Promise<readonly string[]> {
  const answer = await ask(client, 'COMMAND', 'LIST')
  const known = new Set(Array.isArray(answer) ? answer.map((name) => text(name).toUpperCase()) : [])
  return samples
    .filter(([command]) => known.has(command))
    .slice(0, 5)
    .map(([, line]) => line)
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
