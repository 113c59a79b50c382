// `ferrite doctor`: looks, changes nothing.
import { accessSync, constants, existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { oldestFullServer, oldestServer } from '../servers/find-server.js'
import { listServers } from '../servers/catalogue.js'
import { compareVersions } from '../servers/server-version.js'
import { cacheFolder } from '../setup/cache-folder.js'
import { findCompiler } from '../setup/compile.js'
import { mountFlags } from '../setup/mount.js'
import { packageRoot } from '../setup/package-root.js'
import { findProgram, run } from '../setup/programs.js'
import { dropInFor, findServerUnits } from './systemd-unit.js'

export interface Finding {
  readonly name: string
  /** `missing`: Ferrite cannot work without it. `warning`: something will not work. */
  readonly status: 'ok' | 'warning' | 'missing'
  readonly detail: string
  readonly remedy?: string
}

const oldestNode = '20.17.0'
const oldestCargoForHeader = '1.85.0'
const oldestCargoForWasm = '1.95.0'

/** Prints the findings; resolves to 1 if something is missing, else to 0. */
export async function doctor(options: { readonly json?: boolean }): Promise<number> {
  const findings = [
    nodeFinding(),
    await toolFinding('C compiler', findCompiler(), 'apt-get install gcc libc6-dev'),
    await toolFinding('cmake', findProgram('cmake'), 'apt-get install cmake'),
    await toolFinding('make or ninja', findProgram('ninja', 'make'), 'apt-get install make'),
    await toolFinding('flock', findProgram('flock'), 'apt-get install util-linux'),
    await cargoFinding(),
    await pythonFinding(),
    await serverFinding(),
    folderFinding('module folder', join(packageRoot, 'build')),
    folderFinding('cache folder', cacheFolder()),
    ...unitFindings(),
  ]
  if (options.json === true) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`)
  else for (const one of findings) process.stdout.write(`${findingLine(one)}\n`)
  return findings.some((one) => one.status === 'missing') ? 1 : 0
}

function findingLine(one: Finding): string {
  const head = `${one.status.padEnd(7)}  ${one.name}: ${one.detail}`
  return one.remedy === undefined ? head : `${head}; ${one.remedy}`
}

function nodeFinding(): Finding {
  const version = process.versions.node
  if (compareVersions(version, oldestNode) >= 0) return { name: 'Node', status: 'ok', detail: version }
  return { name: 'Node', status: 'missing', detail: version, remedy: `install ${oldestNode} or newer` }
}

async function toolFinding(name: string, path: string | undefined, remedy: string): Promise<Finding> {
  if (path === undefined) return { name, status: 'missing', detail: 'not on PATH', remedy: `install it (${remedy})` }
  return { name, status: 'ok', detail: `${path}, ${await versionOf(path)}` }
}

async function versionOf(path: string): Promise<string> {
  const result = await run(path, ['--version'], { timeoutMs: 10_000 })
  return /\d+\.\d+(\.\d+)*/.exec(result.output)?.[0] ?? `does not tell its version (status ${String(result.code)})`
}

async function cargoFinding(): Promise<Finding> {
  const name = 'Rust (cargo)'
  const carriesHeader = existsSync(join(packageRoot, 'redis-module', 'include', 'redismodule.h'))
  const path = findProgram('cargo')
  const need = carriesHeader ? 'for WASM plugins' : 'for redismodule.h and for WASM plugins'
  const remedy = `needed ${need}; install ${oldestCargoForWasm} or newer (https://rustup.rs)`
  const fallback = carriesHeader ? 'warning' : 'missing'
  if (path === undefined) return { name, status: fallback, detail: 'not on PATH', remedy }
  const version = await versionOf(path)
  if (compareVersions(version, oldestCargoForWasm) >= 0) return { name, status: 'ok', detail: `${path}, ${version}` }
  const usable = carriesHeader || compareVersions(version, oldestCargoForHeader) >= 0
  return { name, status: usable ? 'warning' : 'missing', detail: `${path}, ${version}`, remedy }
}

async function pythonFinding(): Promise<Finding> {
  const path = findProgram('python3')
  const remedy = 'needed to compile the WASM runtime; install it (apt-get install python3)'
  if (path === undefined) return { name: 'Python', status: 'warning', detail: 'not on PATH', remedy }
  return { name: 'Python', status: 'ok', detail: `${path}, ${await versionOf(path)}` }
}

async function serverFinding(): Promise<Finding> {
  const servers = await listServers()
  const best = servers.findLast((one) => compareVersions(one.version, oldestFullServer) >= 0)
  if (best !== undefined) return { name: 'server', status: 'ok', detail: `${best.path}, ${best.name}` }
  const old = servers.findLast((one) => compareVersions(one.version, oldestServer) >= 0)
  if (old !== undefined) {
    const remedy = `command hooks need ${oldestFullServer}; ferrite start fetches a newer one where it can`
    return { name: 'server', status: 'warning', detail: `${old.path}, ${old.name}`, remedy }
  }
  const remedy = 'ferrite start fetches one where it can (Debian), else: apt-get install valkey-server'
  return { name: 'server', status: 'warning', detail: 'no redis-server or valkey-server on PATH', remedy }
}

/** A folder that things are compiled into and loaded from. */
function folderFinding(name: string, folder: string): Finding {
  const flags = mountFlags(folder)
  const remedy = 'set FERRITE_CACHE to a folder that may be written to and executed from'
  if (flags.noexec) {
    return { name, status: 'warning', detail: `${folder} is on a noexec mount, no module loads from it`, remedy }
  }
  if (flags.readOnly || !canWrite(folder)) {
    return { name, status: 'warning', detail: `${folder} cannot be written to`, remedy }
  }
  return { name, status: 'ok', detail: folder }
}

function canWrite(folder: string): boolean {
  let present = folder
  while (!existsSync(present)) present = dirname(present)
  try {
    accessSync(present, constants.W_OK)
    return true
  } catch {
    // Which of the many reasons it is does not change the remedy.
    return false
  }
}

function unitFindings(): readonly Finding[] {
  const needs = { execute: [process.execPath, join(packageRoot, 'build')], read: [packageRoot] }
  return findServerUnits().map(({ name, text }) => {
    const lines = dropInFor(text, needs)
    if (lines.length === 0) return { name, status: 'ok', detail: 'lets Node run' }
    const edit = `printf '%s\\n' '[Service]' ${lines.map((line) => `'${line}'`).join(' ')}`
    const file = `/etc/systemd/system/${name}.d/ferrite.conf`
    const remedy = `mkdir -p ${dirname(file)} && ${edit} > ${file} && systemctl daemon-reload`
    return { name, status: 'warning', detail: `forbids what the plugin host needs (${lines.join(', ')})`, remedy }
  })
}
