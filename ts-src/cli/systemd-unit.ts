// What a systemd unit forbids the server's children. The bridge starts Node, which needs executable memory, and units
// of distributions deny that (MemoryDenyWriteExecute) and more.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

export interface UnitNeeds {
  /** Files and folders that the server must be able to execute or map. */
  readonly execute: readonly string[]
  /** Folders that are read. */
  readonly read: readonly string[]
}

const searchPath = ['/etc/systemd/system', '/run/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system']
const unitNames = ['redis-server', 'redis-server@', 'redis', 'redis@', 'valkey-server', 'valkey-server@', 'valkey']

/** Unit files of Redis and Valkey on this machine, each once, with the text of the unit and all of its drop-ins. */
export function findServerUnits(): readonly { readonly name: string; readonly text: string }[] {
  return unitNames.flatMap((name) => {
    const file = searchPath.map((folder) => join(folder, `${name}.service`)).find((path) => existsSync(path))
    if (file === undefined) return []
    const dropIns = searchPath.map((folder) => join(folder, `${name}.service.d`)).filter((path) => existsSync(path))
    const paths = dropIns.flatMap((folder) =>
      readdirSync(folder)
        .filter((entry) => entry.endsWith('.conf'))
        .map((entry) => join(folder, entry)),
    )
    // By file name over all folders, as systemd orders them.
    paths.sort((a, b) => basename(a).localeCompare(basename(b)))
    return [{ name: `${name}.service`, text: [file, ...paths].map((path) => readFileSync(path, 'utf8')).join('\n') }]
  })
}

/** The lines of a drop-in that lets the module and its host run under this unit; empty when none is needed. */
export function dropInFor(unitText: string, needs: UnitNeeds): readonly string[] {
  const settings = unitSettings(unitText)
  const lines: string[] = []
  if (isOn(settings.get('MemoryDenyWriteExecute')?.at(-1))) lines.push('MemoryDenyWriteExecute=no')
  const allowed = pathsOf(settings.get('ExecPaths'))
  const denied = needs.execute.filter((path) => !isUnder(path, allowed))
  if (pathsOf(settings.get('NoExecPaths')).length > 0 && denied.length > 0) {
    lines.push(`ExecPaths=${[...new Set(denied)].join(' ')}`)
  }
  const home = [...needs.execute, ...needs.read].filter((path) => isUnder(path, ['/home', '/root', '/run/user']))
  if (home.length > 0 && settings.has('ProtectHome') && settings.get('ProtectHome')?.at(-1) !== 'no') {
    lines.push('ProtectHome=read-only')
  }
  return lines
}

function unitSettings(text: string): ReadonlyMap<string, readonly string[]> {
  const settings = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const match = /^([A-Za-z]+)=(.*)$/.exec(line.trim())
    if (match === null) continue
    const [, name = '', value = ''] = match
    // An empty value takes back what came before.
    settings.set(name, value === '' ? [] : [...(settings.get(name) ?? []), value])
  }
  return settings
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && /^(yes|true|1|on)$/i.test(value)
}

function pathsOf(values: readonly string[] | undefined): readonly string[] {
  return (values ?? []).flatMap((value) => value.split(/\s+/)).map((path) => path.replace(/^[-+]+/, ''))
}

function isUnder(path: string, folders: readonly string[]): boolean {
  for (let parent = path; ; parent = dirname(parent)) {
    if (folders.includes(parent)) return true
    if (parent === dirname(parent)) return false
  }
}
