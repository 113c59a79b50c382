import test from 'ava'
import { compareVersions } from '#lib/servers/server-version.js'
import type { Redis } from 'ioredis'
import { example, messageOf, shareServers, until, type TestServer } from '../helpers/index.js'

interface Three {
  /** Sees everything as it is. */
  readonly admin: Redis
  readonly acme: Redis
  readonly globex: Redis
}

async function clients(server: TestServer): Promise<Three> {
  const admin = await server.client()
  await admin.call('ACL', 'SETUSER', 'acme', 'on', '>pw', '~*', '&*', '+@all')
  // As the README has it.
  const line =
    'on >pw ~* resetchannels &globex:* +@all -@admin -ferrite.call -ferrite.emit -ferrite.plugin -ferrite.hook'
  await admin.call('ACL', 'SETUSER', 'globex', ...line.split(' '))
  const of = (username: string): Promise<Redis> => server.client({ username, password: 'pw' })
  return { admin, acme: await of('acme'), globex: await of('globex') }
}

const sorted = (items: readonly string[]): readonly string[] => [...items].sort()

shareServers(
  test,
  { plugins: [example('tenant-prefix'), example('rate-limiter')], since: '7.2' },
  (it, { product, version }) => {
    it('tenant-prefix: each tenant has keys of its own, others see them as they are', async (t, server) => {
      const { admin, acme, globex } = await clients(server)
      await acme.set('a', '1')
      await globex.set('a', '2')
      await admin.set('a', '3')
      t.deepEqual([await acme.get('a'), await globex.get('a'), await admin.get('a')], ['1', '2', '3'])
      t.deepEqual(sorted(await admin.keys('*')), ['a', 'acme:a', 'globex:a'])
      t.is(await acme.get('globex:a'), null)
      t.is(await acme.del('a', 'globex:a'), 1)
      t.is(await globex.get('a'), '2')
    })

    it('tenant-prefix: keys are found wherever the command has them', async (t, server) => {
      const { admin, acme } = await clients(server)
      for (const [name = '', ...args] of [
        ['MSET', 'a', '1', 'b', '2'],
        ['BITOP', 'AND', 'c', 'a', 'b'],
        ['SADD', 's1', '1', '2'],
        ['SADD', 's2', '2'],
        ['SINTERSTORE', 's3', 's1', 's2'],
        ['ZADD', 'z1', '1', 'x'],
        ['ZUNIONSTORE', 'z2', '2', 'z1', 'z1', 'WEIGHTS', '1', '2'],
        ['GEOADD', 'g1', '13', '38', 'x'],
        ['GEORADIUS', 'g1', '13', '38', '1', 'km', 'STORE', 'g2'],
        ['XADD', 'x1', '*', 'f', 'v'],
        ['XGROUP', 'CREATE', 'x2', 'STREAMS', '$', 'MKSTREAM'],
        ['XADD', 'x2', '*', 'f', 'v'],
        ['RPUSH', 'l1', 'v'],
        ['RPUSH', 'l3', 'v'],
        ['LMOVE', 'l1', 'l2', 'LEFT', 'LEFT'],
        ['RENAME', 'l2', 'l4'],
        ['COPY', 'a', 'd'],
        ['MSETNX', 'e', '1', 'f', '2'],
      ]) {
        await t.notThrowsAsync(acme.call(name, ...args), name)
      }
      const names = 'a b c d e f g1 g2 l3 l4 s1 s2 s3 x1 x2 z1 z2'.split(' ')
      t.deepEqual(
        sorted(await admin.keys('*')),
        names.map((name) => `acme:${name}`),
      )
      t.deepEqual(sorted(await acme.keys('*')), names)
      t.is(await acme.call('OBJECT', 'REFCOUNT', 'l4'), 1)
      if (product === 'redis' && compareVersions(version, '8.4') >= 0) {
        await acme.call('MSETEX', '2', 'm1', '1', 'm2', '2', 'EX', '100')
        t.is(await admin.exists('acme:m1', 'acme:m2', 'm1', 'm2'), 2)
      }
      t.is(await acme.call('SINTERCARD', '2', 's1', 's2'), 1)
      t.deepEqual(await acme.call('LMPOP', '2', 'none', 'l3', 'LEFT'), ['l3', ['v']])
      t.deepEqual(await acme.call('ZMPOP', '1', 'z1', 'MIN'), ['z1', [['x', '1']]])
      const group = await acme.call('XREADGROUP', 'GROUP', 'STREAMS', 'c', 'STREAMS', 'x2', '>')
      t.regex(JSON.stringify(group), /"acme:x2"/)
      t.deepEqual(await acme.blpop('none', 'l4', 1), ['acme:l4', 'v'])
    })

    it('tenant-prefix: KEYS, SCAN and RANDOMKEY show the tenant’s names', async (t, server) => {
      const { admin, acme, globex } = await clients(server)
      for (let n = 0; n < 50; n++) await admin.set(`other:${n}`, '')
      t.is(await acme.randomkey(), null)
      await acme.mset('k1', '', 'k2', '', 'h', '')
      await acme.call('SADD', 'set', 'm')
      await globex.set('k3', '')
      t.deepEqual(sorted(await acme.keys('k?')), ['k1', 'k2'])
      t.deepEqual(await acme.keys('acme:*'), [])
      const scan = async (...options: readonly string[]): Promise<readonly string[]> => {
        const found: string[] = []
        let cursor = '0'
        do {
          const [next, keys] = (await acme.call('SCAN', cursor, ...options)) as [string, string[]]
          found.push(...keys)
          cursor = next
        } while (cursor !== '0')
        return sorted(found)
      }
      t.deepEqual(await scan(), ['h', 'k1', 'k2', 'set'])
      t.deepEqual(await scan('match', 'k*', 'COUNT', '7'), ['k1', 'k2'])
      t.deepEqual(await scan('TYPE', 'set'), ['set'])
      t.deepEqual(await scan('MATCH', 'globex:*', 'MATCH', '*3'), [])
      for (let n = 0; n < 10; n++) t.true(['h', 'k1', 'k2', 'set'].includes(String(await acme.randomkey())))
      const resp3 = await server.client({ username: 'acme', password: 'pw', protocol: 3 })
      t.deepEqual(sorted(await resp3.keys('*')), ['h', 'k1', 'k2', 'set'])
    })

    it('tenant-prefix: SORT reads and stores the tenant’s keys alone', async (t, server) => {
      const { admin, acme } = await clients(server)
      await admin.mset('w:a', '1', 'w:b', '2')
      await acme.rpush('list', 'a', 'b', 'c')
      await acme.mset('w:a', '3', 'w:b', '2', 'w:c', '1')
      const words = ['list', 'BY', 'w:*', 'LIMIT', '0', '2', 'GET', '#', 'GET', 'w:*', 'DESC']
      t.deepEqual(await acme.call('SORT', ...words), ['a', '3', 'b', '2'])
      t.is(await acme.call('SORT', 'list', 'BY', 'nosort', 'store', 'to'), 3)
      t.is(await admin.llen('acme:to'), 3)
      t.regex(await messageOf(acme.call('SORT', 'list', 'STORE')), /^NOPERM a tenant cannot use SORT, without/)
    })

    it('tenant-prefix: transactions and WATCH', async (t, server) => {
      const { admin, acme, globex } = await clients(server)
      const [, keys] = (await acme.multi().set('a', '1').keys('*').get('a').exec()) ?? []
      t.deepEqual(keys, [null, ['a']])
      await acme.watch('a')
      await globex.set('a', '2')
      t.deepEqual(await acme.multi().get('a').exec(), [[null, '1']])
      await acme.watch('a')
      await admin.set('acme:a', '3')
      t.is(await acme.multi().get('a').exec(), null)
      await t.throwsAsync(acme.multi().set('a', '4').flushall().exec(), { message: /^EXECABORT/ })
      t.is(await acme.get('a'), '3')
    })

    it('tenant-prefix: scripts and functions reach the tenant’s keys alone, declared or not', async (t, server) => {
      const { admin, acme, globex } = await clients(server)
      await globex.set('a', 'globex')
      t.is(await acme.eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, 'a', 'acme'), 'OK')
      t.is(await acme.eval("return redis.call('GET', 'a')", 0), 'acme')
      t.is(await acme.eval("return redis.call('GET', 'globex:a')", 0), null)
      t.deepEqual(await acme.eval("return redis.call('KEYS', '*')", 0), ['a'])
      t.deepEqual(await acme.eval("return redis.call('SCAN', '0', 'COUNT', '1000')", 0), ['0', ['a']])
      t.regex(await messageOf(acme.eval("return redis.call('FLUSHALL')", 0)), /NOPERM a tenant cannot use FLUSHALL/)
      t.regex(await messageOf(acme.eval("return redis.call('RANDOMKEY')", 0)), /NOPERM a tenant cannot use RANDOMKEY/)
      const code =
        "#!lua name=lib\nredis.register_function('get', function(keys) return redis.call('GET', keys[1]) end)"
      await admin.call('FUNCTION', 'LOAD', 'REPLACE', code)
      t.is(await acme.call('FCALL', 'get', '1', 'a'), 'acme')
      t.is(await globex.call('FCALL', 'get', '1', 'a'), 'globex')
      t.deepEqual(await acme.multi().eval("return redis.call('GET', KEYS[1])", 1, 'a').exec(), [[null, 'acme']])
      await admin.call('FUNCTION', 'FLUSH')
    })

    it('tenant-prefix: what is not known to be safe is refused', async (t, server) => {
      const { admin, acme } = await clients(server)
      await admin.set('a', 'admin')
      await acme.set('a', '1')
      for (const [name = '', ...args] of [
        ['FLUSHALL'],
        ['FLUSHDB'],
        ['SWAPDB', '0', '1'],
        ['DBSIZE'],
        ['MIGRATE', '127.0.0.1', '1', 'a', '0', '10'],
        ['CONFIG', 'GET', '*'],
        ['DEBUG', 'OBJECT', 'a'],
        ['MONITOR'],
        ['CLIENT', 'LIST'],
        ['CLIENT', 'KILL', 'USER', 'default'],
        ['CLIENT', 'TRACKING', 'ON'],
        ['SLOWLOG', 'GET'],
        ['ACL', 'SETUSER', 'acme', '~*'],
        ['FUNCTION', 'LIST'],
        ['SCRIPT', 'FLUSH'],
        ['MEMORY', 'STATS'],
        ['KEYS', 'a', 'b'],
        ['SCAN', '0', 'NOVALUES'],
        ['ZUNION', 'x', 'a'],
        ['ZUNION', '2', 'a'],
        ['GEORADIUS', 'g', '1', '1', '1', 'm', 'STORE', 'mine', 'STORE', 'yours'],
      ]) {
        const message = await messageOf(acme.call(name, ...args))
        t.regex(message, /^(NOPERM a tenant cannot use|ERR wrong number of arguments)/, [name, ...args].join(' '))
      }
      t.is(await admin.get('a'), 'admin')
      t.is(await admin.get('acme:a'), '1')
      const check = ['RATELIMIT.CHECK', 'a', '1', '1000']
      t.regex(
        await messageOf(acme.call(...(check as [string, ...string[]]))),
        /^NOPERM a tenant cannot use RATELIMIT.CHECK/,
      )
      t.regex(await messageOf(acme.call('FERRITE.CALL', ...check)), /a hook/)
      t.is(await admin.exists('a', 'acme:a'), 2)
    })

    it('tenant-prefix: what is about no keys works; channels are common', async (t, server) => {
      const { admin, acme } = await clients(server)
      t.is(await acme.ping(), 'PONG')
      t.is(await acme.call('ACL', 'WHOAMI'), 'acme')
      t.regex(await messageOf(acme.cluster('SLOTS')), /^ERR This instance has cluster support disabled/)
      t.regex(await messageOf(acme.cluster('RESET')), /^NOPERM /)
      t.regex(await acme.info(), /loading:0/)
      t.notRegex(await acme.info('keyspace'), /db0/)
      await acme.select(1)
      await acme.set('in-one', '')
      t.is(await (await server.client({ db: 1 })).exists('acme:in-one'), 1)
      const subscriber = await server.client({ username: 'acme', password: 'pw' })
      const heard: string[] = []
      subscriber.on('message', (channel, text) => heard.push(`${channel} ${text}`))
      await subscriber.subscribe('news')
      await admin.publish('news', 'hello')
      await until(() => heard.length > 0, { what: 'the message' })
      t.deepEqual(heard, ['news hello'])
    })
  },
)
