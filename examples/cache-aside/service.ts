/** The HTTP service that has the values. */

/** What the service said of a key. */
export type Answer =
  | { readonly kind: 'found'; readonly value: Buffer }
  | { readonly kind: 'absent' }
  /** It is not there, too slow, or says something else than 200 and 404. */
  | { readonly kind: 'timeout' | 'failed'; readonly reason: string }

const kMaxBytes = 1024 * 1024

/** Asks for `<url>?key=<key>`. Never throws, and ends after `timeoutMs` at the latest. */
export async function ask(url: URL, key: string, timeoutMs: number): Promise<Answer> {
  const target = new URL(url)
  target.searchParams.set('key', key)
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    // A redirection could lead the server's host anywhere.
    const response = await fetch(target, { signal, redirect: 'error' })
    if (response.status === 200) return { kind: 'found', value: await bodyOf(response) }
    await response.body?.cancel()
    return response.status === 404 ? { kind: 'absent' } : { kind: 'failed', reason: `status ${response.status}` }
  } catch (err) {
    return { kind: signal.aborted ? 'timeout' : 'failed', reason: String(err) }
  }
}

async function bodyOf(response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > kMaxBytes) throw new RangeError(`the service sent more than ${kMaxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
