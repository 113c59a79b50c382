import type { Redis } from 'ioredis'

/** Runs the body with other settings (CONFIG SET), and puts back what they were. */
export async function withSettings<T>(
  client: Redis,
  settings: Readonly<Record<string, string | number>>,
  body: () => Promise<T>,
): Promise<T> {
  const before = await client.config('GET', ...Object.keys(settings))
  await client.config('SET', ...Object.entries(settings).flat())
  try {
    return await body()
  } finally {
    await client.config('SET', ...before)
  }
}
