// Client libraries and tools, as they come, behave with a hook of everything as they do without the module.
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { createClient } from 'redis'
import { findServerTool } from '#lib/servers/catalogue.js'
import { cacheFolder } from '#lib/setup/cache-folder.js'
import { withLock } from '#lib/setup/file-lock.js'
import { run } from '#lib/setup/programs.js'
import { fixturePlugin, messageOf, shareTwins, testFile, until, type TestServer } from '../helpers/index.js'

const plugins = [fixturePlugin('passing')]
const redisPy = 'redis==5.2.1'

/** Where redis-py is, installed if need be; a text says why it is not. */
async function pythonPath(): Promise<{ folder: string } | string> {
  const folder = join(cacheFolder(), 'python', redisPy.replace('==', '-'))
  await mkdir(folder, { recursive: true })
  return await withLock(`${folder}.lock`, { waitMs: 300_000 }, async () => {
    const done = join(folder, 'redis', '__init__.py')
    if (existsSync(done)) return { folder }
    const words = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', folder, redisPy]
    const { code, output } = await run('python3', words, { timeoutMs: 120_000 }).catch((err: unknown) => ({
      code: -1,
      output: String(err),
    }))
    return code === 0 && existsSync(done) ? { folder } : output
  })
}

/** What redis-cli prints; it ends with an error status after errors. */
async function cli(server: TestServer, input: string, ...words: string[]): Promise<string> {
  const tool = findServerTool('redis-cli') ?? findServerTool('valkey-cli') ?? 'redis-cli'
  const { code, output } = await run(
    'sh',
    ['-c', 'printf "%b" "$0" | "$@"', input, tool, '-p', String(server.port), ...words],
    {
      timeoutMs: 60_000,
    },
  )
  return `${String(code)}\n${output}`
}

shareTwins(test, { plugins, since: '7.2' }, (it) => {
  for (const protocol of [2, 3] as const) {
    it(`ioredis, RESP${protocol}: errors, pipelines, MULTI, blocking reads, pub/sub, scan streams`, async (t, twins) => {
      await twins.same(t, async (server) => {
        const client = await server.client({ protocol })
        const other = await server.client({ protocol })
        const got: unknown[] = [await client.set('k', 'v'), await messageOf(client.lpush('k', 'x'))]
        got.push(await messageOf(client.call('NONE', 'a')), await messageOf(client.call('GET')))
        const pipeline = client.pipeline()
        for (let n = 0; n < 100; n++) pipeline.set(`p:${n}`, n).incr(`p:${n}`).lpush('k', 'x').get(`p:${n}`)
        got.push((await pipeline.exec())?.map(([error, reply]) => error?.message ?? reply))
        const transaction = client.multi().set('m', 1).incr('m').lpush('m', 'x').get('m')
        got.push((await transaction.exec())?.map(([error, reply]) => error?.message ?? reply))
        await client.watch('m')
        await other.set('m', 'changed')
        got.push(
          await client.multi().set('m', 2).exec(),
          await messageOf(client.multi().set('m', 2).call('NONE').exec()),
        )
        const popped = client.blpop('list', 'other', 0)
        await other.rpush('other', 'there')
        got.push(await popped, await client.blpop('list', 0.01), await client.xread('BLOCK', 1, 'STREAMS', 'x', '$'))
        await other.subscribe('c')
        const message = new Promise((resolve) => other.once('message', (...words) => resolve(words)))
        got.push(await client.publish('c', 'hello'), await message)
        await other.unsubscribe('c')
        got.push(await other.get('k'))
        const keys = new Set<string>()
        for await (const some of client.scanStream({ match: 'p:*', count: 7 }))
          for (const key of some as string[]) keys.add(key)
        await client.hset('h', Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`f${n}`, n])))
        const fields: string[] = []
        for await (const some of client.hscanStream('h', { count: 7 })) fields.push(...(some as string[]))
        client.defineCommand('addTwo', { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], 2)" })
        got.push(
          [...keys].sort(),
          fields,
          await (client as unknown as { addTwo(key: string): Promise<number> }).addTwo('two'),
        )
        return [...got, await client.hgetall('h'), await client.getBuffer('k'), await messageOf(client.quit())]
      })
    })

    it(`node-redis, RESP${protocol}: errors, pipelines, MULTI, blocking reads, pub/sub, scan iterators`, async (t, twins) => {
      await twins.same(t, async (server) => {
        const url = `redis://127.0.0.1:${server.port}`
        const client = createClient({ url, RESP: protocol })
        const other = createClient({ url, RESP: protocol })
        try {
          await Promise.all([client.connect(), other.connect()])
          const got: unknown[] = [await client.set('k', 'v'), await messageOf(client.lPush('k', 'x'))]
          got.push(await messageOf(client.sendCommand(['NONE', 'a'])), await messageOf(client.sendCommand(['GET'])))
          const many = Array.from({ length: 100 }, (_, n) => [
            client.set(`p:${n}`, n.toString()),
            client.incr(`p:${n}`),
          ]).flat()
          got.push(await Promise.all(many), await client.multi().set('m', '1').incr('m').get('m').exec())
          got.push(await messageOf(client.multi().set('m', '1').lPush('m', 'x').exec()))
          await client.watch('m')
          await other.set('m', 'changed')
          got.push(await messageOf(client.multi().set('m', '2').exec()))
          const popped = client.blPop(['list', 'other'], 0)
          await other.rPush('other', 'there')
          got.push(await popped, await client.blPop('list', 0.01))
          const message = new Promise((resolve) => {
            void other.subscribe('c', (text, channel) => resolve([text, channel]))
          })
          await until(async () => (await client.publish('c', 'hello')) === 1, { what: 'the subscription' })
          got.push(await message)
          await other.unsubscribe('c')
          const keys = new Set<string>()
          for await (const some of client.scanIterator({ MATCH: 'p:*', COUNT: 7 }))
            for (const key of some) keys.add(key)
          await client.hSet('h', Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`f${n}`, n])))
          return JSON.stringify([
            ...got,
            [...keys].sort(),
            await client.hGetAll('h'),
            await other.zAdd('z', { score: 1.5, value: 'm' }),
            await other.zRangeWithScores('z', 0, -1),
          ])
        } finally {
          client.destroy()
          other.destroy()
        }
      })
    })
  }

  it('redis-cli: prints and ends as without hooks', async (t, twins) => {
    await twins.same(t, async (server) => [
      await cli(server, 'SET k v\\nGET k\\nLPUSH k x\\nNONE\\nMULTI\\nINCR n\\nGET n\\nEXEC\\nHSET h a 1 b 2\\n'),
      await cli(server, 'HGETALL h\\nZADD z 1.5 m\\nZRANGE z 0 -1 WITHSCORES\\nBLPOP none 0.01\\n', '-3', '--no-raw'),
      await cli(server, 'SUBSCRIBE c\\n', '--no-raw', '-r', '1', 'PUBLISH', 'c', 'x'),
      await cli(
        server,
        '*3\\r\\n$3\\r\\nSET\\r\\n$1\\r\\na\\r\\n$1\\r\\nb\\r\\n*2\\r\\n$4\\r\\nINCR\\r\\n$1\\r\\nn\\r\\n',
        '--pipe',
      ),
      (await cli(server, '', '--scan', '--pattern', '*')).split('\n').sort(),
      await cli(server, 'from stdin', '-x', 'SET', 'stdin'),
      await cli(server, '', '-r', '3', 'INCR', 'n'),
      await cli(server, '', 'EVAL', "return {1, redis.call('GET', KEYS[1]), {ok='fine'}}", '1', 'k'),
    ])
  })

  it('redis-benchmark: runs its tests without an error', async (t, twins) => {
    const tool = findServerTool('redis-benchmark') ?? findServerTool('valkey-benchmark')
    if (tool === undefined) {
      t.log('not checked: neither redis-benchmark nor valkey-benchmark is there')
      t.pass()
      return
    }
    const printed = await twins.same(t, async (server) => {
      const words = ['-p', String(server.port), '-n', '200', '-c', '10', '-P', '4', '-r', '100', '--csv']
      const { code, output } = await run(tool, words, { timeoutMs: 60_000 })
      return [code, output.split('\n').map((line) => line.replace(/,.*/, ''))]
    })
    t.true(printed.flat().length > 15)
  })

  it('redis-py: errors, pipelines, transactions, blocking reads, pub/sub, scan iterators', async (t, twins) => {
    const there = await pythonPath()
    if (typeof there === 'string') {
      t.log(`not checked: Python or PyPI is not there: ${there.slice(0, 500)}`)
      t.pass()
      return
    }
    const printed = await twins.same(t, async (server) => {
      const script = testFile('module/redis-py.py')
      const env = { ...process.env, PYTHONPATH: there.folder, PYTHONDONTWRITEBYTECODE: '1' }
      const { code, stdout, output } = await run('python3', [script, String(server.port)], { timeoutMs: 60_000, env })
      // Its log goes to stderr, and comes between the lines of stdout where chance will have it.
      return code === 0 ? `0\n${stdout}` : `${String(code)}\n${output}`
    })
    t.true(printed.startsWith('0\n'), printed)
  })
})
