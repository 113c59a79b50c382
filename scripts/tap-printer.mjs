// ava's TAP as one line a test, failures with their details: those of one test together, and not too many lines of them.

const mostLines = 150
const mostColumns = 500

export class TapPrinter {
  /** The title of the test that ended last. */
  last = 'its start'
  /** Failures of this ava alone. */
  failed = 0
  #prefix
  #count
  #rest = ''
  /** The lines of a failure, until it is complete. */
  #failure = []

  /** @param count the numbers of tests that passed, failed and were skipped, of all printers */
  constructor(prefix, count) {
    this.#prefix = prefix
    this.#count = count
  }

  /** Takes a piece of output; whether a test has ended in it. */
  write(text) {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()
    const before = this.last
    for (const line of lines) this.#line(line)
    return this.last !== before
  }

  end() {
    this.#line(this.#rest)
    this.#flush()
  }

  /** A failure that ava itself does not tell. */
  fail(what) {
    this.failed++
    this.#count.failed++
    console.log(`not ok - ${what}`)
  }

  #line(line) {
    const match = /^(not ok|ok) \d+ - (.*?)( # (SKIP|TODO).*)?$/.exec(line)
    if (match !== null) this.#verdict(match[1], match[2], match[3])
    else if (/^(TAP version|1\.\.\d|# \S|#?$)/.test(line)) return
    else if (this.#failure.length === 0) console.log(line)
    else {
      this.#failure.push(line)
      if (line === '  ...') this.#flush()
    }
  }

  #verdict(verdict, title, directive) {
    this.#flush()
    this.last = `${this.#prefix}${title}`
    if (directive !== undefined) {
      this.#count.skipped++
      console.log(`skipped - ${this.last}`)
    } else if (verdict === 'ok') {
      this.#count.passed++
      console.log(`ok - ${this.last}`)
    } else {
      this.failed++
      this.#count.failed++
      this.#failure.push(`not ok - ${this.last}`)
    }
  }

  #flush() {
    const lines = this.#failure.splice(0).map((line) => line.slice(0, mostColumns))
    const surplus = lines.length - mostLines
    // The logs of servers come first, what was expected and got comes last.
    if (surplus > 0) lines.splice(1, surplus, `  (${surplus} lines left out)`)
    if (lines.length > 0) console.log(lines.join('\n'))
  }
}
