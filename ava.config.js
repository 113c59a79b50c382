import { availableParallelism } from 'node:os'

// test/**/*.test.ts is compiled into build/test by `npm test` (scripts/test.mjs) before ava runs.
export default {
  files: ['test/**/*.test.ts'],
  typescript: { rewritePaths: { 'test/': 'build/test/' }, compile: false },
  // Child processes, as native code and process-wide state (signals, environment) want.
  workerThreads: false,
  // The tests of one file start servers of their own; one after the other, so that files alone decide the load.
  serial: true,
  concurrency: Math.max(2, Math.min(8, availableParallelism())),
  timeout: '3m',
  environmentVariables: { NODE_ENV: 'test' },
}
