/** The definition of a plugin. */

import type { Command } from './command.js'
import type { LifecycleContext } from './context.js'
import type { Hook } from './hooks.js'
import type { Rule } from './rule.js'
import type { Settings } from './setting.js'

/** What a plugin may touch beyond the keys that its commands declare. Nothing else is allowed. */
export interface Permissions {
  /** Globs, without spaces, of keys that the plugin may read (`r`), read and write (`rw`) or write (`w`) on its own. */
  readonly keys?: { readonly r?: readonly string[]; readonly rw?: readonly string[]; readonly w?: readonly string[] }
  /** Globs of the channels that it may publish to. @default none */
  readonly channels?: readonly string[]
  /** ACL rules for server commands, such as `+keys` or `-@write`, applied to "all but @dangerous and @admin". */
  readonly commands?: readonly string[]
  /** Hosts, as `host`, `host:port` or `*.domain`, that it may connect to. @default none */
  readonly network?: readonly string[]
  /** Folders and files that it may read or write, as absolute paths. @default none */
  readonly files?: { readonly read?: readonly string[]; readonly write?: readonly string[] }
}

/** What `definePlugin` takes. */
export interface PluginDefinition {
  /** Small letters, digits, `-`, `_`, `.`; begins with a letter; at most 64. */
  readonly name: string
  /** @default the version in package.json, else 0.0.0 */
  readonly version?: string
  readonly permissions?: Permissions
  /** Made by `settings()`. */
  readonly config?: Settings
  /** By their names, in capitals; a subcommand is `'SESSION|GET'`. */
  readonly commands?: Readonly<Record<string, Command>>
  /** By names of your choice, which logs and metrics show. */
  readonly hooks?: Readonly<Record<string, Hook>>
  /** By names of your choice: what the server decides by itself, even while the plugin is down. */
  readonly rules?: Readonly<Record<string, Rule>>
  /** Runs once after the plugin was loaded, before its first command. A plugin whose setup fails is not started. */
  readonly setup?: (ctx: LifecycleContext) => unknown
  /** Runs once before the plugin ends; at most 2 s are left to it. */
  readonly teardown?: (ctx: LifecycleContext) => unknown
}

const kDefinition = Symbol.for('ferrite-plugins.definition')

/** What `definePlugin` returns and a plugin exports as default. */
export interface DefinedPlugin extends PluginDefinition {
  /** @internal */
  readonly [kDefinition]: true
}

/**
 * Defines a plugin. The result is the default export of the plugin's entry file.
 *
 * @example
 * export default definePlugin({
 *   name: 'greeter',
 *   commands: { GREET: command({ summary: 'Greets', handler: () => 'hello' }) },
 * })
 */
export function definePlugin(definition: PluginDefinition): DefinedPlugin {
  return { ...definition, [kDefinition]: true }
}

/** Whether a value was made by `definePlugin`. */
export function isDefinedPlugin(value: unknown): value is DefinedPlugin {
  return typeof value === 'object' && value !== null && kDefinition in value
}
