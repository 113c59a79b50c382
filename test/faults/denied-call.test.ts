// Calls that the ACL denies, where no client stands behind the call: Redis 7.0 crashed when it logged the denial.
import test from 'ava'
import { forEachServer, startServer } from '../helpers/index.js'
import { assertLives, errorOf, ledger, served } from './faults.js'

forEachServer(test, 'faults: a denied call of a timer or on behalf of a client is an error', async (t, program) => {
  await using server = await startServer({
    server: program,
    plugins: [ledger],
    config: [
      ['ferrite.plugin-user', 'nobody'],
      ['user', 'nobody', 'on', 'nopass', '~none', '-@all', '+ping'],
    ],
  })
  await server.logged(/a timer failed.*NOPERM/)
  const admin = await server.client()
  await admin.call('ACL', 'SETUSER', 'bob', 'on', '>pw', '~bob:*', '+ledger.direct', '+ledger.nest', '-rpush')
  const bob = await server.client({ username: 'bob', password: 'pw' })
  t.regex(await errorOf(bob, 'LEDGER.DIRECT', 'bob:1', 'x'), /NOPERM/)
  t.regex(await errorOf(bob, 'LEDGER.NEST', 'bob:1', '0'), /NOPERM/)
  await admin.call('ACL', 'SETUSER', 'bob', '+rpush')
  t.is(await served(bob, 'LEDGER.DIRECT', 'bob:1', 'x'), 1)
  t.regex(await errorOf(bob, 'LEDGER.DIRECT', 'alice:1', 'x'), /NOPERM/)
  assertLives(t, server)
})

forEachServer(test, 'faults: a right that is lost while a guarded command waits is an error', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [ledger] })
  const admin = await server.client()
  await admin.call('ACL', 'SETUSER', 'bob', 'on', '>pw', '~*', '+@all')
  const clients = await Promise.all(
    Array.from({ length: 8 }, () => server.client({ username: 'bob', password: 'pw', retryStrategy: null })),
  )
  const waiting = clients.map((client) =>
    client.call('LEDGER.SLOWCOUNT', 'hot', '300').catch((err: unknown) => String(err)),
  )
  await served(admin, 'LEDGER.ECHO', 'x')
  await admin.call('ACL', 'SETUSER', 'bob', '-get')
  const replies = await Promise.all(waiting)
  t.log(replies)
  t.true(replies.every((reply) => typeof reply === 'number' || /NOPERM|TRYAGAIN/.test(String(reply))))
  const done = replies.filter((reply) => typeof reply === 'number').length
  t.is(Number(await admin.get('hot')), done)
  assertLives(t, server)
})
