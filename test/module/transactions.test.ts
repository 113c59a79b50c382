// MULTI, WATCH and scripts: where a client cannot be blocked, the server's thread waits for the plugin.
import test from 'ava'
import type { Redis } from 'ioredis'
import { fixturePlugin, messageOf, RawClient, shareServers, until, withSettings } from '../helpers/index.js'

const plugins = ['counters', 'caller', 'slow'].map(fixturePlugin)

/** A call in a script, as the client wrote it. */
const script = (words: number): string =>
  `return redis.call(${Array.from({ length: words }, (_, n) => (n === 1 ? 'KEYS[1]' : `ARGV[${String(n === 0 ? 1 : n)}]`)).join(', ')})`

async function loadFunction(client: Redis, body: string, flags = ''): Promise<void> {
  const code = `#!lua name=lib\nredis.register_function{function_name='fn', ${flags} callback=function(KEYS, ARGV) ${body} end}`
  await client.call('FUNCTION', 'LOAD', 'REPLACE', code)
}

shareServers(test, { plugins, aof: true }, (it) => {
  it('MULTI: plugin commands and native ones answer in their order', async (t, server) => {
    const client = await server.client()
    const replies = await client
      .multi()
      .set('n', 5)
      .call('COUNTER.ADD', 'n', '3')
      .get('n')
      .call('COUNTER.INCR', 'n')
      .call('COUNTER.PEEK', 'n')
      .exec()
    t.deepEqual(replies, [
      [null, 'OK'],
      [null, 8],
      [null, '8'],
      [null, 9],
      [null, 9],
    ])
  })

  it('MULTI: nothing of another client comes in between', async (t, server) => {
    const [client, other] = [await server.client(), await server.client()]
    const stopping = new AbortController()
    const noise = (async () => {
      while (!stopping.signal.aborted) await other.incrby('n', 1000)
    })()
    for (let round = 0; round < 20; round++) {
      const replies = await client
        .multi()
        .set('n', 0)
        .call('COUNTER.ADD', 'n', '1')
        .call('COUNTER.ADD', 'n', '1')
        .get('n')
        .exec()
      t.deepEqual(replies?.slice(1), [
        [null, 1],
        [null, 2],
        [null, '2'],
      ])
    }
    stopping.abort()
    await noise
  })

  it('MULTI: a refusal of a plugin is an error in its place', async (t, server) => {
    const client = await server.client()
    const replies = await client.multi().call('COUNTER.THROWING', 'k').exists('k').exec()
    t.is(replies?.[0]?.[0]?.message, 'REFUSED nothing was done')
    t.is(replies?.[1]?.[1], 0)
  })

  it('scripts: who calls is found out without an entry in ACL LOG', async (t, server) => {
    const admin = await server.client()
    await admin.call('ACL', 'SETUSER', 'bob', 'on', '>pw', '~*', '-@all', '+eval', '+counter.incr', '+incr', '+echo')
    await admin.call('ACL', 'LOG', 'RESET')
    using bob = await RawClient.connect(server.port)
    await bob.ask('AUTH', 'bob', 'pw')
    t.is(await bob.text('EVAL', "return redis.call('COUNTER.INCR', KEYS[1])", '1', 'k'), ':1\r\n')
    t.deepEqual(await admin.call('ACL', 'LOG'), [])
    await admin.call('ACL', 'DELUSER', 'bob')
  })

  it("MULTI: a command with inTransaction 'refuse' is refused in its place", async (t, server) => {
    const client = await server.client()
    const replies = await client.multi().call('COUNTER.REFUSING', 'k').set('other', 1).exec()
    t.regex(replies?.[0]?.[0]?.message ?? '', /^ERR 'counter\.refusing' cannot run inside MULTI/)
    t.is(replies?.[1]?.[1], 'OK')
    t.is(await client.call('COUNTER.REFUSING', 'k'), 1)
  })

  it('MULTI: nested reads of ctx.redis work', async (t, server) => {
    const client = await server.client()
    const replies = await client
      .multi()
      .set('k', 'ab')
      .call('CALLER.GET', 'k')
      .call('CALLER.TWICE', 'k')
      .get('k')
      .exec()
    t.deepEqual(
      replies?.map(([, reply]) => reply),
      ['OK', 'ab', 'ab', 'abab'],
    )
  })

  it('MULTI: writes of ctx.redis are refused, and the reason says what to do', async (t, server) => {
    const client = await server.client()
    const replies = await client.multi().call('CALLER.SET', 'k', 'v').exists('k').exec()
    t.regex(replies?.[0]?.[0]?.message ?? '', /^ERR 'set' may write, but only reads are possible here.*ctx\.commit/)
    t.is(replies?.[1]?.[1], 0)
  })

  it('MULTI: DISCARD runs no plugin command', async (t, server) => {
    using client = await RawClient.connect(server.port)
    const replies = await client.askAll(['MULTI'], ['COUNTER.INCR', 'k'], ['DISCARD'], ['EXISTS', 'k'])
    t.is(replies.toString(), '+OK\r\n+QUEUED\r\n+OK\r\n:0\r\n')
  })

  it('MULTI: a wrong number of arguments aborts the transaction as a native command does', async (t, server) => {
    using client = await RawClient.connect(server.port)
    const replies = await client.askAll(['MULTI'], ['COUNTER.INCR'], ['EXEC'])
    t.regex(
      replies.toString(),
      /^\+OK\r\n-ERR wrong number of arguments for '(?:counter\.incr)' command\r\n-EXECABORT/i,
    )
  })

  it('WATCH: a commit of a plugin command touches the key', async (t, server) => {
    const [watcher, other] = [await server.client(), await server.client()]
    await watcher.watch('k')
    await other.call('COUNTER.INCR', 'k')
    t.is(await watcher.multi().set('k', 'lost').exec(), null)
    t.is(await watcher.get('k'), '1')
  })

  it('WATCH: a transaction with plugin commands fails when its key was touched', async (t, server) => {
    const [watcher, other] = [await server.client(), await server.client()]
    await watcher.watch('k')
    await other.set('k', 5)
    t.is(await watcher.multi().call('COUNTER.ADD', 'k', '1').exec(), null)
    await watcher.watch('k')
    t.deepEqual(await watcher.multi().call('COUNTER.ADD', 'k', '1').exec(), [[null, 6]])
  })

  it('WATCH: a plugin command that only reads touches nothing', async (t, server) => {
    const [watcher, other] = [await server.client(), await server.client()]
    await watcher.watch('k')
    await other.call('COUNTER.PEEK', 'k')
    t.deepEqual(await watcher.multi().set('k', 1).exec(), [[null, 'OK']])
  })

  it('EVAL: a plugin command with a commit answers the script', async (t, server) => {
    const client = await server.client()
    t.is(await client.eval(script(3), 1, 'k', 'COUNTER.ADD', '4'), 4)
    t.is(await client.get('k'), '4')
  })

  it('EVAL: the error of a plugin command is the error of redis.pcall', async (t, server) => {
    const client = await server.client()
    const code = "return redis.pcall('COUNTER.THROWING', KEYS[1]).err"
    t.is(await client.eval(code, 1, 'k'), 'REFUSED nothing was done')
    t.regex(
      await messageOf(client.eval("return redis.call('COUNTER.THROWING', KEYS[1])", 1, 'k')),
      /REFUSED nothing was done/,
    )
  })

  it('EVAL: nested reads of ctx.redis work, writes are refused', async (t, server) => {
    const client = await server.client()
    await client.set('k', 'v')
    t.is(await client.eval("return redis.call('CALLER.GET', KEYS[1])", 1, 'k'), 'v')
    t.regex(
      await messageOf(client.eval("return redis.call('CALLER.SET', KEYS[1], 'w')", 1, 'k')),
      /only reads are possible/,
    )
    t.is(await client.get('k'), 'v')
  })

  it('EVAL: maps and other types reach the script', async (t, server) => {
    const client = await server.client()
    const code =
      "redis.setresp(3) local r = redis.call('COUNTER.BOTH', KEYS[1], KEYS[2]) return {r.map.text, r.map.first, r.map.second}"
    t.deepEqual(await client.eval(code, 2, 'a', 'b'), ['both', 1, 1])
  })

  it('EVAL_RO: reading plugin commands run, writing ones are refused', async (t, server) => {
    const client = await server.client()
    await client.set('k', 3)
    t.is(await client.call('EVAL_RO', "return redis.call('COUNTER.PEEK', KEYS[1])", '1', 'k'), 3)
    t.regex(
      await messageOf(client.call('EVAL_RO', "return redis.call('COUNTER.INCR', KEYS[1])", '1', 'k')),
      /Write commands are not allowed from read-only scripts/,
    )
  })

  it('FCALL: a function calls plugin commands with commits', async (t, server) => {
    const client = await server.client()
    await loadFunction(client, "redis.call('COUNTER.ADD', KEYS[1], 2) return redis.call('COUNTER.ADD', KEYS[1], 3)")
    t.is(await client.call('FCALL', 'fn', '1', 'k'), 5)
  })

  it('FCALL_RO: a function with no-writes reads through plugin commands', async (t, server) => {
    const client = await server.client()
    await client.set('k', 9)
    await loadFunction(client, "return redis.call('COUNTER.PEEK', KEYS[1])", "flags={'no-writes'},")
    t.is(await client.call('FCALL_RO', 'fn', '1', 'k'), 9)
  })

  it('EVAL in MULTI: a plugin command inside', async (t, server) => {
    const client = await server.client()
    const replies = await client.multi().eval(script(3), 1, 'k', 'COUNTER.ADD', '4').call('COUNTER.INCR', 'k').exec()
    t.deepEqual(replies, [
      [null, 4],
      [null, 5],
    ])
  })
})

shareServers(test, { plugins, deadlines: 'default' }, (it) => {
  it('deadline: a handler that blocks 50 ms in MULTI is given up quickly, the server goes on', async (t, server) => {
    const [client, other] = [await server.client(), await server.client()]
    const replies = client.multi().set('before', 1).call('SLOW.BUSYSET', 'k', '50').set('after', 1).exec()
    const began = performance.now()
    const [, late] = (await replies) ?? []
    t.regex(late?.[0]?.message ?? '', /^TIMEOUT 'slow\.busyset' did not answer within ferrite\.sync-timeout/)
    t.log(`answered after ${(performance.now() - began).toFixed(1)} ms`)
    t.is(await other.get('after'), '1')
    t.is(await client.exists('k'), 0)
    const works = async (): Promise<boolean> => (await client.call('SLOW.WAITING', 'x')) === 0
    await until(works, { what: 'the plugin to answer again' })
    t.is(await client.exists('k'), 0, 'a late RESULT does nothing')
  })

  it('deadline: the lane refuses until it has answered, then works again', async (t, server) => {
    const client = await server.client()
    const replies = await client.multi().call('SLOW.BUSY', '300').call('SLOW.WAITING', 'x').exec()
    t.regex(replies?.[0]?.[0]?.message ?? '', /^TIMEOUT/)
    t.regex(replies?.[1]?.[0]?.message ?? '', /^UNAVAILABLE plugin slow missed a deadline/)
    const again = async (): Promise<boolean> => (await client.multi().call('SLOW.WAITING', 'x').exec())?.[0]?.[1] === 0
    await until(again, { what: 'the lane to be used in transactions again' })
    t.pass()
  })

  it('deadline: a plugin in another lane is not refused', async (t, server) => {
    const client = await server.client()
    const replies = await client.multi().call('SLOW.BUSY', '100').call('COUNTER.PEEK', 'x').exec()
    t.regex(replies?.[0]?.[0]?.message ?? '', /^TIMEOUT/)
    const second = replies?.[1]
    // The other plugin may be late on a busy machine, but it is asked.
    t.true(second?.[1] === 0 || (second?.[0]?.message ?? '').startsWith('TIMEOUT'), String(second))
    const again = async (): Promise<boolean> => (await client.multi().call('SLOW.WAITING', 'x').exec())?.[0]?.[1] === 0
    await until(again, { what: 'the lane to be used in transactions again' })
  })

  it('deadline: a promise in MULTI is waited for as long as the deadline', async (t, server) => {
    const client = await server.client()
    const replies = await client.multi().call('SLOW.WAIT', 'never').exec()
    t.regex(replies?.[0]?.[0]?.message ?? '', /^TIMEOUT/)
    const ended = async (): Promise<string | undefined> => ((await client.call('SLOW.ENDED')) as string[])[0]
    t.regex(await until(ended), /^never: /)
  })

  it('deadline: a lane whose handler still waits is asked again, with nothing but transactions', async (t, server) => {
    const client = await server.client()
    const replies = await client.multi().call('SLOW.WAIT', 'never').exec()
    t.regex(replies?.[0]?.[0]?.message ?? '', /^TIMEOUT/)
    const again = async (): Promise<boolean> => (await client.multi().call('SLOW.WAITING', 'x').exec())?.[0]?.[1] === 0
    await until(again, { what: 'the lane to be used in transactions again' })
    t.pass()
  })

  const tight = { 'ferrite.sync-timeout': 1000, 'ferrite.sync-budget': 40 }

  it('budget: an EXEC spends no more than ferrite.sync-budget on plugins', async (t, server) => {
    const client = await server.client()
    const multi = client.multi()
    for (let n = 0; n < 20; n++) multi.call('SLOW.BUSY', '10')
    const replies = (await withSettings(client, tight, () => multi.exec())) ?? []
    const messages = replies.map(([error, reply]) => error?.message ?? String(reply))
    const served = messages.filter((message) => message === 'OK').length
    t.true(served <= 4, messages.join('; '))
    t.regex(messages.at(-1) ?? '', /ferrite\.sync-budget is used up|missed a deadline/)
    const again = async (): Promise<boolean> => (await client.multi().call('SLOW.WAITING', 'x').exec())?.[0]?.[1] === 0
    await until(again, { what: 'a new budget for the next EXEC' })
  })

  it('budget: it is one for all the plugin calls of a script', async (t, server) => {
    const client = await server.client()
    const code =
      "local errors = 0 for i = 1, 20 do local r = redis.pcall('SLOW.BUSY', '10') if type(r) == 'table' and r.err then errors = errors + 1 end end return errors"
    const errors = Number(await withSettings(client, tight, () => client.eval(code, 0)))
    t.true(errors >= 16, `${String(errors)} of 20 calls failed`)
  })
})
