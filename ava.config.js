// test/**/*.test.ts is compiled into build/test by `npm test` (scripts/test.mjs) before ava runs.
export default {
  files: ['test/**/*.test.ts'],
  typescript: { rewritePaths: { 'test/': 'build/test/' }, compile: false },
  // Child processes, as native code and process-wide state (signals, environment) want.
  workerThreads: false,
  // The tests of one file run one after the other; files run side by side, each in an ava of its own (scripts/run-ava.mjs),
  // which is watched there: ava's own limit would end it without a word about the test.
  serial: true,
  timeout: '24h',
  environmentVariables: { NODE_ENV: 'test' },
}
