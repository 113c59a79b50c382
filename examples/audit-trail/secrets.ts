/** Takes passwords out of commands. */

const kHidden = '(hidden)'

/** The places, among the arguments, of words that are secret. */
type Find = (args: readonly string[]) => readonly number[]

/** Names of settings that hold a secret; too many is better than too few. */
const secretSetting = /pass|auth|secret|token|credential|key/i

/** `CONFIG SET name value …` */
const settingValues: Find = (args) =>
  args.flatMap((_, at) => (at >= 2 && at % 2 === 0 && secretSetting.test(args[at - 1] ?? '') ? [at] : []))

/** `ACL SETUSER user rule …`: passwords and their hashes, added (`>` `#`) and taken away (`<` `!`). */
const passwordRules: Find = (args) => args.flatMap((word, at) => (at >= 2 && /^[\s(]*[><#!]/.test(word) ? [at] : []))

/** `MIGRATE … [AUTH password] [AUTH2 user password] …` */
const migrateAuth: Find = (args) =>
  args.flatMap((word, at) => {
    if (/^auth$/i.test(word)) return [at + 1]
    return /^auth2$/i.test(word) ? [at + 1, at + 2] : []
  })

/** `MODULE LOAD path argument …`: what the arguments are, only the module knows. */
const afterPath: Find = (args) => args.map((_, at) => at).filter((at) => at >= 2)

const finders: Readonly<Record<string, Find>> = {
  'CONFIG|SET': settingValues,
  'ACL|SETUSER': passwordRules,
  'MODULE|LOAD': afterPath,
  'MODULE|LOADEX': afterPath,
  MIGRATE: migrateAuth,
}

/** The arguments with secrets taken out. (AUTH and HELLO reach no plugin.) */
export function withoutSecrets(name: string, args: readonly string[]): readonly string[] {
  const find = finders[name] ?? finders[`${name}|${(args[0] ?? '').toUpperCase()}`]
  const secret = new Set(find?.(args))
  return args.map((word, at) => (secret.has(at) ? kHidden : word))
}
