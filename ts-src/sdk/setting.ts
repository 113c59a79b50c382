/** The settings of a plugin: what an operator may choose, with types, bounds and defaults. */

import { PluginDefinitionError } from './plugin-error.js'

declare const kType: unique symbol

/** A value of a setting. */
export type SettingValue = string | number | boolean | readonly string[]

/** A setting as plain data, kept in `ferrite.json`. */
export interface SettingSpec {
  readonly type: 'string' | 'integer' | 'float' | 'boolean' | 'enum' | 'strings'
  readonly default: SettingValue
  readonly summary?: string
  readonly min?: number
  readonly max?: number
  readonly words?: readonly string[]
}

/** The declaration of a setting. Made by `setting.*`. */
export class Setting<Value extends SettingValue> {
  declare readonly [kType]: Value

  /** @internal */
  constructor(readonly spec: SettingSpec) {}
}

/** Named settings. @internal */
export type SettingRecord = Readonly<Record<string, Setting<SettingValue>>>

/** All settings of a plugin with their values. */
export type SettingValues = Readonly<Record<string, SettingValue>>

type ValuesOf<S> = { readonly [Name in keyof S]: S[Name] extends Setting<infer Value> ? Value : never }

/** The settings of one plugin. Made by `settings()`. */
export class Settings<S extends SettingRecord = SettingRecord> {
  /** @internal */
  constructor(readonly record: S) {}

  /** The values, with their types: `limits.of(ctx).prefix`. */
  of(ctx: { readonly config: SettingValues }): ValuesOf<S> {
    return ctx.config as ValuesOf<S> // the host fills ctx.config through `resolve`, which checked every value
  }

  /**
   * Checks what an operator gave and adds the defaults.
   *
   * @throws PluginDefinitionError that names the setting, for a value of the wrong kind and for an unknown name
   */
  resolve(given: Readonly<Record<string, unknown>>): SettingValues {
    for (const name of Object.keys(given)) {
      if (!Object.hasOwn(this.record, name)) {
        const known = Object.keys(this.record).join(', ') || 'none'
        throw new PluginDefinitionError(`config.${name}`, `there is no such setting; there are: ${known}`)
      }
    }
    const entries = Object.entries(this.record).map(([name, { spec }]) => {
      const value = Object.hasOwn(given, name) ? given[name] : spec.default
      return [name, checkSetting(`config.${name}`, spec, value)] as const
    })
    return Object.freeze(Object.fromEntries(entries))
  }
}

const inRange = (value: number, spec: SettingSpec): boolean =>
  value >= (spec.min ?? -Infinity) && value <= (spec.max ?? Infinity)

const checks: Readonly<Record<SettingSpec['type'], (value: unknown, spec: SettingSpec) => boolean>> = {
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  integer: (value, spec) => typeof value === 'number' && Number.isSafeInteger(value) && inRange(value, spec),
  float: (value, spec) => typeof value === 'number' && Number.isFinite(value) && inRange(value, spec),
  enum: (value, spec) => typeof value === 'string' && (spec.words ?? []).includes(value),
  strings: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
}

const nouns: Readonly<Record<SettingSpec['type'], string>> = {
  string: 'a string',
  boolean: 'true or false',
  integer: 'a whole number',
  float: 'a finite number',
  enum: 'one of',
  strings: 'a list of strings',
}

function checkSetting(path: string, spec: SettingSpec, value: unknown): SettingValue {
  if (checks[spec.type](value, spec)) return value as SettingValue // the check above is for exactly this
  const words = spec.words === undefined ? '' : ` ${spec.words.join(', ')}`
  const from = spec.min === undefined ? '' : ` ≥ ${spec.min}`
  const to = spec.max === undefined ? '' : ` ≤ ${spec.max}`
  throw new PluginDefinitionError(path, `must be ${nouns[spec.type]}${words}${from}${to}, got ${JSON.stringify(value)}`)
}

/** What every setting takes. */
export interface SettingOptions<Value> {
  /** The value unless an operator gives one. */
  readonly default: Value
  /** One sentence for the operator. */
  readonly summary?: string
}

/** What a number takes. Both bounds are included. */
export interface NumberSettingOptions extends SettingOptions<number> {
  readonly min?: number
  readonly max?: number
}

/** The kinds of setting. */
export const setting = {
  string: (options: SettingOptions<string>): Setting<string> => new Setting({ ...options, type: 'string' }),
  integer: (options: NumberSettingOptions): Setting<number> => new Setting({ ...options, type: 'integer' }),
  float: (options: NumberSettingOptions): Setting<number> => new Setting({ ...options, type: 'float' }),
  boolean: (options: SettingOptions<boolean>): Setting<boolean> => new Setting({ ...options, type: 'boolean' }),
  enum: <const Word extends string>(words: readonly Word[], options: SettingOptions<NoInfer<Word>>): Setting<Word> =>
    new Setting({ ...options, type: 'enum', words }),
  strings: (options: SettingOptions<readonly string[]>): Setting<readonly string[]> =>
    new Setting({ ...options, type: 'strings' }),
} as const

/**
 * Declares the settings of a plugin. Give the result to `definePlugin` as `config`, and read it with `of(ctx)`.
 *
 * @example
 * const config = settings({ length: setting.integer({ default: 1000, min: 1 }) })
 * // in a handler
 * const { length } = config.of(ctx)
 */
export function settings<const S extends SettingRecord>(record: S): Settings<S> {
  return new Settings(record)
}
