import type { ServerProduct } from './server-version.js'

/** A version that the tests want, and the Debian package that has it. */
export interface MatrixEntry {
  /** What is reported when it cannot be had. */
  readonly label: string
  readonly product: ServerProduct
  /** The start of its version. */
  readonly version: string
  /** `redis-tools` and `valkey-tools` hold the server under another name, and the client. */
  readonly package: string
  /** The suite that the package is taken from. */
  readonly suite: string
}

/** Suites that are unpacked together, because a server runs on the libraries of its own suite. */
export interface SuiteGroup {
  readonly name: string
  /** Suites that apt is given; `-security` ones come from the security mirror. */
  readonly suites: readonly string[]
  readonly entries: readonly MatrixEntry[]
}

/** The matrix of docs/design; the newest minors of sid and experimental drift. */
export const matrix: readonly SuiteGroup[] = [
  {
    name: 'bookworm',
    suites: ['bookworm', 'bookworm-security'],
    entries: [entry('redis', '7.0', 'bookworm')],
  },
  {
    name: 'bookworm-backports',
    suites: ['bookworm', 'bookworm-backports', 'bookworm-security'],
    entries: [entry('valkey', '8.0', 'bookworm-backports')],
  },
  {
    name: 'trixie',
    suites: ['trixie', 'trixie-security'],
    entries: [entry('redis', '8.0', 'trixie'), entry('valkey', '8.1', 'trixie')],
  },
  {
    name: 'sid',
    suites: ['sid', 'experimental'],
    entries: [entry('redis', '8.0', 'sid'), entry('redis', '8', 'experimental'), entry('valkey', '9', 'sid')],
  },
]

/** The group that `ferrite start` fetches when the machine has no server. */
export const startGroup = 'trixie'

function entry(product: ServerProduct, version: string, suite: string): MatrixEntry {
  return { label: `${product} ${version} (${suite})`, product, version, package: `${product}-tools`, suite }
}
