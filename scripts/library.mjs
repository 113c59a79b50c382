// What the other scripts share: packages installed, lib/ and the compiled tests up to date. Node's own modules only,
// since it runs before there are any packages.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = new URL('../', import.meta.url)
export const rootFolder = fileURLToPath(root)

/** Runs a program with this terminal's input and output; resolves to its exit status. */
export function runHere(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: rootFolder, stdio: 'inherit', ...options })
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? 1))
  })
}

/** Installs what package-lock.json names, unless node_modules has just that. */
export async function ensurePackages() {
  if (packagesAreCurrent()) return
  console.error('ferrite: installing packages (npm ci)')
  const begun = performance.now()
  const code = await runHere('npm', ['ci', '--no-audit', '--no-fund'], { stdio: ['ignore', 2, 2] })
  if (code !== 0) {
    console.error('ferrite: npm ci failed (above); with the network back, run the same command again')
    process.exit(1)
  }
  console.error(`ferrite: packages installed (${((performance.now() - begun) / 1000).toFixed(1)} s)`)
}

function packagesAreCurrent() {
  const installedPath = join(rootFolder, 'node_modules', '.package-lock.json')
  if (!existsSync(installedPath)) return false
  const wanted = JSON.parse(readFileSync(join(rootFolder, 'package-lock.json'), 'utf8')).packages
  const installed = JSON.parse(readFileSync(installedPath, 'utf8')).packages
  return Object.entries(wanted).every(
    ([path, one]) =>
      path === '' || one.optional || one.devOptional || one.link || installed[path]?.version === one.version,
  )
}

/** Compiles ts-src/ into lib/. Resolves to false if tsc reported errors; what it could compile is there then. */
export async function buildLibrary() {
  await ensurePackages()
  return await compileIfChanged('lib', ['package.json', 'tsconfig.json', 'ts-src'], 'tsconfig.json')
}

/** Compiles test/ into build/test/, where ava looks for the tests. */
export async function buildTests() {
  const inputs = ['package.json', 'tsconfig.json', 'ts-src', 'test']
  // build/test is one level deeper than test: `../../lib` in a test has to mean the same lib/ from there.
  const link = join(rootFolder, 'build', 'lib')
  mkdirSync(dirname(link), { recursive: true })
  if (!existsSync(link)) symlinkSync('../lib', link)
  return await compileIfChanged('build/test', inputs, 'test/tsconfig.json')
}

/** Where the files of an output folder come from. */
const sources = { lib: 'ts-src', 'build/test': 'test', 'build/bench': '.' }

/** Compiles bench/, and of test/ what it uses, into build/bench/. */
export async function buildBench() {
  const inputs = ['package.json', 'tsconfig.json', 'ts-src', 'test/helpers', 'bench']
  return await compileIfChanged('build/bench', inputs, 'bench/tsconfig.json')
}

async function compileIfChanged(output, inputs, project) {
  const stampPath = join(rootFolder, 'build', `${output.replace('/', '-')}.stamp`)
  const stamp = contentHash(inputs)
  const outputFolder = join(rootFolder, output)
  if (existsSync(outputFolder) && existsSync(stampPath) && readFileSync(stampPath, 'utf8') === stamp) return true
  console.error(`ferrite: compiling ${output}/ (tsc)`)
  // Files whose source is gone would otherwise stay, be run and be shipped.
  rmStale(outputFolder, join(rootFolder, sources[output]))
  mkdirSync(dirname(stampPath), { recursive: true })
  // tsc believes its own notes about what it has written, not the disk.
  const notes = { lib: 'build/tsc.tsbuildinfo' }[output] ?? `${output}.tsbuildinfo`
  if (!existsSync(outputFolder)) rmSync(join(rootFolder, notes), { force: true })
  const code = await runHere(process.execPath, [join(rootFolder, 'node_modules/typescript/bin/tsc'), '-p', project])
  if (code === 0) writeFileSync(stampPath, stamp)
  else console.error(`ferrite: tsc reported errors (above); ${output}/ holds what it could compile`)
  return code === 0
}

/** Removes compiled files that have no source any more. */
function rmStale(output, source) {
  if (!existsSync(output)) return
  for (const entry of readdirSync(output, { withFileTypes: true })) {
    const path = join(output, entry.name)
    if (entry.isDirectory()) {
      if (existsSync(join(source, entry.name))) rmStale(path, join(source, entry.name))
      else rmSync(path, { recursive: true })
      continue
    }
    const name = entry.name.replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts')
    if (!existsSync(join(source, name))) rmSync(path)
  }
}

function contentHash(paths) {
  const hash = createHash('sha256')
  for (const path of paths) hashInto(hash, path)
  return hash.digest('hex')
}

function hashInto(hash, path) {
  const full = join(rootFolder, path)
  const entries = existsSync(full) && path.includes('.') ? undefined : readdirSync(full, { withFileTypes: true })
  if (entries === undefined) {
    hash.update(`${path}\0`).update(readFileSync(full)).update('\0')
    return
  }
  for (const entry of entries) {
    if (entry.isDirectory()) hashInto(hash, `${path}/${entry.name}`)
    else if (/\.(ts|json)$/.test(entry.name)) {
      hash
        .update(`${path}/${entry.name}\0`)
        .update(readFileSync(join(full, entry.name)))
        .update('\0')
    }
  }
}
