// Results of hooks that no host would send: the hook has failed, or the lane is closed; the server lives.
import test from 'ava'
import { MessageType } from '#lib/bridge/messages.js'
import { ByteWriter } from '#lib/bridge/byte-writer.js'
import { fixturePlugin, forEachServer, startServer } from '../helpers/index.js'
import { assertLives, errorOf } from './faults.js'
import { RawPeer } from './raw-peer.js'

const hook = 'hook guards/size'

interface BadResult {
  readonly outcome: number
  readonly reply: string
  readonly flags?: number
  /** Behind the reply, in hexadecimal digits. */
  readonly more?: string
  readonly error: RegExp
}

const commit = '01000000' + '01000000' + '04000000' + Buffer.from('PING').toString('hex')
const failed = /ERR hook guards\/size /
const closed = /UNAVAILABLE the plugin's worker has ended/

const results: Readonly<Record<string, BadResult>> = {
  'a reply that stands for one of a commit': { outcome: 0, reply: '@0\r\n', flags: 2, more: commit, error: failed },
  'a commit beside continue': { outcome: 4, reply: '', flags: 2, more: commit, error: failed },
  'a commit beside a denial': { outcome: 1, reply: '-NO @0\r\n', flags: 2, more: commit, error: failed },
  'assumed reads': { outcome: 4, reply: '', flags: 4, more: '00000000', error: failed },
  'a rewrite to no words': { outcome: 5, reply: '*0\r\n', error: /not a list of words/ },
  'a rewrite to a null': { outcome: 5, reply: '*-1\r\n', error: /not a list of words/ },
  'a rewrite to a text': { outcome: 5, reply: '$3\r\nSET\r\n', error: /not a list of words/ },
  'a rewrite to numbers': { outcome: 5, reply: '*2\r\n$4\r\nINCR\r\n:1\r\n', error: /not a list of words/ },
  'a rewrite to a null word': { outcome: 5, reply: '*2\r\n$4\r\nINCR\r\n$-1\r\n', error: /not a list of words/ },
  'a rewrite to lists': { outcome: 5, reply: '*2\r\n$4\r\nINCR\r\n*1\r\n$1\r\na\r\n', error: /not a list of words/ },
  'a rewrite to a name that is none': { outcome: 5, reply: '*1\r\n$0\r\n\r\n', error: /cannot be run in its place/ },
  'a rewrite to what a hook cannot see': { outcome: 5, reply: '*1\r\n$4\r\nAUTH\r\n', error: /cannot be run/ },
  'a rewrite to a wrapper': { outcome: 5, reply: '*2\r\n$11\r\n_ferrite.w0\r\n$4\r\nPING\r\n', error: /cannot be run/ },
  'run again': { outcome: 3, reply: '', error: failed },
  'a failure that is no error': { outcome: 2, reply: '+OK\r\n', error: failed },
  'an unknown outcome': { outcome: 6, reply: '', error: closed },
  'a reply that is none': { outcome: 0, reply: 'what', error: closed },
}

const ways: Readonly<Record<string, readonly [string, ...string[]]>> = {
  'while the client waits': ['SET', 'user:1', 'x'],
  'while the server waits': ['EVAL', "return redis.call('SET', 'user:1', 'x')", '0'],
}

for (const [way, words] of Object.entries(ways)) {
  forEachServer(
    test,
    `faults: results that no host would send fail the hook, ${way}`,
    async (t, program) => {
      await using server = await startServer({
        server: program,
        plugins: [fixturePlugin('guards')],
        waitForPlugins: false,
        config: { 'ferrite.host-mode': 'external', 'ferrite.sync-timeout': 1000, 'ferrite.sync-budget': 5000 },
      })
      const client = await server.client()
      for (const [what, { outcome, reply, flags = 0, more = '', error }] of Object.entries(results)) {
        const peer = await RawPeer.lane(server, 'plugins', 'hooks')
        t.deepEqual(await peer.attach('guards', hook), [])
        const answer = errorOf(client, ...words)
        const { id } = await peer.next('INVOKE')
        const body = Buffer.concat([str(reply), Buffer.from(more, 'hex')])
        peer.sendFrame(MessageType.RESULT, body, { code: outcome, flags, id: Number(id) })
        t.regex(await answer, error, what)
        t.is(await client.exists('user:1'), 0, what)
        peer.end()
      }
      assertLives(t, server)
    },
    { since: '7.2' },
  )
}

function str(text: string): Buffer {
  const writer = new ByteWriter()
  writer.str(text)
  return writer.take()
}
