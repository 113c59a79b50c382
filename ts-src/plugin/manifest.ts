/** `ferrite.json`, the manifest of a built plugin: its types, its schema, and errors that say what to change. */

import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import type { Permissions } from '../sdk/define-plugin.js'
import type { SettingSpec } from '../sdk/setting.js'
import type { ShapeSpec } from '../sdk/shape.js'
import {
  commandRouteSchema,
  hookRouteSchema,
  limitsSchema,
  noticeHookSchema,
  permissionsSchema,
  ruleRouteSchema,
} from './manifest-schema.js'
import type { CommandRoute } from './command-route.js'
import { mostServedName, servedName, type HookRoute } from './hook-route.js'
import type { NoticeHook } from './notice-hook.js'
import { renamedCommandPattern, type RuleRoute } from './rule-route.js'

/** The version of the contract between plugins and host. */
export const apiVersion = 1

/** Name of the manifest's file. */
export const manifestFile = 'ferrite.json'

/** What a plugin may use. What is left out has the host's default. */
export interface Limits {
  /** JavaScript heap of the plugin's worker in MiB, 16 to 4096. */
  readonly heapMiB?: number
  /** Memory outside the heap (Buffers) in MiB, 16 to 4096. */
  readonly externalMiB?: number
  /** Milliseconds of uninterrupted work in one call, 10 to 60 000. */
  readonly callMs?: number
  /** Requests of the plugin at one time, 1 to 100 000. */
  readonly inFlight?: number
}

/** Where a plugin runs: with others in a worker, in one of its own, in a process of its own. */
export type Isolation = 'shared' | 'worker' | 'process'

/** A command in the manifest: its route, and what documentation and client types need besides. */
export interface ManifestCommand extends CommandRoute {
  readonly group?: string
  readonly returns?: ShapeSpec
}

/** The manifest of a built plugin. */
export interface PluginManifest {
  readonly name: string
  readonly version: string
  readonly description?: string
  readonly apiVersion: number
  readonly kind: 'ts'
  /** The bundle, relative to the manifest. */
  readonly entry: string
  readonly isolation: Isolation
  readonly permissions: Permissions
  readonly limits: Limits
  readonly commands: readonly ManifestCommand[]
  readonly commandHooks: readonly HookRoute[]
  /** Names in `hooks`. */
  readonly keyHooks: readonly string[]
  readonly noticeHooks: readonly NoticeHook[]
  /** Names in `hooks`. */
  readonly timers: readonly string[]
  readonly rules: readonly RuleRoute[]
  readonly config: Readonly<Record<string, SettingSpec>>
}

/** The `ferrite` section of a plugin's package.json. */
export interface PackageSection {
  readonly apiVersion: number
  readonly kind: 'ts'
  /** The source, relative to package.json. */
  readonly entry: string
  readonly isolation?: Isolation
  readonly permissions?: Permissions
  readonly limits?: Limits
}

/** A manifest that cannot be used. `path` is the place in it, such as `commands/0/arity`. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError'

  constructor(
    readonly file: string,
    readonly path: string,
    problem: string,
  ) {
    super(`${file}${path === '' ? '' : `, ${path}`}: ${problem}`)
  }
}

const strings = { type: 'array', items: { type: 'string' } } as const
const isolation = { enum: ['shared', 'worker', 'process'] } as const

const common = {
  apiVersion: { const: apiVersion },
  kind: { enum: ['ts'] },
  entry: { type: 'string', pattern: '^[^/\\\\]', minLength: 1 },
  isolation,
  permissions: permissionsSchema,
  limits: limitsSchema,
} as const

const manifestSchema = {
  type: 'object',
  additionalProperties: false,
  required: [
    'name',
    'version',
    'apiVersion',
    'kind',
    'entry',
    'isolation',
    'permissions',
    'limits',
    'commands',
    'commandHooks',
    'keyHooks',
    'noticeHooks',
    'timers',
    'rules',
    'config',
  ],
  properties: {
    ...common,
    name: { type: 'string', pattern: '^[a-z][a-z0-9._-]{0,63}$' },
    version: { type: 'string', pattern: '^\\d+\\.\\d+\\.\\d+(?:[-+][0-9A-Za-z.+-]+)?$' },
    description: { type: 'string' },
    commands: { type: 'array', items: commandRouteSchema },
    commandHooks: { type: 'array', items: hookRouteSchema },
    keyHooks: strings,
    noticeHooks: { type: 'array', items: noticeHookSchema },
    timers: strings,
    rules: { type: 'array', items: ruleRouteSchema },
    config: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        required: ['type', 'default'],
        properties: { type: { enum: ['string', 'integer', 'float', 'boolean', 'enum', 'strings'] }, default: {} },
      },
    },
  },
}

const sectionSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['apiVersion', 'kind', 'entry'],
  properties: common,
}

interface Validators {
  readonly manifest: ValidateFunction
  readonly section: ValidateFunction
}

let validators: Validators | undefined

function makeValidators(): Validators {
  const ajv = new Ajv({ verbose: true, strict: true })
  return { manifest: ajv.compile(manifestSchema), section: ajv.compile(sectionSchema) }
}

/** The schemas are compiled at first use: a host without plugins does not pay for them. */
function getValidators(): Validators {
  validators ??= makeValidators()
  return validators
}

function describe({ keyword, params, message, data }: ErrorObject): string {
  const given = data === undefined ? 'nothing' : JSON.stringify(data).slice(0, 80)
  const { additionalProperty, allowedValues, allowedValue } = params as Record<string, unknown>
  if (keyword === 'additionalProperties') return `'${String(additionalProperty)}' is not known here`
  if (keyword === 'required') return message ?? 'a property is missing'
  if (keyword === 'enum') return `expected one of ${(allowedValues as unknown[]).join(', ')}, got ${given}`
  if (keyword === 'const') return `expected ${JSON.stringify(allowedValue)}, got ${given}`
  return `${message ?? keyword}, got ${given}`
}

function check(file: string, validate: ValidateFunction, value: unknown, prefix: string): void {
  if (validate(value)) return
  const [error] = validate.errors ?? []
  const path = `${prefix}${error?.instancePath ?? ''}`.replace(/^\//, '')
  throw new ManifestError(file, path, error === undefined ? 'is not valid' : describe(error))
}

/** What the schema cannot say: the module would refuse a route table with such names whole. */
function checkRules(file: string, { rules }: PluginManifest): void {
  const seen = new Set<string>()
  rules.forEach(({ name, action, commands, to, rate, maxBytes, maxArguments, error }, index) => {
    const refuse = (problem: string): never => {
      throw new ManifestError(file, `rules/${index}`, `${problem}, got ${JSON.stringify(name)}`)
    }
    if (seen.has(name.toLowerCase())) refuse('must differ from the other rules in more than capitals')
    if ((action === 'rename') !== (to !== undefined)) refuse("'to' is for rules that rename, which need it")
    if ((action === 'rate') !== (rate !== undefined)) refuse("'rate' is for rules of rates, which need it")
    const isSized = maxBytes !== undefined || maxArguments !== undefined
    if ((action === 'size') !== isSized) refuse("'maxBytes' and 'maxArguments' are for rules of sizes, which need one")
    if (action === 'rename' && !(commands.length > 0 && commands.every((each) => renamedCommandPattern.test(each))))
      refuse('a rule that renames takes whole commands')
    if (error !== undefined && Buffer.byteLength(error) > 200) refuse("'error' must have at most 200 bytes")
    if (error !== undefined && (action === 'rename' || action === 'allow')) refuse("'error' is for rules that refuse")
    seen.add(name.toLowerCase())
  })
}

/** The same of hooks. */
function checkHookNames(file: string, { name: plugin, commandHooks }: PluginManifest): void {
  const seen = new Set<string>()
  commandHooks.forEach(({ name }, index) => {
    const refuse = (problem: string): never => {
      throw new ManifestError(file, `commandHooks/${index}/name`, `${problem}, got ${JSON.stringify(name)}`)
    }
    if (seen.has(name.toLowerCase())) refuse('must differ from the other hooks in more than capitals')
    const most = mostServedName - servedName(plugin, '').length
    if (name.length > most) refuse(`must have at most ${most} bytes with this plugin's name`)
    seen.add(name.toLowerCase())
  })
}

/**
 * Checks a manifest.
 *
 * @param file where it came from, for the message
 * @throws ManifestError that names the place, the value and what was expected
 */
export function checkManifest(value: unknown, file = manifestFile): PluginManifest {
  check(file, getValidators().manifest, value, '')
  const manifest = value as PluginManifest // the schema says what the type says
  checkHookNames(file, manifest)
  checkRules(file, manifest)
  return manifest
}

/** Checks the `ferrite` section of a package.json. @throws ManifestError as `checkManifest` */
export function checkPackageSection(value: unknown, file: string): PackageSection {
  if (value === undefined) {
    throw new ManifestError(
      file,
      'ferrite',
      'is missing: expected { "apiVersion": 1, "kind": "ts", "entry": "index.ts" }',
    )
  }
  check(file, getValidators().section, value, 'ferrite')
  return value as PackageSection // the schema says what the type says
}

/** Reads JSON text. @throws ManifestError with the parser's message */
export function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw new ManifestError(file, '', `is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}
