// Checks test/types and the examples with each TypeScript that authors may use: types that infer well in one can fail in
// another. lib/ must be built. Ends with 1 if any compiler reports an error.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const compilers = ['typescript59', 'typescript', 'typescript7']
const projects = ['test/types', 'examples']

/** @returns {boolean} whether the compiler accepts the project */
function check(compiler, project) {
  const { version } = JSON.parse(readFileSync(`${root}node_modules/${compiler}/package.json`, 'utf8'))
  const tsc = `${root}node_modules/${compiler}/bin/tsc`
  const begun = performance.now()
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [tsc, '-p', project], {
    cwd: root,
    encoding: 'utf8',
  })
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${project} with TypeScript ${version} (${seconds} s)`)
  if (status !== 0) console.log(error?.message ?? `${stdout}${stderr}`)
  return status === 0
}

const results = projects.flatMap((project) => compilers.map((compiler) => check(compiler, project)))
if (results.includes(false)) process.exitCode = 1
