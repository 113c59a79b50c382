import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { createClient, createCluster, RESP_TYPES } from 'redis'
import { run } from '#lib/setup/programs.js'
import { example, forEachServer, packageRoot, startCluster, startServer, testFile } from '../helpers/index.js'

const runFile = promisify(execFile)
const plugin = testFile('cli/plugins/every-kind.ts')

interface Folder extends AsyncDisposable {
  readonly path: string
}

/** A folder in which `ioredis` is the package given. */
async function projectWith(ioredis: string): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'ferrite-test-'))
  await mkdir(join(path, 'node_modules'))
  await symlink(join(packageRoot, 'node_modules', ioredis), join(path, 'node_modules', 'ioredis'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

async function ferriteTypes(...args: readonly string[]): Promise<string> {
  return (await runFile(process.execPath, [join(packageRoot, 'lib/cli/main.js'), 'types', ...args])).stdout
}

/** A client or pipeline with whatever methods were added to it. */
type Methods = Readonly<Record<string, (...args: unknown[]) => Promise<unknown>>>
type Pipelining = Record<string, (...args: unknown[]) => Pipelining> & { exec(): Promise<[Error | null, unknown][]> }

async function installed<Client extends object>(client: Client, folder: Folder): Promise<Client & Methods> {
  const module = (await import(pathToFileURL(join(folder.path, 'ferrite-ioredis.mjs')).href)) as {
    install: (client: Client) => Client
  }
  return module.install(client) as Client & Methods
}

/** What `redis` takes; its types want literal names. */
async function nodeRedisModules(folder: Folder): Promise<Record<string, never>> {
  const module = (await import(pathToFileURL(join(folder.path, 'ferrite-node-redis.mjs')).href)) as {
    modules: Record<string, never>
  }
  return module.modules
}

const everyKind = {
  text: 'né',
  bytes: Buffer.from([0xff, 0]),
  word: 'OK',
  integer: 7,
  double: 2.5,
  yes: true,
  big: 2n ** 70n,
  nothing: null,
  list: [true, false],
  names: new Set(['a', 'b']),
  table: { one: 1.5 },
  inner: { 'a-b': 1 },
}

/** The same with strings as bytes. */
const everyKindBytes = {
  ...everyKind,
  text: Buffer.from('né'),
  word: Buffer.from('OK'),
  names: new Set([Buffer.from('a'), Buffer.from('b')]),
}

async function checkIoredis(t: ExecutionContext, redis: Methods): Promise<void> {
  t.deepEqual(await redis['kindReply']?.('k'), everyKind)
  t.deepEqual(await redis['kindReplyBuffer']?.('k'), everyKindBytes)
  t.is(await redis['sessionSet']?.('s', Buffer.from([1, 0xff])), 'OK')
  t.deepEqual(await redis['sessionGetBuffer']?.('s'), Buffer.from([1, 0xff]))
  t.is(await redis['sessionGet']?.('none'), null)
  t.is(await redis['connectCommand']?.(), 'connected')
  const words = [2, 'a', 'b', 'fast', 5n, 'COUNT', 3, 'NX', 'GET', 'x', 'GET', 'y', 'LIMIT', 1, 2, 'STORE', 'c']
  t.deepEqual(JSON.parse(String(await redis['kindWords']?.(...words))), {
    from: ['a', 'b'],
    mode: 'fast',
    wide: '5n',
    count: 3,
    nx: true,
    get: ['x', 'y'],
    limit: { offset: 1, size: 2 },
    store: 'c',
  })
  await t.throwsAsync(async () => redis['kindWords']?.(1), { message: /wrong number of arguments/ })
}

forEachServer(test, 'types: ioredis 6 and 5 in each protocol give replies their declared shapes', async (t, server) => {
  await using one = await startServer({ server, plugins: [plugin] })
  await using six = await projectWith('ioredis')
  await using five = await projectWith('ioredis5')
  for (const folder of [six, five]) await ferriteTypes(plugin, '--client', 'ioredis', '--out', folder.path)
  const { port } = one
  const clients = [
    new Redis({ port }),
    new Redis({ port, protocol: 2 }),
    new Redis({ port, replyMapping: 'resp3' }),
    new Redis({ port, stringNumbers: true }),
  ]
  for (const redis of clients) {
    await checkIoredis(t, await installed(redis, six))
    redis.disconnect()
  }
  const redis = new Redis5({ port: one.port })
  await checkIoredis(t, await installed(redis, five))
  redis.disconnect()
})

test('types: ioredis sends plugin commands in pipelines and transactions, with callbacks, prefixed', async (t) => {
  await using one = await startServer({ plugins: [plugin] })
  await using folder = await projectWith('ioredis')
  await ferriteTypes(plugin, '--client', 'ioredis', '--out', folder.path)
  const redis = await installed(await one.client({ keyPrefix: 'p:' }), folder)
  for (const pipeline of [redis.pipeline(), redis.multi()]) {
    const methods = pipeline as unknown as Pipelining
    const replies = await methods['sessionSet']?.('s', 'v')['sessionGet']?.('s')['sessionGetBuffer']?.('s').exec()
    t.deepEqual(replies, [
      [null, 'OK'],
      [null, 'v'],
      [null, Buffer.from('v')],
    ])
  }
  t.is(await redis.get('s'), 'v', 'under the prefix, as the client reads it')
  t.is(await (await one.client()).get('p:s'), 'v')
  t.is(
    await new Promise((resolve) => void redis['sessionGet']?.('s', (_: unknown, value: unknown) => resolve(value))),
    'v',
  )
  const words = JSON.parse(String(await redis['kindWords']?.(1, 'a', 'slow', 1, 'STORE', Buffer.from('c')))) as object
  t.like(words, { from: ['p:a'], store: 'p:c' })
})

forEachServer(test, 'types: keys are where the server finds them', async (t, server) => {
  await using one = await startServer({ server, plugins: [plugin] })
  await using folder = await projectWith('ioredis')
  await ferriteTypes(plugin, '--client', 'ioredis', '--out', folder.path)
  const redis = await installed(await one.client(), folder)
  const calls: readonly (readonly [method: string, ...words: string[]])[] = [
    ['kindCopy', '2', 'a', 'b', 'STORE', 'c'],
    ['kindCopy', '1', 'a', 'NX'],
    ['kindKeys', 'a', 'b', 'c', '1'],
    ['sessionGet', 'a'],
  ]
  for (const [method, ...words] of calls) {
    let keys: readonly string[] = []
    // What a cluster asks a command for.
    const recorder = Object.assign(Object.create(redis) as Methods, {
      sendCommand: (command: { getKeys(): string[] }) => (keys = command.getKeys()),
    })
    void recorder[method]?.(...words)
    const name = method === 'sessionGet' ? ['SESSION', 'GET'] : [method.replace('kind', 'KIND.').toUpperCase()]
    t.deepEqual(keys, await redis.call('COMMAND', 'GETKEYS', ...name, ...words))
  }
})

test('types: ioredis.Cluster sends each command to the node of its keys, pipelines too', async (t) => {
  await using cluster = await startCluster({ plugins: [plugin] })
  await using folder = await projectWith('ioredis')
  await ferriteTypes(plugin, '--client', 'ioredis', '--out', folder.path)
  const client = cluster.client()
  const redis = await installed(client, folder)
  for (let i = 0; i < 60; i++) {
    t.is(await redis['sessionSet']?.(`s${i}`, `v${i}`), 'OK')
    t.is(await redis['sessionGet']?.(`s${i}`), `v${i}`)
  }
  const replies = await (redis.pipeline() as unknown as Pipelining)['sessionGet']?.('s7')['sessionGet']?.('s7').exec()
  t.deepEqual(replies, [
    [null, 'v7'],
    [null, 'v7'],
  ])
  t.is(await redirections(cluster.nodes), 0, 'no node was asked for a key of another')
})

/** MOVED errors that the nodes have sent, as INFO errorstats counts them. */
async function redirections(nodes: readonly { cli(...args: string[]): Promise<string> }[]): Promise<number> {
  const texts = await Promise.all(nodes.map((node) => node.cli('info', 'errorstats')))
  return texts.reduce((sum, text) => sum + Number(/errorstat_MOVED:count=(\d+)/.exec(text)?.[1] ?? 0), 0)
}

test('types: node-redis in both protocols gives replies their declared shapes', async (t) => {
  await using one = await startServer({ plugins: [plugin] })
  await using folder = await projectWith('ioredis')
  await ferriteTypes(plugin, '--client', 'node-redis', '--out', folder.path)
  const modules = await nodeRedisModules(folder)
  for (const RESP of [2, 3] as const) {
    const client = createClient({ RESP, modules, url: `redis://127.0.0.1:${String(one.port)}` })
    client.on('error', () => undefined)
    t.teardown(() => client.isOpen && client.destroy())
    await client.connect()
    const redis = client as unknown as Readonly<Record<string, Methods>>
    const reply = (await redis['everyKind']?.['kindReply']?.('k')) as typeof everyKind
    t.deepEqual({ ...reply, bytes: 0 }, { ...everyKind, bytes: 0 })
    const mapped = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }) as unknown as typeof redis
    t.deepEqual(await mapped['everyKind']?.['kindReply']?.('k'), everyKind)
    const words = await redis['everyKind']?.['kindWords']?.(['a', 'b'], 'slow', 5n, {
      count: 3,
      nx: true,
      ttl: { keep: true },
      get: ['x', 'y'],
      limit: { offset: 1, size: 2 },
      store: 'c',
    })
    t.deepEqual(JSON.parse(String(words)), {
      from: ['a', 'b'],
      mode: 'slow',
      wide: '5n',
      count: 3,
      nx: true,
      ttl: { keep: true },
      get: ['x', 'y'],
      limit: { offset: 1, size: 2 },
      store: 'c',
    })
    const rest = await redis['everyKind']?.['kindRest']?.('k', { tags: ['a', 'NX'], nx: true })
    t.deepEqual(JSON.parse(String(rest)), { key: 'k', tags: ['a', 'NX'], nx: true })
    await t.throwsAsync(async () => redis['everyKind']?.['kindWords']?.(['a'], 'slow'), {
      message: /'wide' is missing/,
    })
    await t.throwsAsync(async () => redis['everyKind']?.['kindRest']?.('k', { tag: ['a'] }), {
      message: "'tag' is not an argument; there are: key, tags, nx",
    })
    await t.throwsAsync(
      async () => redis['everyKind']?.['kindWords']?.(['a'], 'slow', 1, { ttl: { ex: 1, keep: true } }),
      {
        message: "the argument 'ttl' takes exactly one of: ex, keep",
      },
    )
    const multi = client.multi() as unknown as Readonly<Record<string, Methods>>
    void multi['everyKind']?.['sessionSet']?.('s', 'v')
    void multi['everyKind']?.['sessionGet']?.('s')
    t.deepEqual(await (multi as unknown as Methods)['exec']?.(), ['OK', 'v'])
    client.destroy()
  }
})

test('types: createCluster of node-redis sends each command to the node of its keys', async (t) => {
  await using cluster = await startCluster({ plugins: [plugin] })
  await using folder = await projectWith('ioredis')
  await ferriteTypes(plugin, '--client', 'node-redis', '--out', folder.path)
  const rootNodes = cluster.nodes.map(({ port }) => ({ url: `redis://127.0.0.1:${String(port)}` }))
  const client = createCluster({ rootNodes, modules: await nodeRedisModules(folder) })
  client.on('error', () => undefined)
  t.teardown(() => client.isOpen && client.destroy())
  await client.connect()
  const redis = client as unknown as Readonly<Record<string, Methods>>
  for (let i = 0; i < 60; i++) {
    t.is(await redis['everyKind']?.['sessionSet']?.(`s${i}`, `v${i}`), 'OK')
    t.is(await redis['everyKind']?.['sessionGet']?.(`s${i}`), `v${i}`)
  }
  t.is(await redis['everyKind']?.['connectCommand']?.(), 'connected')
  client.destroy()
  t.is(await redirections(cluster.nodes), 0, 'no node was asked for a key of another')
})

const ioredisUsage = `
import { Cluster, Redis } from 'ioredis'
import { install, type RatelimitCheckReply } from './ferrite-ioredis.mjs'

const redis = install(new Redis({ lazyConnect: true }))
const cluster: Cluster = install(new Cluster([], { lazyConnect: true }))

export async function use(): Promise<void> {
  const reply = await redis.ratelimitCheck('bucket', 5, '1000', 'COST', 2)
  const allowed: boolean = reply.allowed
  const later: number = reply['retry-after-ms']
  const same: RatelimitCheckReply = await cluster.ratelimitCheck(Buffer.from('bucket'), 5, 1000)
  const results = await redis.pipeline().ratelimitCheck('a', 1, 1).ratelimitReset('a').set('b', 1).exec()
  const text: string | null = await redis.sessionGet('a')
  const bytes: Buffer | null = await redis.sessionGetBuffer('a')
  const kinds = await redis.kindReply('a')
  const names: Set<string> = kinds.names
  const big: bigint = kinds.big
  const word: 'OK' = kinds.word
  const rawWord: Buffer = (await redis.kindReplyBuffer('a')).word
  const unknownReply: unknown = await redis.connectCommand()
  await redis.kindKeys('a', 'b', 'c', 1)
  await redis.kindRest('a', 'NX', 'TAGS', 'x', 'y')
  await redis.kindWords(2, 'a', 'b', 'FAST', 5n, 'COUNT', 3)
  // @ts-expect-error the window is missing
  await redis.ratelimitCheck('bucket', 5)
  // @ts-expect-error a key is text or bytes
  await redis.ratelimitCheck(5, 5, 1000)
  // @ts-expect-error the token is misspelt
  await redis.ratelimitCheck('bucket', 5, 1000, 'CSOT', 2)
  // @ts-expect-error a field of that name is not in the reply
  void reply.retryAfterMs
  // @ts-expect-error the reply may be null
  const notNull: string = await redis.sessionGet('a')
  // @ts-expect-error nothing is known of an undeclared reply
  void (await redis.connectCommand()).length
  void [allowed, later, same, results, text, bytes, names, big, word, rawWord, unknownReply, notNull]
}
`

const nodeRedisUsage = `
import { createClient, createCluster, RESP_TYPES } from 'redis'
import { modules, type RatelimitCheckReply } from './ferrite-node-redis.mjs'

const client = createClient({ modules })
const cluster = createCluster({ rootNodes: [], modules })

export async function use(): Promise<void> {
  const reply = await client.rateLimiter.ratelimitCheck('bucket', 5, '1000', { cost: 2 })
  const allowed: boolean = reply.allowed
  const same: RatelimitCheckReply = await cluster.rateLimiter.ratelimitCheck(Buffer.from('bucket'), 5, 1000)
  const text: string | null = await client.everyKind.sessionGet('a')
  const kinds = await createClient({ modules, RESP: 3 }).everyKind.kindReply('a')
  const names: Set<string> = kinds.names
  const mapped = await client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).everyKind.kindReply('a')
  const bytes: Buffer | string = mapped.bytes
  await client.everyKind.kindWords(['a'], 'FAST', 5n, { ttl: { ex: 5 }, limit: { offset: 1, size: 2 } })
  await client.everyKind.kindKeys(['a', 'b'], 1)
  client.multi().everyKind.sessionGet('a')
  // @ts-expect-error the window is missing
  await client.rateLimiter.ratelimitCheck('bucket', 5)
  // @ts-expect-error the option is misspelt
  await client.rateLimiter.ratelimitCheck('bucket', 5, 1000, { csot: 2 })
  // @ts-expect-error no such word
  await client.everyKind.kindWords(['a'], 'quick', 5n)
  // @ts-expect-error the reply may be null
  const notNull: string = await client.everyKind.sessionGet('a')
  void [allowed, same, text, names, bytes, notNull]
}
`

test('types: what is written type-checks strictly, with every TypeScript and both versions of ioredis', async (t) => {
  t.timeout(300_000)
  const sources = [plugin, example('rate-limiter')]
  for (const ioredis of ['ioredis', 'ioredis5']) {
    await using folder = await projectWith(ioredis)
    const modules = join(folder.path, 'node_modules')
    for (const name of ['redis', '@types']) await symlink(join(packageRoot, 'node_modules', name), join(modules, name))
    await ferriteTypes(...sources, '--out', folder.path)
    await writeProject(folder.path)
    const compilers = ioredis === 'ioredis' ? ['typescript59', 'typescript', 'typescript7'] : ['typescript']
    for (const compiler of compilers) {
      const tsc = join(packageRoot, 'node_modules', compiler, 'bin', 'tsc')
      const result = await run(process.execPath, [tsc, '-p', folder.path])
      t.is(result.output, '', `${compiler}, ${ioredis}`)
    }
  }
})

async function writeProject(folder: string): Promise<void> {
  const compilerOptions = {
    target: 'ES2022',
    module: 'NodeNext',
    moduleResolution: 'NodeNext',
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noUnusedLocals: true,
    verbatimModuleSyntax: true,
    // Of the clients; what was written here is a declaration file too, so it is checked by itself.
    skipLibCheck: true,
    noEmit: true,
  }
  await writeFile(join(folder, 'ioredis-usage.mts'), ioredisUsage)
  await writeFile(join(folder, 'node-redis-usage.mts'), nodeRedisUsage)
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.mts'] }))
}

test('types: takes installed plugins, built plugins and folders of sources; says what is wrong', async (t) => {
  await using folder = await projectWith('ioredis')
  const write = async (...args: string[]): Promise<string> => {
    const text = await ferriteTypes(...args, '--out', join(folder.path, 'out'))
    return text.replaceAll(`${folder.path}/`, '')
  }
  const ferrite = join(packageRoot, 'lib/cli/main.js')
  const fails = async (message: RegExp, ...args: readonly string[]): Promise<void> => {
    const out = ['--out', join(folder.path, 'out')]
    const failed = await t.throwsAsync(runFile(process.execPath, [ferrite, 'types', ...args, ...out]))
    t.regex((failed as unknown as { stderr: string }).stderr, message)
  }
  t.is(await write(join(packageRoot, 'examples')), 'out/ferrite-ioredis.mjs\nout/ferrite-node-redis.mjs\n')
  const pluginsDir = join(folder.path, 'plugins')
  await mkdir(join(pluginsDir, 'local'), { recursive: true })
  await symlink(example('rate-limiter'), join(pluginsDir, 'local', 'rate-limiter'))
  await runFile(process.execPath, [ferrite, 'build', '--plugins-dir', pluginsDir])
  t.is(await write('--plugins-dir', pluginsDir, '--client', 'ioredis'), 'out/ferrite-ioredis.mjs\n')
  t.is(
    await write(join(pluginsDir, 'current', 'rate-limiter'), '--client', 'node-redis'),
    'out/ferrite-node-redis.mjs\n',
  )
  await fails(/^ferrite: expected plugin sources, built plugins .*\n$/)
  await fails(/^ferrite: there is no plugin with a command in what was given\n$/, example('key-audit'))
  await fails(
    /^ferrite: RATELIMIT\.CHECK and RATELIMIT\.CHECK would both be 'ratelimitCheck'/,
    example('rate-limiter'),
    example('rate-limiter'),
  )
})
