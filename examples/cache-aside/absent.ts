/** Keys that the service does not have, for a short time: at most so many of them, the oldest go first. */
export class Absent {
  readonly #until = new Map<string, number>()

  constructor(private readonly most: number) {}

  has(key: string, now: number): boolean {
    const until = this.#until.get(key)
    if (until === undefined) return false
    if (until > now) return true
    this.#until.delete(key)
    return false
  }

  add(key: string, until: number): void {
    this.#until.delete(key) // so that it is the newest again
    this.#until.set(key, until)
    const [oldest] = this.#until.keys()
    if (this.#until.size > this.most && oldest !== undefined) this.#until.delete(oldest)
  }
}
