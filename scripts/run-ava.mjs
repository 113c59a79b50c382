// Runs ava and counts. Test files run side by side, each in an ava of its own: one that hangs is ended with all that it
// has started, and the others go on.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { rootFolder } from './library.mjs'
import { node } from './sources.mjs'
import { TapPrinter } from './tap-printer.mjs'

/** Much of a test's time is waiting: one more than there are processors keeps them busy. */
const mostAtOnce = Math.min(8, availableParallelism() + 1)
/** Files that failed beside others in CI get a second try by themselves; more than these are no accident. */
const mostAgain = process.env.CI === 'true' ? 6 : 0
/** No test ends for so long: that file hangs. A test has limits of its own, which are shorter. */
const silentMs = process.env.FERRITE_LONG === '1' ? 4_000_000 : 400_000

/**
 * Resolves to the numbers of passed and failed tests; skipped ones are printed and count as neither.
 *
 * @param args for ava. Without any, all files run side by side, and so do several files that are named
 */
export async function runAva(args) {
  const jobs = jobsOf(args).map((job) => ({ ...job, seconds: 0, count: { passed: 0, failed: 0, skipped: 0 } }))
  const all = [...jobs]
  const running = new Set()
  const stop = (signal) => {
    jobs.length = 0
    for (const child of running) killGroup(child, signal)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, stop)
  const work = async () => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await runJob(job, running)
  }
  await Promise.all(Array.from({ length: mostAtOnce }, work))
  await tryAgain(all, running)
  for (const signal of signals) process.off(signal, stop)
  if (all.length > 1) printSlowest(all)
  const sum = (name) => all.reduce((total, { count }) => total + count[name], 0)
  if (sum('skipped') > 0) console.log(`${sum('skipped')} skipped`)
  return { passed: sum('passed'), failed: sum('failed') }
}

function printSlowest(jobs) {
  const slowest = jobs.toSorted((a, b) => b.seconds - a.seconds).slice(0, 12)
  console.log(`# slowest: ${slowest.map(({ name, seconds }) => `${name} ${Math.round(seconds)} s`).join(', ')}`)
}

/**
 * On a machine that runs many servers at once a deadline is missed now and then. What fails by itself, too, has failed;
 * what passes then is named, so that it is not forgotten.
 */
async function tryAgain(jobs, running) {
  const failed = jobs.filter(({ count }) => count.failed > 0)
  if (failed.length > mostAgain) return
  for (const job of failed) {
    console.log(`# again, by itself: ${job.name}`)
    const second = { ...job, count: { passed: 0, failed: 0, skipped: 0 } }
    await runJob(second, running)
    if (second.count.failed === 0) console.log(`# passed by itself only: ${job.name}, ${job.count.failed} had failed`)
    job.count = second.count
  }
}

/** What each ava is to do: its arguments, and what stands before the titles of its tests. */
function jobsOf(args) {
  if (!args.every((word) => /^[^!*-][^*]*\.test\.ts$/.test(word))) return [{ name: 'ava', prefix: '', args }]
  const files = args.length === 0 ? allTestFiles() : args
  return files.map((file) => {
    const parts = file.replace(/^(.*\/)?test\/|\.test\.ts$/g, '').split('/')
    return { name: file, prefix: parts.map((part) => `${part} › `).join(''), args: [file] }
  })
}

function allTestFiles() {
  const paths = readdirSync(join(rootFolder, 'test'), { recursive: true })
  return paths
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => `test/${path}`)
    .sort()
}

async function runJob(job, running) {
  const { name, prefix, args, count } = job
  const begun = performance.now()
  const child = spawn(process.execPath, [node('ava/entrypoints/cli.mjs'), '--tap', ...args], {
    cwd: rootFolder,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true, // a process group, which the servers of its tests belong to
  })
  running.add(child)
  const printer = new TapPrinter(prefix, count)
  let isSilent = false
  const silence = setTimeout(() => {
    isSilent = true
    killGroup(child, 'SIGKILL')
  }, silentMs)
  child.stdout.setEncoding('utf8').on('data', (text) => {
    if (printer.write(text)) silence.refresh()
  })
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(signal ?? code))
  })
  job.seconds = (performance.now() - begun) / 1000
  clearTimeout(silence)
  running.delete(child)
  printer.end()
  if (isSilent) printer.fail(`${name}: no test has ended for ${silentMs / 1000} s since ${printer.last}; it was killed`)
  else if (status !== 0 && printer.failed === 0)
    printer.fail(`${name}: ava ended with ${status} after ${printer.last} without naming a failed test`)
}

function killGroup(child, signal) {
  try {
    process.kill(-child.pid, signal)
  } catch (err) {
    if (err.code !== 'ESRCH') throw err
  }
}
