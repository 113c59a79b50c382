// A line to try for each command, so that a plugin that nobody described can be typed at once.
import type { ArgDoc, CommandRoute } from '../plugin/command-route.js'
import type { InstalledPlugin } from '../plugin/store.js'

/** Better than what can be guessed, for the plugins in examples/. */
const known: Readonly<Record<string, string>> = {
  'RATELIMIT.CHECK': 'RATELIMIT.CHECK login:alice 5 60000',
  'INDEX.ADD': 'INDEX.ADD docs readme "Plugins in TypeScript for stock servers"',
  'INDEX.SEARCH': 'INDEX.SEARCH docs plugin',
}

const general = [
  'FERRITE.PLUGIN LIST',
  'INFO ferrite',
  'FERRITE.PING',
  'COMMAND LIST FILTERBY MODULE ferrite',
  "CONFIG GET 'ferrite.*'",
]

/** Five lines: commands of the plugins, those with a sample above and one of each plugin first, then Ferrite's own. */
export function commandsToTry(plugins: readonly InstalledPlugin[]): readonly string[] {
  const routes = plugins.flatMap(({ manifest }) => manifest.commands.map((route, index) => ({ route, index })))
  const rank = ({ route, index }: { route: CommandRoute; index: number }): number =>
    route.name in known ? 0 : index === 0 ? 1 : 2
  const own = [...routes].sort((a, b) => rank(a) - rank(b)).map(({ route }) => sampleLine(route))
  return [...own.slice(0, 4), ...general].slice(0, 5)
}

/** The command with its required arguments. */
export function sampleLine(route: CommandRoute): string {
  return known[route.name] ?? [route.name.replace('|', ' '), ...route.args.flatMap(sampleWords)].join(' ')
}

function sampleWords(arg: ArgDoc): readonly string[] {
  if (arg.flags.includes('optional')) return []
  const token = arg.token === undefined ? [] : [arg.token]
  switch (arg.type) {
    case 'pure-token':
      return token
    case 'oneof':
      return [...token, ...(arg.args ?? []).slice(0, 1).flatMap(sampleWords)]
    case 'block':
      return [...token, ...(arg.args ?? []).flatMap(sampleWords)]
    case 'integer':
      return [...token, '10']
    case 'double':
      return [...token, '1.5']
    case 'unix-time':
      return [...token, '1893456000']
    case 'pattern':
      return [...token, "'*'"]
    case 'key':
      return [...token, `${arg.name}:1`]
    case 'string':
      return [...token, arg.name]
  }
}
