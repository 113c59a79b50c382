/**
 * Makes this process's SDK the one that built plugins use: their bundles take it from a global instead of carrying a
 * copy. To be called in each thread before it imports a plugin.
 */

import * as sdk from '../sdk/index.js'

const kShared = Symbol.for('ferrite-plugins')

export function shareSdk(): void {
  Object.defineProperty(globalThis, kShared, { value: Object.freeze({ './sdk': sdk }), configurable: true })
}
