/** The child of inspect.ts: imports the bundle named by its argument and sends what it defines. */

import { pathToFileURL } from 'node:url'
import { compilePlugin, type CompiledCommand } from '../sdk/compile.js'
import type { PluginDefinition } from '../sdk/define-plugin.js'
import { PluginDefinitionError } from '../sdk/plugin-error.js'
import type { InspectAnswer, InspectedPlugin } from './inspect.js'
import type { ManifestCommand } from './manifest.js'
import { shareSdk } from './share-sdk.js'

function manifestCommand({ route, group, returns }: CompiledCommand): ManifestCommand {
  return { ...route, ...(group === undefined ? {} : { group }), ...(returns === undefined ? {} : { returns }) }
}

function describePlugin(definition: PluginDefinition): InspectedPlugin {
  const compiled = compilePlugin(definition)
  const settings = Object.entries(definition.config?.record ?? {})
  return {
    name: compiled.name,
    ...(definition.version === undefined ? {} : { version: definition.version }),
    ...(definition.permissions === undefined ? {} : { permissions: definition.permissions }),
    commands: compiled.commands.map(manifestCommand),
    commandHooks: compiled.commandHooks.map(({ route }) => route),
    keyHooks: compiled.keyHooks.map(({ name }) => name),
    noticeHooks: compiled.noticeHooks.map(({ name, kind, events }) => ({ name, kind, events })),
    timers: compiled.timers.map(({ name }) => name),
    rules: compiled.rules,
    config: Object.fromEntries(settings.map(([name, { spec }]) => [name, spec])),
  }
}

/** Errors of the definition speak for themselves; others need to say where. */
function describeProblem(thrown: unknown): string {
  if (thrown instanceof PluginDefinitionError) return thrown.message
  if (!(thrown instanceof Error)) return `its top-level code threw ${String(thrown)}`
  const [, place = ''] = /\n\s+at (.*)/.exec(thrown.stack ?? '') ?? []
  return `its top-level code failed: ${thrown.message}${place === '' ? '' : ` (${place})`}`
}

async function inspect(file: string): Promise<InspectAnswer> {
  shareSdk()
  try {
    const module = (await import(pathToFileURL(file).href)) as { default?: PluginDefinition }
    if (module.default === undefined)
      return { problem: 'it has no default export: write `export default definePlugin({ … })`' }
    return { plugin: describePlugin(module.default) }
  } catch (thrown) {
    return { problem: describeProblem(thrown) }
  }
}

const [, , file] = process.argv
if (file === undefined || process.send === undefined) throw new Error('this file is started by lib/plugin/inspect.js')
process.send(await inspect(file))
