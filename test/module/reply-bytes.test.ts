// Every kind of reply as the very bytes that RESP2 and RESP3 clients get.
import test from 'ava'
import { fixturePlugin, RawClient, shareServers } from '../helpers/index.js'

const allBytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('latin1')
const bulk = (text: string): string => `$${String(text.length)}\r\n${text}\r\n`
const nested = (levels: number): string => '*1\r\n'.repeat(levels) + bulk('core')

/** kind, RESP2, RESP3 (the same where it is left out) */
type Row = readonly [kind: string, resp2: string, resp3?: string]

const families: Readonly<Record<string, readonly Row[]>> = {
  'null and booleans': [
    ['null', '$-1\r\n', '_\r\n'],
    ['true', ':1\r\n', '#t\r\n'],
    ['false', ':0\r\n', '#f\r\n'],
  ],
  strings: [
    ['string', bulk('hello')],
    ['unicode', bulk(Buffer.from('grüße €').toString('latin1'))],
    ['empty', bulk('')],
    ['line-breaks', bulk('a\r\nb\0c')],
    ['bytes', bulk(allBytes)],
    ['uint8array', bulk('\x00\xff\r\n')],
    ['simple', '+FINE\r\n'],
    ['verbatim', bulk('some text'), '=13\r\ntxt:some text\r\n'],
    ['markdown', bulk('# title'), '=11\r\nmkd:# title\r\n'],
    ['empty-verbatim', bulk(''), '=4\r\ntxt:\r\n'],
  ],
  integers: [
    ['integer', ':42\r\n'],
    ['negative', ':-7\r\n'],
    ['minus-zero', ':0\r\n'],
    ['safe-max', ':9007199254740991\r\n'],
    ['int64-max', ':9223372036854775807\r\n'],
    ['int64-min', ':-9223372036854775808\r\n'],
    ['big-number', bulk(`1${'0'.repeat(30)}`), `(1${'0'.repeat(30)}\r\n`],
    ['negative-big-number', bulk(`-1${'0'.repeat(30)}`), `(-1${'0'.repeat(30)}\r\n`],
    ['small-big-number', bulk('5'), '(5\r\n'],
  ],
  doubles: [
    ['double', bulk('1.5'), ',1.5\r\n'],
    ['whole-double', bulk('3'), ',3\r\n'],
    ['inf', bulk('inf'), ',inf\r\n'],
    ['minus-inf', bulk('-inf'), ',-inf\r\n'],
    ['nan', bulk('nan'), ',nan\r\n'],
  ],
  aggregates: [
    ['array', '*4\r\n$1\r\na\r\n:1\r\n$-1\r\n:1\r\n', '*4\r\n$1\r\na\r\n:1\r\n_\r\n#t\r\n'],
    ['empty-array', '*0\r\n'],
    ['set', '*2\r\n$1\r\na\r\n$1\r\nb\r\n', '~2\r\n$1\r\na\r\n$1\r\nb\r\n'],
    ['empty-set', '*0\r\n', '~0\r\n'],
    ['reply-set', '*2\r\n:1\r\n:2\r\n', '~2\r\n:1\r\n:2\r\n'],
    ['map', '*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n$3\r\ntwo\r\n', '%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n$3\r\ntwo\r\n'],
    ['empty-map', '*0\r\n', '%0\r\n'],
    [
      'map-with-any-keys',
      '*6\r\n:1\r\n$3\r\none\r\n$1\r\n\xff\r\n$-1\r\n*1\r\n$1\r\nx\r\n$4\r\nlist\r\n',
      '%3\r\n:1\r\n$3\r\none\r\n$1\r\n\xff\r\n_\r\n*1\r\n$1\r\nx\r\n$4\r\nlist\r\n',
    ],
    [
      'js-map',
      '*2\r\n$1\r\nk\r\n*2\r\n$5\r\ninner\r\n*2\r\n:1\r\n*2\r\n$4\r\ndeep\r\n$-1\r\n',
      '%1\r\n$1\r\nk\r\n%1\r\n$5\r\ninner\r\n*2\r\n:1\r\n%1\r\n$4\r\ndeep\r\n_\r\n',
    ],
    [
      'maps-in-maps',
      '*2\r\n$1\r\na\r\n*2\r\n$1\r\nb\r\n*2\r\n$1\r\nc\r\n*1\r\n*2\r\n$1\r\nd\r\n*1\r\n$3\r\n1.5\r\n',
      '%1\r\n$1\r\na\r\n%1\r\n$1\r\nb\r\n%1\r\n$1\r\nc\r\n*1\r\n%1\r\n$1\r\nd\r\n~1\r\n,1.5\r\n',
    ],
    ['deep-array', nested(32)],
    ['error-item', '*3\r\n$6\r\nbefore\r\n-NOTFOUND no such item\r\n$5\r\nafter\r\n'],
    ['promise', '*2\r\n$5\r\nlater\r\n:1\r\n', '%1\r\n$5\r\nlater\r\n#t\r\n'],
  ],
  'errors on purpose': [
    ['error', '-NOTFOUND no such thing\r\n'],
    ['plugin-error', '-GONE returned, not thrown\r\n'],
    ['thrown-plugin-error', '-NOFUNDS balance is 3, 5 needed\r\n'],
    ['async-error', '-LATER rejected\r\n'],
  ],
}

const faults = [
  'thrown-error',
  'thrown-null',
  'async-thrown-null',
  'undefined',
  'undefined-inside',
  'function',
  'date',
  'too-deep',
]

shareServers(test, { plugins: [fixturePlugin('types')] }, (it) => {
  for (const resp of [2, 3] as const) {
    for (const [family, rows] of Object.entries(families)) {
      it(`replies: ${family} in RESP${String(resp)}`, async (t, server) => {
        using client = await RawClient.connect(server.port, resp)
        for (const [kind, resp2, resp3 = resp2] of rows) {
          t.is(await client.text('TYPES.REPLY', kind), resp === 2 ? resp2 : resp3, kind)
        }
      })
    }
  }

  it('replies: the smallest and largest double keep their value', async (t, server) => {
    using client = await RawClient.connect(server.port, 3)
    t.is(Number((await client.text('TYPES.REPLY', 'tiny')).slice(1)), 5e-324)
    t.is(Number((await client.text('TYPES.REPLY', 'huge')).slice(1)), 1.7976931348623157e308)
  })

  it('replies: a fault of the plugin is told by a number, its cause only in the log', async (t, server) => {
    using client = await RawClient.connect(server.port)
    for (const kind of faults) {
      const line = await client.text('TYPES.REPLY', kind)
      const id = /^-ERR plugin types failed \(id ([0-9a-f]{8})\)\r\n$/.exec(line)?.[1]
      if (id === undefined) return t.fail(`${kind} was answered with ${line}`)
      await server.logged(id)
    }
    t.true((await server.log()).includes('a bug with the word secret in it'))
  })

  it('replies: line breaks in an error become spaces', async (t, server) => {
    using client = await RawClient.connect(server.port)
    t.regex(await client.text('TYPES.REPLY', 'thrown-with-line-break'), /^-ODD first +second\r\n$/)
  })

  it('replies: the context tells the protocol, user and database', async (t, server) => {
    using client = await RawClient.connect(server.port, 3)
    const id = Number((await client.text('CLIENT', 'ID')).slice(1))
    const before = Date.now()
    const [, reply] = (await client.askAll(['SELECT', '5'], ['TYPES.CONTEXT'])).toString().split('+OK\r\n')
    const pattern =
      /^%5\r\n\$4\r\nuser\r\n\$7\r\ndefault\r\n\$2\r\ndb\r\n:5\r\n\$4\r\nresp\r\n:3\r\n\$8\r\nclientId\r\n:(\d+)\r\n\$3\r\nnow\r\n:(\d+)\r\n$/
    const match = pattern.exec(reply ?? '')
    if (match === null) return t.fail(`got ${String(reply)}`)
    t.is(Number(match[1]), id)
    t.true(Number(match[2]) >= before - 2 && Number(match[2]) <= Date.now() + 2, 'now is the time in ms')
  })

  it('replies: a pipeline of native and plugin commands keeps its order', async (t, server) => {
    using client = await RawClient.connect(server.port)
    const commands = []
    let expected = ''
    for (let n = 0; n < 500; n++) {
      const text = String(n)
      const isNative = (n * 7919) % 3 === 0
      commands.push(isNative ? ['ECHO', text] : ['TYPES.ECHO', text])
      expected += bulk(text)
    }
    t.is((await client.askAll(...commands)).toString(), expected)
  })
})
