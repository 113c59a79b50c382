// ACL LOG: an entry for each refusal, and for nothing else.
import test from 'ava'
import type { Redis } from 'ioredis'
import { fixturePlugin, messageOf, shareServers, type TestServer } from '../helpers/index.js'

const plugins = ['caller', 'counters'].map(fixturePlugin)

/** `count reason context object username` of each entry of ACL LOG, which is emptied. */
async function entries(client: Redis): Promise<readonly string[]> {
  const rows = (await client.call('ACL', 'LOG')) as readonly (readonly unknown[])[]
  await client.call('ACL', 'LOG', 'RESET')
  const names = ['count', 'reason', 'context', 'object', 'username']
  return rows.map((row) => names.map((name) => String(row[row.indexOf(name) + 1])).join(' '))
}

shareServers(test, { plugins }, (it) => {
  const start = async (server: TestServer): Promise<readonly [Redis, Redis]> => {
    const admin = await server.client()
    await admin.acl('SETUSER', 'bob', 'on', '>pass', '+@all', '-ping', '-get', '-incr', '-counter.tag', '~mine:*')
    const bob = await server.client({ username: 'bob', password: 'pass', enableReadyCheck: false })
    await admin.call('ACL', 'LOG', 'RESET')
    return [admin, bob]
  }

  it('ACL LOG: what is allowed leaves no entry', async (t, server) => {
    const [admin, bob] = await start(server)
    for (const words of [
      'CALLER.CALL SET mine:k v',
      'CALLER.CALL STRLEN mine:k',
      'CALLER.COMMIT SET mine:k v',
      'CALLER.ASPLUGIN SET plugin:k v',
      'COUNTER.ELSEWHERE mine:n mine:other',
      'FERRITE.PING',
      'FERRITE.CALL COUNTER.ELSEWHERE mine:n mine:other',
    ]) {
      t.regex(await messageOf(bob.call(...(words.split(' ') as [string]))), /^no error/, words)
      await bob
        .multi()
        .call(...(words.split(' ') as [string]))
        .exec()
    }
    await bob.eval("return redis.call('COUNTER.ELSEWHERE', KEYS[1], KEYS[2])", 2, 'mine:n', 'mine:other')
    t.deepEqual(await entries(admin), [])
  })

  it('ACL LOG: each refusal is an entry with its user, and is one', async (t, server) => {
    const [admin, bob] = await start(server)
    for (const [words, entry] of Object.entries({
      'COUNTER.PEEK yours': '1 key toplevel yours bob',
      'COUNTER.TAG mine:k': '1 command toplevel COUNTER.TAG bob',
      'FERRITE.CALL COUNTER.PEEK yours': '1 key toplevel yours bob',
      'FERRITE.CALL COUNTER.TAG mine:k': '1 command module COUNTER.TAG bob',
      'CALLER.CALL SET yours v': '1 key module yours bob',
      'CALLER.CALL COPY mine:k yours': '1 key module yours bob',
      'CALLER.CALL PING': '1 command module ping bob',
      'CALLER.CALL GET mine:k': '1 command module get bob',
      'CALLER.COMMIT SET yours v': '1 key module yours bob',
      'CALLER.COMMIT PING': '1 command module ping bob',
      'CALLER.ASPLUGIN SET yours v': '1 key module yours ferrite:caller',
      'CALLER.ASPLUGIN CONFIG GET port': '1 command module config|get ferrite:caller',
      'COUNTER.ADD mine:n 1': '1 command module get bob',
      'COUNTER.INCR mine:n': '1 command module incr bob',
    })) {
      t.regex(await messageOf(bob.call(...(words.split(' ') as [string]))), /^NOPERM/, words)
      t.deepEqual(await entries(admin), [entry], words)
    }
  })
})
