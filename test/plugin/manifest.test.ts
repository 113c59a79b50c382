import test, { type ExecutionContext } from 'ava'
import { pluginAcl } from '#lib/plugin/plugin-acl.js'
import { checkManifest, checkPackageSection, ManifestError, parseJson } from '#lib/plugin/manifest.js'

const manifest = {
  name: 'greeter',
  version: '1.0.0',
  apiVersion: 1,
  kind: 'ts',
  entry: 'index.js',
  isolation: 'worker',
  permissions: { keys: { rw: ['a*'] }, network: ['example.org:443'] },
  limits: { heapMiB: 64 },
  commands: [
    {
      name: 'GREET',
      arity: 2,
      flags: ['readonly'],
      categories: ['read'],
      transaction: 'sync',
      timeoutMs: 0,
      retry: 0,
      doc: { summary: 'Greets' },
      keySpecs: [
        {
          flags: ['RO'],
          begin: { kind: 'keyword', word: 'K', from: 1 },
          find: { kind: 'keynum', index: 0, first: 1, step: 1 },
        },
      ],
      args: [{ name: 'a', type: 'block', flags: ['optional'], args: [{ name: 'b', type: 'key', flags: [], key: 0 }] }],
      reads: [[{ lit: 'MGET' }, { keys: [1, -1] }]],
    },
  ],
  commandHooks: [
    {
      name: 'no-huge-users',
      kind: 'before',
      commands: ['SET', 'CONFIG|SET', '@write'],
      keys: ['user:*'],
      users: ['ann'],
      dbs: [0, 3],
      timeoutMs: 50,
      failure: 'deny',
      transaction: 'sync',
      priority: -5,
      breaker: 10,
      breakerMs: 1000,
      sample: 1_000_000,
    },
  ],
  keyHooks: ['seen'],
  noticeHooks: [{ name: 'came', kind: 'clients', events: ['connect'] }],
  timers: [],
  rules: [
    {
      name: 'no-flush',
      action: 'deny',
      commands: ['FLUSHALL'],
      keys: [],
      users: [],
      dbs: [],
      priority: 100,
      arguments: [],
    },
  ],
  config: { length: { type: 'integer', default: 5 } },
}

/** The message for a manifest that differs from the good one. */
function refuseFor(t: ExecutionContext, change: object): string {
  return t.throws(() => checkManifest({ ...manifest, ...change }, 'x/ferrite.json'), { instanceOf: ManifestError })
    .message
}

test('manifest: a good one is accepted', (t) => {
  t.deepEqual<unknown, unknown>(checkManifest(manifest), manifest)
})

test('manifest: errors name the place, the value and what was expected', (t) => {
  const [command] = manifest.commands
  const refuse = (change: object): string => refuseFor(t, change)
  t.is(
    refuse({ name: 'Greeter' }),
    'x/ferrite.json, name: must match pattern "^[a-z][a-z0-9._-]{0,63}$", got "Greeter"',
  )
  t.is(refuse({ name: '..' }), 'x/ferrite.json, name: must match pattern "^[a-z][a-z0-9._-]{0,63}$", got ".."')
  t.is(refuse({ apiVersion: 2 }), 'x/ferrite.json, apiVersion: expected 1, got 2')
  t.is(refuse({ kind: 'wasm' }), 'x/ferrite.json, kind: expected one of ts, got "wasm"')
  t.is(refuse({ entry: '/etc/x.js' }), 'x/ferrite.json, entry: must match pattern "^[^/\\\\]", got "/etc/x.js"')
  t.is(refuse({ limits: { heapMiB: 1 } }), 'x/ferrite.json, limits/heapMiB: must be >= 16, got 1')
  t.is(refuse({ permissions: { keys: { all: [] } } }), "x/ferrite.json, permissions/keys: 'all' is not known here")
  t.is(refuse({ extra: 1 }), "x/ferrite.json: 'extra' is not known here")
  t.is(refuse({ commands: [{ ...command, arity: '2' }] }), 'x/ferrite.json, commands/0/arity: must be integer, got "2"')
  t.is(refuse({ commands: [{ name: 'A' }] }), "x/ferrite.json, commands/0: must have required property 'arity'")
  t.regex(
    refuse({ commands: [{ ...command, reads: [[{ word: 'GET' }]] }] }),
    /^x\/ferrite\.json, commands\/0\/reads\/0\/0: /,
  )
  const [hook] = manifest.commandHooks
  const refuseHook = (...changes: object[]): string =>
    refuse({ commandHooks: changes.map((each) => ({ ...hook, ...each })) })
  t.is(refuseHook({ timeoutMs: 0 }), 'x/ferrite.json, commandHooks/0/timeoutMs: must be >= 1, got 0')
  t.is(
    refuseHook({ failure: 'open' }),
    'x/ferrite.json, commandHooks/0/failure: expected one of deny, allow, got "open"',
  )
  t.regex(
    refuseHook({ commands: ['set'] }),
    /^x\/ferrite\.json, commandHooks\/0\/commands\/0: must match pattern .* got "set"$/,
  )
  t.regex(refuseHook({ keys: ['a\0'] }), /^x\/ferrite\.json, commandHooks\/0\/keys\/0: must match pattern/)
  t.regex(
    refuseHook({ users: ['a b'] }),
    /^x\/ferrite\.json, commandHooks\/0\/users\/0: must match pattern .* got "a b"$/,
  )
  t.regex(
    refuseHook({ dbs: Array.from({ length: 257 }, () => 0) }),
    /^x\/ferrite\.json, commandHooks\/0\/dbs: must NOT have more than 256 items/,
  )
  t.is(
    refuseHook({}, { name: 'No-Huge-Users' }),
    'x/ferrite.json, commandHooks/1/name: must differ from the other hooks in more than capitals, got "No-Huge-Users"',
  )
  t.is(
    refuse({ name: 'p'.repeat(64), commandHooks: [{ ...hook, name: 'h'.repeat(59) }] }),
    `x/ferrite.json, commandHooks/0/name: must have at most 58 bytes with this plugin's name, got "${'h'.repeat(59)}"`,
  )
  t.is(t.throws(() => checkManifest(null)).message, 'ferrite.json: must be object, got null')
})

test('manifest: the section of package.json', (t) => {
  const section = { apiVersion: 1, kind: 'ts', entry: 'index.ts' }
  t.deepEqual<unknown, unknown>(checkPackageSection(section, 'package.json'), section)
  const message = (value: unknown): string => t.throws(() => checkPackageSection(value, 'package.json')).message
  t.is(
    message(undefined),
    'package.json, ferrite: is missing: expected { "apiVersion": 1, "kind": "ts", "entry": "index.ts" }',
  )
  t.is(message({ ...section, entrypoint: 'a' }), "package.json, ferrite: 'entrypoint' is not known here")
  t.is(
    message({ ...section, isolation: 'vm' }),
    'package.json, ferrite/isolation: expected one of shared, worker, process, got "vm"',
  )
})

test('manifest: text that is not JSON', (t) => {
  t.regex(t.throws(() => parseJson('{', 'x.json')).message, /^x\.json: is not JSON: /)
})

test('manifest: permissions become ACL rules, and cannot hold other rules', (t) => {
  t.is(pluginAcl({}), '+@all -@admin -@dangerous')
  t.is(
    pluginAcl({ keys: { r: ['a:*'], rw: ['b', 'c'], w: ['d'] }, channels: ['news.*'], commands: ['+keys', '-@write'] }),
    '%R~a:* %RW~b %RW~c %W~d &news.* +@all -@admin -@dangerous +keys -@write',
  )
  const refuse = (permissions: object): string => t.throws(() => checkManifest({ ...manifest, permissions })).message
  t.regex(
    refuse({ keys: { r: ['a ~*'] } }),
    /^ferrite\.json, permissions\/keys\/r\/0: must match pattern .* got "a ~\*"$/,
  )
  t.regex(refuse({ commands: ['~*'] }), /^ferrite\.json, permissions\/commands\/0: must match pattern .* got "~\*"$/)
  t.regex(refuse({ commands: ['+get\n>x'] }), /^ferrite\.json, permissions\/commands\/0: must match pattern/)
})

test('manifest: rules that the module would refuse are refused', (t) => {
  const [rule] = manifest.rules
  const refuseRule = (...changes: object[]): string =>
    refuseFor(t, { rules: changes.map((each) => ({ ...rule, ...each })) })
  t.is(
    refuseRule({ action: 'forbid' }),
    'x/ferrite.json, rules/0/action: expected one of deny, allow, rename, rate, read-only, size, got "forbid"',
  )
  t.regex(refuseRule({ error: 'no' }), /^x\/ferrite\.json, rules\/0\/error: must match pattern/)
  t.regex(refuseRule({ arguments: [{ at: 'some', glob: '*' }] }), /^x\/ferrite\.json, rules\/0\/arguments\/0\/at: /)
  t.is(
    refuseRule({}, { name: 'NO-FLUSH' }),
    'x/ferrite.json, rules/1: must differ from the other rules in more than capitals, got "NO-FLUSH"',
  )
  t.is(
    refuseRule({ action: 'rename' }),
    'x/ferrite.json, rules/0: \'to\' is for rules that rename, which need it, got "no-flush"',
  )
  t.is(
    refuseRule({ action: 'rate' }),
    'x/ferrite.json, rules/0: \'rate\' is for rules of rates, which need it, got "no-flush"',
  )
  t.is(
    refuseRule({ maxBytes: 1 }),
    "x/ferrite.json, rules/0: 'maxBytes' and 'maxArguments' are for rules of sizes, which need one, got \"no-flush\"",
  )
  t.is(
    refuseRule({ action: 'rename', commands: ['@write'], to: 'GET' }),
    'x/ferrite.json, rules/0: a rule that renames takes whole commands, got "no-flush"',
  )
  t.is(
    refuseRule({ action: 'allow', error: 'ERR no' }),
    'x/ferrite.json, rules/0: \'error\' is for rules that refuse, got "no-flush"',
  )
})
