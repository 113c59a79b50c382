/** The text of the error that a promise rejects with; one that does not reject says so. */
export async function messageOf(promise: Promise<unknown>): Promise<string> {
  try {
    return `no error but ${JSON.stringify(await promise)}`
  } catch (err) {
    return err instanceof Error ? err.message : String(err)
  }
}
