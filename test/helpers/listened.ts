import type { Redis } from 'ioredis'
import { until } from './until.js'

/** An event as the plugin `listener` has kept it. */
export type Listened = Readonly<Record<string, unknown>> & { readonly type: string; readonly dropped: number }

/** Takes from a hook of the plugin `listener` what it has seen since the last time. */
export async function listened(client: Redis, hook: string): Promise<readonly Listened[]> {
  const items = (await client.call('LISTENER.SEEN', hook)) as readonly string[]
  return items.map((item) => JSON.parse(item) as Listened)
}

/** Takes what a hook has seen, until `enough` holds of all that has come. */
export async function untilListened(
  client: Redis,
  hook: string,
  enough: (seen: readonly Listened[]) => boolean,
): Promise<readonly Listened[]> {
  const seen: Listened[] = []
  const look = async (): Promise<boolean> => {
    seen.push(...(await listened(client, hook)))
    return enough(seen)
  }
  try {
    await until(look, { what: `events for the hook ${hook}` })
  } catch (err) {
    throw new Error(`${String(err)}; seen: ${JSON.stringify(seen)}`, { cause: err })
  }
  return seen
}
