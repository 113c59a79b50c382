// FERRITE.PLUGIN: what runs here. Served by the host's main thread, as a plugin named `ferrite`.
import type { PluginStatus } from '../bridge/messages.js'
import type { PluginManifest } from '../plugin/manifest.js'
import type { NoticeHookKind } from '../plugin/notice-hook.js'
import { arg } from '../sdk/arg.js'
import { command } from '../sdk/command.js'
import { compilePlugin, type CompiledPlugin } from '../sdk/compile.js'
import { definePlugin } from '../sdk/define-plugin.js'
import { PluginError } from '../sdk/plugin-error.js'
import type { Reply } from '../sdk/reply.js'
import type { WorkerGroup } from './worker-group.js'

const kHelp = [
  'FERRITE.PLUGIN <subcommand> [<arg> ...]. Subcommands are:',
  'LIST',
  '    Lists the plugins with version, state and number of restarts.',
  'INFO <name>',
  '    Tells about one plugin: state, worker, memory, commands, hooks.',
  'HELP',
  '    Prints this help.',
]

/** The built-in plugin; `groups` gives what runs at the time of the call. */
export function builtInPlugin(groups: () => readonly WorkerGroup[]): CompiledPlugin {
  return compilePlugin(
    definePlugin({
      name: 'ferrite',
      commands: {
        'FERRITE.PLUGIN': command({
          summary: 'Tells which plugins run, and how they are',
          args: { subcommand: arg.string(), name: arg.string().optional() },
          readonly: true,
          handler: (_ctx, { subcommand, name }): Reply => answer(groups(), subcommand.toUpperCase(), name),
        }),
      },
    }),
  )
}

function answer(groups: readonly WorkerGroup[], subcommand: string, name: string | undefined): Reply {
  if (subcommand === 'LIST' && name === undefined) return groups.flatMap((group) => group.statuses.map(summaryOf))
  if (subcommand === 'HELP' && name === undefined) return kHelp
  if (subcommand === 'INFO' && name !== undefined) return detailsOf(groups, name)
  const expected = subcommand === 'INFO' ? 'INFO takes the name of a plugin' : 'expected LIST, INFO <name> or HELP'
  throw new PluginError(
    'ERR',
    `unknown subcommand or wrong number of arguments for FERRITE.PLUGIN ${subcommand}: ${expected}`,
  )
}

function summaryOf({ plugin, version, state, restarts, reason }: PluginStatus): Record<string, Reply> {
  return { name: plugin, version, state, restarts, reason }
}

function noticeHooksOf({ noticeHooks }: PluginManifest, kind: NoticeHookKind): string[] {
  return noticeHooks.filter((hook) => hook.kind === kind).map(({ name }) => name)
}

/** By hook: how many events were handled, failed and dropped, in the life of its worker. */
function eventsOf(group: WorkerGroup, plugin: string): Record<string, Reply> {
  const figures = Object.entries(group.eventFigures(plugin))
  return Object.fromEntries(figures.map(([hook, counts]) => [hook, { ...counts }]))
}

function detailsOf(groups: readonly WorkerGroup[], name: string): Reply {
  for (const group of groups) {
    const status = group.statuses.find(({ plugin }) => plugin === name)
    const manifest = group.plan.plugins.find((plugin) => plugin.name === name)?.manifest
    if (status === undefined || manifest === undefined) continue
    const { heapMb, externalMb } = group.plan.limits
    return {
      ...summaryOf(status),
      description: manifest.description ?? '',
      isolation: manifest.isolation,
      worker: group.plan.label,
      thread: group.threadId ?? null,
      'worker-plugins': group.plan.plugins.map((plugin) => plugin.name),
      'heap-bytes': group.memory?.heapBytes ?? null,
      'heap-limit-bytes': heapMb * 1024 * 1024,
      'external-bytes': group.memory?.externalBytes ?? null,
      'external-limit-bytes': externalMb * 1024 * 1024,
      commands: manifest.commands.map((each) => each.name),
      'command-hooks': manifest.commandHooks.map((each) => each.name),
      'key-hooks': [...manifest.keyHooks],
      'client-hooks': noticeHooksOf(manifest, 'clients'),
      'server-hooks': noticeHooksOf(manifest, 'server'),
      'event-hooks': noticeHooksOf(manifest, 'plugins'),
      timers: [...manifest.timers],
      rules: manifest.rules.map((each) => each.name),
      events: eventsOf(group, name),
    }
  }
  const known = groups.flatMap((group) => group.statuses.map(({ plugin }) => plugin))
  throw new PluginError('ERR', `there is no plugin '${name}'; there are: ${known.join(', ') || 'none'}`)
}
