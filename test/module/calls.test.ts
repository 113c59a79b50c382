// What a plugin's calls of the server do: on whose behalf, in which database, with which replies.
import test from 'ava'
import { fixturePlugin, messageOf, shareServers } from '../helpers/index.js'

shareServers(test, { plugins: [fixturePlugin('caller')] }, (it) => {
  it('calls: ctx.redis reads and writes in the database of the caller', async (t, server) => {
    const client = await server.client({ db: 3 })
    t.is(await client.call('CALLER.SET', 'k', 'v'), 'OK')
    t.is(await client.call('CALLER.GET', 'k'), 'v')
    t.is(await (await server.client({ db: 0 })).exists('k'), 0)
  })

  it('calls: ctx.call gives RESP3 values', async (t, server) => {
    const client = await server.client({ protocol: 3, replyMapping: 'resp3' } as object)
    await client.call('CALLER.CALL', 'HSET', 'h', 'f', 'v')
    t.deepEqual(await client.call('CALLER.CALL', 'HGETALL', 'h'), { f: 'v' })
  })

  it('calls: an error of the server reaches the client as it was', async (t, server) => {
    const client = await server.client()
    await client.lpush('list', 'x')
    t.regex(await messageOf(client.call('CALLER.GET', 'list')), /^WRONGTYPE Operation against a key/)
    t.regex(await messageOf(client.call('CALLER.CALL', 'NO.SUCH.COMMAND')), /^ERR unknown command/i)
    t.regex(await messageOf(client.call('CALLER.CALL', 'GET')), /^ERR wrong number of arguments/)
  })

  it('calls: too few words for a command that counts its keys crashed Redis 7.0', async (t, server) => {
    const admin = await server.client()
    await admin.acl('SETUSER', 'bob', 'on', '>pass', '+@all', '~mine:*')
    const bob = await server.client({ username: 'bob', password: 'pass', enableReadyCheck: false })
    for (const caller of ['CALLER.CALL', 'CALLER.ASPLUGIN', 'CALLER.COMMIT']) {
      for (const words of [
        'ZUNION',
        'ZUNION 9',
        'EVAL',
        'EVAL x',
        'LMPOP',
        'SINTERCARD',
        'XREAD STREAMS',
        'SORT',
        'GET',
      ]) {
        const reply = await messageOf(bob.call(caller, ...words.split(' ')))
        t.is(reply, `ERR wrong number of arguments for '${words.split(' ')[0]?.toLowerCase() ?? ''}' command`)
      }
      t.regex(await messageOf(bob.call(caller, 'OBJECT', 'ENCODING')), /^ERR wrong number .* 'object\|encoding'/)
    }
    await admin.acl('DELUSER', 'bob')
  })

  it('FERRITE.CALL: a wrong number of arguments is the error of the command that is called', async (t, server) => {
    const client = await server.client()
    for (const words of [['CALLER.GET'], ['CALLER.SET', 'k'], ['CALLER.GET', 'k', 'more']]) {
      const native = await messageOf(client.call(...(words as [string])))
      t.regex(native, /^ERR wrong number of arguments for 'CALLER\./)
      t.is(await messageOf(client.call('FERRITE.CALL', ...words)), native)
    }
  })

  it('calls: a name with line breaks that is refused is an error of one line', async (t, server) => {
    const client = await server.client()
    const name = 'A\r\n+OK\r\nB\0C'
    t.is(await messageOf(client.call('CALLER.CALL', name)), "ERR unknown command 'A  +OK  B', followed by a NUL byte")
    t.is(await messageOf(client.call('CALLER.COMMIT', name)), "ERR unknown command 'A  +OK  B', followed by a NUL byte")
    t.is(await client.ping(), 'PONG')
  })

  it('calls: a pipeline keeps its order, and one failing command is the only one to fail', async (t, server) => {
    const client = await server.client()
    const replies = (await client.call('CALLER.PIPELINE', 'k')) as unknown[]
    t.deepEqual([replies[0], replies[1], replies[3]], ['OK', 'piped', 5])
    t.regex(String(replies[2]), /^WRONGTYPE/)
  })

  it('calls: multi() is atomic and goes on after a failing command, as EXEC does', async (t, server) => {
    const client = await server.client()
    const replies = (await client.call('CALLER.MULTI', 'k')) as unknown[]
    t.deepEqual([replies[0], replies[2]], [1, 2])
    t.regex(String(replies[1]), /^WRONGTYPE/)
  })

  it('calls: commands that need a connection or end the server are refused with the reason', async (t, server) => {
    const client = await server.client()
    for (const words of [
      ['SHUTDOWN'],
      ['DEBUG', 'SEGFAULT'],
      ['REPLICAOF', 'NO', 'ONE'],
      ['SELECT', '1'],
      ['MULTI'],
      ['SUBSCRIBE', 'c'],
    ]) {
      t.regex(
        await messageOf(client.call('CALLER.CALL', ...(words as [string]))),
        /^ERR plugins may not call '/,
        words.join(' '),
      )
    }
  })

  it('calls: they have the rights of the caller', async (t, server) => {
    const admin = await server.client()
    await admin.acl('SETUSER', 'worker', 'on', '>pass', '~mine:*', '+@all', '-del')
    const worker = await server.client({ username: 'worker', password: 'pass' })
    t.is(await worker.call('CALLER.CALL', 'SET', 'mine:k', 'v'), 'OK')
    t.regex(await messageOf(worker.call('CALLER.CALL', 'GET', 'theirs:k')), /^NOPERM /)
    t.regex(await messageOf(worker.call('CALLER.CALL', 'DEL', 'mine:k')), /^NOPERM /)
    t.regex(await messageOf(worker.call('CALLER.COMMIT', 'GET', 'theirs:k')), /^NOPERM /)
    t.regex(await messageOf(worker.call('CALLER.COMMIT', 'DEL', 'mine:k')), /^NOPERM /)
    await admin.acl('DELUSER', 'worker')
  })

  it('calls: in a transaction they have the rights of the caller too', async (t, server) => {
    const admin = await server.client()
    await admin.acl('SETUSER', 'worker', 'on', '>pass', '~mine:*', '+@all')
    const worker = await server.client({ username: 'worker', password: 'pass' })
    const replies = await worker
      .multi()
      .call('CALLER.CALL', 'GET', 'theirs:k')
      .call('CALLER.COMMIT', 'SET', 'theirs:k', 'v')
      .exec()
    t.regex(replies?.[0]?.[0]?.message ?? '', /^NOPERM /)
    t.regex(replies?.[1]?.[0]?.message ?? '', /^NOPERM /)
    await admin.acl('DELUSER', 'worker')
  })

  it('calls: ctx.asPlugin has the rights of the plugin and no others', async (t, server) => {
    const admin = await server.client()
    await admin.acl('SETUSER', 'worker', 'on', '>pass', '~nothing', '+@all')
    const worker = await server.client({ username: 'worker', password: 'pass' })
    t.is(await worker.call('CALLER.ASPLUGIN', 'SET', 'plugin:k', 'v'), 'OK')
    t.is(await worker.call('CALLER.ASPLUGIN', 'GET', 'plugin:k'), 'v')
    t.regex(await messageOf(admin.call('CALLER.ASPLUGIN', 'GET', 'elsewhere')), /^NOPERM /)
    t.regex(await messageOf(admin.call('CALLER.ASPLUGIN', 'CONFIG', 'GET', 'port')), /^(NOPERM|ERR) /)
    const replies = await worker
      .multi()
      .call('CALLER.ASPLUGIN', 'GET', 'plugin:k')
      .call('CALLER.ASPLUGIN', 'GET', 'elsewhere')
      .exec()
    t.is(replies?.[0]?.[1], 'v')
    t.regex(replies?.[1]?.[0]?.message ?? '', /^NOPERM /)
    await admin.acl('DELUSER', 'worker')
  })

  it('calls: a command that is declared as reading writes nothing', async (t, server) => {
    const client = await server.client()
    t.regex(
      await messageOf(client.call('CALLER.SNEAK', 'k')),
      /^ERR 'set' may write, but this plugin command is declared as read-only/,
    )
    t.is(await client.exists('k'), 0)
  })
})
