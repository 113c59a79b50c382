// Clients in every state that a connection can be in, on a server with a hook of everything and on one without.
import test from 'ava'
import { fixturePlugin, RawClient, shareTwins, until, type TestServer, type Words } from '../helpers/index.js'

const plugins = [fixturePlugin('passing')]
const config = { 'proto-max-bulk-len': '512mb', 'client-query-buffer-limit': '1gb' }
const hooks = { 'ferrite.lane-buffer': '1gb', 'ferrite.buffer-total': '1gb' }

/** What one connection gets back for some commands, sent at once, as text. */
async function replies(server: TestServer, ...commands: readonly Words[]): Promise<string> {
  using client = await RawClient.connect(server.port)
  return (await client.askAll(...commands)).toString('latin1')
}

interface Told {
  readonly replies: readonly string[]
  /** Keys of invalidations; `all` for those of all keys. */
  readonly invalid: readonly string[]
}

/** The simple replies among bytes of RESP3, as text, and the keys of invalidations (null: all), in their order. */
function wordsOf(text: string): (string | string[] | null)[] {
  const lines = text.split('\r\n')
  const words: (string | string[] | null)[] = []
  const bulk = (): string => {
    lines.shift()
    return lines.shift() ?? ''
  }
  for (let line = lines[0]; line !== undefined && line !== ''; line = lines[0]) {
    if (line.startsWith('$')) words.push(bulk())
    else if (line.startsWith('>2')) {
      lines.splice(0, 3)
      const count = /^\*(\d+)$/.exec(lines.shift() ?? '')?.[1]
      words.push(count === undefined ? null : Array.from({ length: Number(count) }, bulk))
    } else words.push(lines.shift() ?? '')
  }
  return words
}

/** Invalidations of one step may come in any order, before or behind the replies. */
function told(text: string): Told {
  const words = wordsOf(text)
  const invalid = words.filter((word) => typeof word !== 'string').flatMap((keys) => keys ?? ['all'])
  return { replies: words.filter((word) => typeof word === 'string'), invalid: [...new Set(invalid)].sort() }
}

async function idOf(client: RawClient): Promise<string> {
  return (await client.text('CLIENT', 'ID')).slice(1, -2)
}

shareTwins(test, { plugins, since: '7.2' }, (it, program) => {
  it('CLIENT REPLY OFF and SKIP: what has no reply has none', async (t, twins) => {
    await twins.same(t, (server) =>
      replies(
        server,
        ...[
          ['SET', 'a', '1'],
          ['CLIENT', 'REPLY', 'SKIP'],
          ['INCR', 'a'],
          ['INCR', 'a'],
          ['CLIENT', 'REPLY', 'SKIP'],
        ],
        ...[['MULTI'], ['INCR', 'a'], ['EXEC'], ['CLIENT', 'REPLY', 'OFF'], ['INCR', 'a'], ['GET', 'a'], ['NONE']],
        ...[
          ['EVAL', "return redis.call('INCR', KEYS[1])", '1', 'a'],
          ['CLIENT', 'REPLY', 'ON'],
          ['GET', 'a'],
        ],
      ),
    )
  })

  it('SELECT between the commands of a pipeline', async (t, twins) => {
    const got = await twins.same(t, (server) =>
      replies(
        server,
        ...[
          ['SET', 'k', '0'],
          ['SELECT', '1'],
          ['SET', 'k', '1'],
          ['SELECT', '2'],
          ['SET', 'k', '2'],
          ['GET', 'k'],
        ],
        ...[['SELECT', '0'], ['GET', 'k'], ['MULTI'], ['SELECT', '1'], ['GET', 'k'], ['EXEC'], ['GET', 'k']],
        ...[
          ['EVAL', "redis.call('SELECT', '2') return redis.call('GET', 'k')", '0'],
          ['GET', 'k'],
          ['SELECT', '99'],
        ],
        ...[['SWAPDB', '1', '2'], ['GET', 'k'], ['COPY', 'k', 'l', 'DB', '5'], ['MOVE', 'k', '6'], ['DBSIZE']],
      ),
    )
    t.true(got.endsWith(':1\r\n:1\r\n:0\r\n'), got)
  })

  it('RESET: ends MULTI, WATCH, tracking, subscriptions and the database', async (t, twins) => {
    await twins.same(t, (server) =>
      replies(
        server,
        ...[['SELECT', '3'], ['SET', 'k', '3'], ['MULTI'], ['SET', 'k', '4'], ['RESET'], ['GET', 'k'], ['EXEC']],
        ...[['SELECT', '3'], ['GET', 'k'], ['WATCH', 'k'], ['SET', 'k', '5'], ['RESET'], ['MULTI'], ['PING'], ['EXEC']],
        ...[['SUBSCRIBE', 'c'], ['RESET'], ['DBSIZE'], ['CLIENT', 'GETNAME'], ['CLIENT', 'SETNAME', 'n'], ['RESET']],
        ...[['CLIENT', 'GETNAME']],
      ),
    )
  })

  it('RESP2 subscribers: what they may not run is refused in the server’s own words', async (t, twins) => {
    const got = await twins.same(t, async (server) => {
      using client = await RawClient.connect(server.port)
      using other = await RawClient.connect(server.port)
      client.send(['SUBSCRIBE', 'c'], ['PSUBSCRIBE', 'p*'], ['GET', 'k'], ['SET', 'k', 'v'], ['PING'], ['PING', 'x'])
      client.send(['EVAL', 'return 1', '0'], ['MULTI'], ['CONFIG', 'GET', 'hz'], ['UNSUBSCRIBE', 'c'])
      await until(async () => (await other.text('PUBSUB', 'NUMPAT')) === ':1\r\n', { what: 'the subscription' })
      await until(async () => (await other.text('PUBSUB', 'CHANNELS')) === '*0\r\n', { what: 'the end of the other' })
      const published = await other.text('PUBLISH', 'p1', 'hello')
      client.send(['PUNSUBSCRIBE', 'p*'])
      return published + (await client.text('GET', 'k'))
    })
    t.true(got.includes("-ERR Can't execute 'get'"), got)
    t.false(got.includes('_ferrite'))
  })

  it('RESP3 subscribers: run commands, and get messages between replies', async (t, twins) => {
    await twins.same(t, async (server) => {
      using client = await RawClient.connect(server.port, 3)
      using other = await RawClient.connect(server.port)
      const first = await client.text('SUBSCRIBE', 'c')
      const published = await other.text('PUBLISH', 'c', 'one')
      const second = await client.text('SET', 'k', 'v')
      return [first, published, second, await client.text('GET', 'k'), await client.text('PUBLISH', 'c', 'own')]
    })
  })

  it('shard channels and PUBLISH in MULTI and scripts', async (t, twins) => {
    await twins.same(t, async (server) => {
      using client = await RawClient.connect(server.port, 3)
      using other = await RawClient.connect(server.port)
      const first = await client.text('SSUBSCRIBE', 's')
      const sent = await other.askAll(
        ...[['SPUBLISH', 's', '1'], ['MULTI'], ['SPUBLISH', 's', '2'], ['PUBLISH', 'x', '3'], ['EXEC']],
        ['EVAL', "return redis.call('SPUBLISH', 's', '4')", '0'],
      )
      return [first, sent.toString(), await client.text('PING')]
    })
  })

  for (const mode of [[], ['BCAST'], ['OPTOUT'], ['NOLOOP'], ['BCAST', 'PREFIX', 'k'], ['BCAST', 'NOLOOP']]) {
    it(`CLIENT TRACKING ${mode.join(' ')}: every value that is read is told of when it changes`, async (t, twins) => {
      await twins.same(t, async (server) => {
        using client = await RawClient.connect(server.port, 3)
        using other = await RawClient.connect(server.port)
        await client.text('CLIENT', 'TRACKING', 'ON', ...mode)
        const steps: Told[] = []
        const own = async (...commands: readonly Words[]): Promise<void> => {
          steps.push(told((await client.askAll(...commands)).toString() + (await client.text('PING'))))
        }
        const others = async (...command: Words): Promise<void> => {
          steps.push(told((await other.text(...command)) + (await client.text('PING'))))
        }
        await own(['SET', 'k1', '1'])
        await own(['GET', 'k1'], ['MGET', 'k1', 'k2'])
        await others('SET', 'k2', '2')
        await own(['GET', 'k1'], ['SET', 'k1', 'own'])
        await own(['GET', 'k1'])
        await others('EVAL', "return redis.call('SET', 'k1', 'scripted')", '0')
        await own(['MULTI'], ['GET', 'k1'], ['GET', 'k2'], ['INCR', 'k4'], ['EXEC'])
        await others('DEL', 'k1', 'k2', 'k4')
        await own(['EVAL', "return redis.call('GET', KEYS[1])", '1', 'k3'], ['BLPOP', 'k5', '0.001'])
        await others('SET', 'k3', '3')
        await others('LPUSH', 'k5', 'v')
        await own(['BLPOP', 'k5', '0'], ['LRANGE', 'k5', '0', '-1'], ['HGETALL', 'k6'])
        await others('HSET', 'k6', 'f', 'v')
        await others('FLUSHDB')
        return steps
      })
    })
  }

  it('CLIENT TRACKING: CLIENT CACHING is for the very next command', async (t, twins) => {
    for (const [mode, word] of [
      ['OPTIN', 'YES'],
      ['OPTOUT', 'NO'],
    ] as const) {
      await twins.same(t, async (server) => {
        using client = await RawClient.connect(server.port, 3)
        using other = await RawClient.connect(server.port)
        const told = [await client.text('CLIENT', 'TRACKING', 'ON', mode)]
        told.push((await client.askAll(['CLIENT', 'CACHING', word], ['GET', 'a'], ['GET', 'b'])).toString())
        told.push((await client.askAll(['CLIENT', 'CACHING', word], ['MULTI'], ['GET', 'c'], ['EXEC'])).toString())
        told.push((await client.askAll(['CLIENT', 'CACHING', word], ['HGETALL', 'd'], ['HGETALL', 'e'])).toString())
        told.push(await other.text('MSET', 'a', '1', 'b', '1', 'c', '1'), await client.text('PING'))
        told.push(await other.text('HSET', 'd', '1', '1'), await other.text('HSET', 'e', '1', '1'))
        told.push(await client.text('PING'), await client.text('CLIENT', 'TRACKINGINFO'))
        return told
      })
    }
  })

  it('CLIENT TRACKING REDIRECT: a RESP2 client is told on its other connection', async (t, twins) => {
    await twins.same(t, async (server) => {
      using client = await RawClient.connect(server.port)
      using listener = await RawClient.connect(server.port)
      using other = await RawClient.connect(server.port)
      const id = await idOf(listener)
      listener.send(['SUBSCRIBE', '__redis__:invalidate'])
      await until(async () => (await other.text('PUBSUB', 'NUMSUB', '__redis__:invalidate')).endsWith(':1\r\n'))
      await client.text('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id)
      const told = [await client.text('GET', 'k'), await other.text('SET', 'k', 'v')]
      listener.send(['UNSUBSCRIBE'])
      return [...told, await listener.text('PING')]
    })
  })

  for (const mode of [[], ['BCAST'], ['NOLOOP']]) {
    it(`CLIENT TRACKING ${mode.join(' ')}: no stale value stays in a cache while others write`, async (t, twins) => {
      const { hooked } = twins
      const keys = ['a', 'b', 'c']
      const admin = await hooked.client()
      const writers = await Promise.all([hooked.client(), hooked.client(), hooked.client()])
      using reader = await RawClient.connect(hooked.port, 3)
      await reader.text('CLIENT', 'TRACKING', 'ON', ...mode)
      const cache = new Map<string, string>()
      const read = async (...asked: readonly string[]): Promise<void> => {
        const left = [...asked]
        const got = await reader.askAll(...asked.map((key) => ['GET', key]))
        for (const word of wordsOf(got.toString())) {
          if (typeof word === 'string') cache.set(left.shift() ?? '', word)
          else for (const key of word ?? [...cache.keys()]) cache.delete(key)
        }
      }
      const state = { writing: true }
      const writes = writers.map(async (writer, w) => {
        for (let n = 0; n < 200; n++) await writer.pipeline(keys.map((key) => ['set', key, `${w}-${n}`])).exec()
      })
      const reads = (async () => {
        while (state.writing) await read(...keys)
      })()
      await Promise.all(writes)
      state.writing = false
      await reads
      await read()
      for (const [key, value] of cache) t.is(value, (await admin.get(key)) ?? '', key)
      t.true(cache.size <= keys.length)
    })
  }

  it('CLIENT NO-TOUCH: holds in MULTI and in scripts; what waits for its hook counts as an access', async (t, twins) => {
    await Promise.all(
      twins.servers.map(async (server) => {
        const [client, other] = [await server.client(), await server.client()]
        const idle = async (): Promise<boolean> => Number(await other.object('IDLETIME', 'k')) >= 2
        await client.set('k', 'v')
        await client.call('CLIENT', 'NO-TOUCH', 'ON')
        await until(idle, { what: 'an idle key' })
        await client.eval("return redis.call('GET', KEYS[1])", 1, 'k')
        await client.multi().get('k').exec()
        t.true(await idle())
        t.is(await client.get('k'), 'v')
        t.is(await idle(), server === twins.plain)
      }),
    )
  })

  it('CLIENT NO-EVICT, SETINFO, SETNAME, INFO: are about the client', async (t, twins) => {
    await twins.same(t, async (server) => {
      using client = await RawClient.connect(server.port)
      const got = await client.askAll(
        ...[
          ['CLIENT', 'NO-EVICT', 'ON'],
          ['CLIENT', 'SETNAME', 'me'],
          ['CLIENT', 'SETINFO', 'LIB-NAME', 'lib'],
        ],
        ...[
          ['SET', 'k', 'v'],
          ['CLIENT', 'NO-TOUCH', 'ON'],
          ['CLIENT', 'GETNAME'],
          ['CLIENT', 'GETREDIR'],
        ],
      )
      const info = await client.text('CLIENT', 'INFO')
      return [
        got.toString(),
        ...['name', 'lib-name', 'flags', 'db', 'cmd', 'user', 'resp'].map(
          (field) => new RegExp(` ${field}=\\S*`).exec(info)?.[0],
        ),
      ]
    })
  })

  it('HELLO: switches the protocol between the commands of a pipeline', async (t, twins) => {
    await twins.same(t, async (server) => {
      using client = await RawClient.connect(server.port)
      const got: string[] = []
      for (const resp of ['3', '2', '3']) {
        await client.ask('HELLO', resp)
        got.push(
          (
            await client.askAll(
              ...[
                ['DEL', 'h', 'z', 's'],
                ['HSET', 'h', 'f', 'v'],
                ['HGETALL', 'h'],
                ['ZADD', 'z', '1.5', 'm'],
                ['GET', 'no'],
              ],
              ...[
                ['ZSCORE', 'z', 'm'],
                ['SADD', 's', '1'],
                ['SMEMBERS', 's'],
                ['CONFIG', 'GET', 'hz'],
                ['GEOPOS', 'z', 'no'],
              ],
              ...[['MULTI'], ['HGETALL', 'h'], ['ZRANGE', 'z', '0', '-1', 'WITHSCORES'], ['EXEC']],
              ['EVAL', "redis.setresp(3) return redis.call('HGETALL', 'h')", '0'],
            )
          ).toString(),
        )
      }
      return got
    })
  })

  it('wrong words: unknown commands, arity, subcommands, empty words, inline commands', async (t, twins) => {
    await twins.same(t, (server) =>
      replies(
        server,
        ...[
          ['NONE'],
          ['NONE', 'a', 'b'],
          ['GET'],
          ['GET', 'a', 'b'],
          ['CONFIG'],
          ['CONFIG', 'NONE'],
          ['CONFIG', 'GET'],
        ],
        ...[
          ['OBJECT', 'NONE', 'k'],
          ['SET', 'k', 'v', 'NONE'],
          ['', 'a'],
          ['SET', '', ''],
          ['GET', ''],
          ['get', ''],
          ['gEt', ''],
        ],
        ...[
          ['EVAL', 'return redis.call("NONE")', '0'],
          ['EVAL', 'return redis.call("GET")', '0'],
          ['EVAL', '(', '0'],
        ],
        ...[
          ['MULTI'],
          ['GET'],
          ['NONE'],
          ['EXEC'],
          ['EXEC'],
          ['DISCARD'],
          ['MULTI'],
          ['MULTI'],
          ['WATCH', 'k'],
          ['DISCARD'],
        ],
        ...[
          ['LPUSH', 'l', 'a'],
          ['GET', 'l'],
          ['INCR', 'l'],
          ['XADD', 'k', '0-0', 'a', 'b'],
          ['ZADD', 'z', 'x', 'm'],
        ],
        ...[
          ['SET\0x', 'k', 'v'],
          ['SET', 'k\0', 'v\r\n'],
          ['GET', 'k\0'],
          ['FCALL', 'none', '0'],
          ['EVALSHA', 'x', '0'],
        ],
      ),
    )
  })

  it('100 MB: arguments and replies', async (t, twins) => {
    for (const server of twins.servers) {
      for (const [name, value] of Object.entries(server === twins.plain ? config : { ...config, ...hooks }))
        await server.cli('config', 'set', name, value)
    }
    const large = Buffer.alloc(100 * 2 ** 20, 'abcdefghijklmnopq')
    const client = await twins.hooked.client()
    t.is(await client.set('large', large), 'OK')
    t.true((await client.getBuffer('large'))?.equals(large))
    t.is(await client.append('large', 'x'), large.length + 1)
    t.is((await client.mget('none', 'large'))[1]?.length, large.length + 1)
    const [inMulti] = (await client.multi().get('large').exec()) ?? []
    t.is(String(inMulti?.[1]).length, large.length + 1)
    await client.rpush('list', ...Array.from({ length: 100_000 }, (_, n) => `element ${n}`))
    t.is((await client.lrange('list', 0, -1)).length, 100_000)
    t.is(twins.hooked.exit, undefined)
  })

  it('QUIT behind a hooked command: replies come, then the connection ends', async (t, twins) => {
    if (program.product === 'valkey') t.pass()
    const client = await RawClient.connect(twins.hooked.port)
    client.send(['SET', 'k', '1'], ['INCR', 'k'], ['QUIT'], ['INCR', 'k'])
    await client.closed
    t.is(await twins.hooked.cli('GET', 'k'), '2')
  })
})
