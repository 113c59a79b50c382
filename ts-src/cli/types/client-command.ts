// What a generated client module needs to know of a plugin command.
import { Cluster, Redis } from 'ioredis'
import type { ArgDoc, KeySpec } from '../../plugin/command-route.js'
import type { ManifestCommand, PluginManifest } from '../../plugin/manifest.js'
import type { ShapeSpec } from '../../sdk/shape.js'
import { SetupError } from '../../setup/setup-error.js'

export interface ClientCommand {
  /** As in the manifest: `SESSION|GET`. */
  readonly name: string
  /** The words that call it: `['SESSION', 'GET']`. */
  readonly words: readonly [string, ...string[]]
  /** Method of the client: `sessionGet`. */
  readonly method: string
  readonly summary: string
  readonly readOnly: boolean
  readonly keySpecs: readonly KeySpec[]
  readonly args: readonly ArgDoc[]
  readonly returns: ShapeSpec | undefined
}

/** The commands of one plugin. */
export interface ClientPlugin {
  readonly name: string
  readonly version: string
  /** Name of the plugin's module in node-redis: `rateLimiter`. */
  readonly module: string
  readonly commands: readonly ClientCommand[]
}

/** Members of clients that are no commands of the server. */
const clientMembers = [
  'close',
  'destroy',
  'connect',
  'options',
  'json',
  'ft',
  'ts',
  'bf',
  'cf',
  'cms',
  'topk',
  'tdigest',
]

/** Names that a client uses itself, in small letters; a method or module of that name would break it. */
const taken = new Set(
  [...membersOf(Redis.prototype), ...membersOf(Cluster.prototype), ...clientMembers].map((name) => name.toLowerCase()),
)

function membersOf(prototype: object | null): readonly string[] {
  if (prototype === null) return []
  return [...Object.getOwnPropertyNames(prototype), ...membersOf(Object.getPrototypeOf(prototype) as object | null)]
}

/** `RATELIMIT.CHECK` and `SESSION|GET` as `ratelimitCheck` and `sessionGet`. */
export function camelCase(name: string): string {
  const words = name.split(/[^A-Za-z0-9]+/).filter((word) => word !== '')
  return words
    .map((word, at) => (at === 0 ? word.toLowerCase() : word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()))
    .join('')
}

function freeName(name: string, suffix: string): string {
  const camel = camelCase(name)
  return taken.has(camel.toLowerCase()) ? camel + suffix : camel
}

function clientCommand(command: ManifestCommand): ClientCommand {
  return {
    name: command.name,
    words: command.name.split('|') as [string, ...string[]], // split gives at least one word
    method: freeName(command.name, 'Command'),
    summary: command.doc.summary,
    readOnly: command.flags.includes('readonly'),
    keySpecs: command.keySpecs,
    args: command.args,
    returns: command.returns,
  }
}

/**
 * The plugins as a client sees them. Plugins without commands are left out.
 *
 * @throws SetupError when two commands would get the same method
 */
export function clientPlugins(manifests: readonly PluginManifest[]): readonly ClientPlugin[] {
  const plugins = manifests
    .filter(({ commands }) => commands.length > 0)
    .map(({ name, version, commands }) => {
      return { name, version, module: freeName(name, 'Plugin'), commands: commands.map(clientCommand) }
    })
  refuseDoubles(plugins.flatMap(({ commands }) => commands.map(({ name, method }) => ({ name, as: method }))))
  refuseDoubles(plugins.map(({ name, module }) => ({ name, as: module })))
  return plugins
}

function refuseDoubles(names: readonly { readonly name: string; readonly as: string }[]): void {
  const owners = new Map<string, string>()
  for (const { name, as } of names) {
    const other = owners.get(as)
    if (other !== undefined) {
      const text = `${other} and ${name} would both be '${as}' in a client; write types for one of the two at a time`
      throw new SetupError('SETUP_OPTION_INVALID', text)
    }
    owners.set(as, name)
  }
}
