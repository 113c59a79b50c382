import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { before, definePlugin, type CommandWord, type HookedCommand, type Verdict } from 'ferrite-plugins/sdk'
import { canonical, JsonError, parse } from './canonical.js'
import schemas from './schemas.json' with { type: 'json' }
import { valuesOf } from './values.js'

interface Guard {
  readonly prefix: Buffer
  readonly fits: ValidateFunction
}

const ajv = new Ajv({ verbose: true, strict: true })

/** The longest prefix first, which is the one that counts. A schema that is none fails here, when the plugin is built. */
const guards: readonly Guard[] = Object.entries(schemas)
  .map(([prefix, schema]) => ({ prefix: Buffer.from(prefix), fits: ajv.compile(schema) }))
  .sort((a, b) => b.prefix.length - a.prefix.length)

function guardOf(key: Buffer): Guard | undefined {
  return guards.find(({ prefix }) => key.subarray(0, prefix.length).equals(prefix))
}

const globOf = (prefix: string): string => `${prefix.replace(/[*?[\]\\^]/g, '\\$&')}*`

/** A value as it may stand in an error. */
function short(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

/** What schemas say in their own words, and what ajv says beside its message. */
function expectation({ keyword, message = '', params }: ErrorObject): string {
  const { allowedValues, additionalProperty, allowedValue } = params as Readonly<Record<string, unknown>>
  if (keyword === 'enum') return `must be one of ${short(allowedValues)}`
  if (keyword === 'const') return `must be ${short(allowedValue)}`
  if (keyword === 'additionalProperties') return `must not have the property ${short(additionalProperty)}`
  return message
}

/** The value in its canonical form. @throws JsonError that says why it does not fit */
function checked({ fits }: Guard, given: Buffer): string {
  const value = parse(given)
  const text = canonical(value)
  if (fits(value)) return text
  const error = fits.errors?.[0]
  if (error === undefined) throw new JsonError('does not fit the schema')
  throw new JsonError(`${error.instancePath || '/'} ${expectation(error)}, got ${short(error.data)}`)
}

function judge(cmd: HookedCommand): Verdict {
  const found = valuesOf(cmd.name, cmd.args)
  if (found === undefined) {
    return cmd.deny('SCHEMA', `${cmd.name} cannot be checked against a schema; write the whole value with SET`)
  }
  const args: CommandWord[] = [...cmd.args]
  let isChanged = false
  for (const { key, value } of found) {
    const [name, given] = [cmd.args[key], cmd.args[value]]
    const guard = name && guardOf(name)
    if (!guard || !given) continue // another key of the same command, or a word too few, which the server refuses
    try {
      const text = Buffer.from(checked(guard, given))
      isChanged ||= !text.equals(given)
      args[value] = text
    } catch (err) {
      if (err instanceof JsonError) return cmd.deny('SCHEMA', `${name.toString()}: ${err.message}`)
      throw err
    }
  }
  return isChanged ? cmd.rewrite(args) : cmd.continue()
}

export default definePlugin({
  name: 'schema-guard',
  hooks: {
    writes: before({
      command: '@write',
      key: Object.keys(schemas).map(globOf),
      handler: (ctx, cmd) => judge(cmd),
    }),
  },
})
