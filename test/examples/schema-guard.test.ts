import test from 'ava'
import { compareVersions } from '#lib/servers/server-version.js'
import { example, messageOf, shareServers } from '../helpers/index.js'

const good = '{"id":"7","items":[{"quantity":2,"sku":"tea"}]}'
const loose = '{ "items": [ {"sku": "tea", "quantity": 2} ],\n "id": "7" }'

shareServers(test, { plugins: [example('schema-guard')], since: '7.2' }, (it, { product, version }) => {
  it('schema-guard: what fits is written in its canonical form', async (t, server) => {
    const client = await server.client()
    t.is(await client.set('order:7', loose, 'EX', 100), 'OK')
    t.is(await client.get('order:7'), good)
    t.true((await client.ttl('order:7')) > 0)
    await client.setex('order:1', 100, loose)
    await client.psetex('order:2', 100_000, loose)
    t.is(await client.setnx('order:3', loose), 1)
    t.is(await client.getset('order:3', loose), good)
    await client.mset('order:4', loose, 'other', ' {} ', 'order:draft:5', ' { "b": 1, "a": [ ] } ')
    t.is(await client.msetnx('order:6', loose, 'order:8', loose), 1)
    for (const key of ['order:1', 'order:2', 'order:3', 'order:4', 'order:6', 'order:8']) {
      t.is(await client.get(key), good, key)
    }
    t.is(await client.get('order:draft:5'), '{"a":[],"b":1}')
    t.is(await client.get('other'), ' {} ')
    if (product === 'redis' && compareVersions(version, '8.4') >= 0) {
      t.is(await client.call('MSETEX', '2', 'order:9', loose, 'other', ' x', 'EX', '100'), 1)
      t.deepEqual(await client.mget('order:9', 'other'), [good, ' x'])
      t.regex(await messageOf(client.call('MSETEX', '2', 'other', 'y', 'order:9', '1')), /^SCHEMA order:9: /)
    }
  })

  it('schema-guard: what does not fit is refused, with path, value and expectation', async (t, server) => {
    const client = await server.client()
    const cases: readonly (readonly [value: string, message: string])[] = [
      ['{"id":"7"}', `order:7: / must have required property 'items', got {"id":"7"}`],
      ['{"id":"7","items":[{"sku":"tea","quantity":0}]}', 'order:7: /items/0/quantity must be >= 1, got 0'],
      [good.replace('}]', '}],"status":"lost"'), 'order:7: /status must be one of ["open","paid","sent"], got "lost"'],
      [`{"id":"${'x'.repeat(80)}","items":7}`, 'order:7: /items must be array, got 7'],
      [good.replace('"sku"', '"\\u0000":1,"sku"'), ''],
      [good.replace('"tea"', '"tea","price":0.12345678901234567'), ''],
    ]
    for (const [value, message] of cases) {
      const got = await messageOf(client.set('order:7', value))
      if (message === '') t.regex(got, /^SCHEMA order:7: (\/items\/0 must not have the property|the number 0\.123)/)
      else t.is(got, `SCHEMA ${message}`)
    }
    t.regex(await messageOf(client.set('order:7', '{"id":')), /^SCHEMA order:7: .*JSON/)
    t.is(
      await messageOf(client.set('order:7', Buffer.from([0x22, 0xff, 0x22]))),
      'SCHEMA order:7: the bytes are not UTF-8',
    )
    t.regex(await messageOf(client.mset('other', '1', 'order:7', '1')), /^SCHEMA order:7: \/ must be object, got 1$/)
    t.is(await client.exists('order:7', 'other'), 0)
  })

  it('schema-guard: numbers are kept or refused, never rounded; the order of names does not matter', async (t, server) => {
    const client = await server.client()
    const write = (value: string): Promise<string> => messageOf(client.set('order:draft:1', value))
    for (const number of ['12345678901234567890', '1e400', '0.12345678901234567', '1e-400', '9007199254740993']) {
      t.is(await write(`{"n":${number}}`), `SCHEMA order:draft:1: the number ${number} cannot be kept exactly`)
    }
    t.is(await write('['.repeat(10_000) + ']'.repeat(10_000)), 'SCHEMA order:draft:1: nested deeper than 64 levels')
    await client.set('order:draft:1', '{"é":1,"b":-0.5e1,"a":"1e400 \\" 12345678901234567890","n":9007199254740991}')
    t.is(await client.get('order:draft:1'), '{"a":"1e400 \\" 12345678901234567890","b":-5,"n":9007199254740991,"é":1}')
    await client.set('order:draft:1', '{"b":{"d":1,"c":2},"a":1,"__proto__":{"x":1},"a":2}')
    t.is(await client.get('order:draft:1'), '{"__proto__":{"x":1},"a":2,"b":{"c":2,"d":1}}')
  })

  it('schema-guard: commands whose outcome cannot be told are refused for guarded keys alone', async (t, server) => {
    const client = await server.client()
    await client.set('order:7', good)
    await client.set('loose', 'x')
    for (const [name = '', ...args] of [
      ['APPEND', 'order:7', 'x'],
      ['SETRANGE', 'order:7', '0', 'x'],
      ['INCR', 'order:9'],
      ['COPY', 'loose', 'order:9'],
      ['RENAME', 'loose', 'order:9'],
      ['RENAME', 'order:7', 'loose'],
      ['HSET', 'order:9', 'id', '7'],
      ['BITOP', 'NOT', 'order:9', 'loose'],
      ['SORT', 'loose', 'STORE', 'order:9'],
      ['RESTORE', 'order:9', '0', 'x'],
    ]) {
      t.regex(await messageOf(client.call(name, ...args)), new RegExp(`^SCHEMA ${name} cannot be checked`), name)
    }
    t.is(await client.append('loose', 'y'), 2)
    t.is(await client.get('order:7'), good)
    t.is(await client.expire('order:7', 100), 1)
    t.is(await client.getdel('order:7'), good)
    t.is(await client.exists('order:9'), 0)
  })

  it('schema-guard: transactions and scripts are guarded too', async (t, server) => {
    const client = await server.client()
    t.deepEqual(await client.multi().set('order:7', loose).get('order:7').exec(), [
      [null, 'OK'],
      [null, good],
    ])
    await t.throwsAsync(client.multi().set('order:7', '1').set('other', '1').exec(), { message: /^EXECABORT/ })
    t.is(await client.exists('other'), 0)
    const script = "return redis.call('SET', KEYS[1], ARGV[1])"
    t.is(await client.eval(script, 1, 'order:8', loose), 'OK')
    t.is(await client.get('order:8'), good)
    t.regex(await messageOf(client.eval(script, 1, 'order:8', '1')), /SCHEMA order:8: \/ must be object, got 1/)
  })
})
