// Plugin commands that call plugin commands, where the server waits for an answer: a plugin that calls itself without end
// must not take the server's stack, and what is read while it waits must not be read again.
import test from 'ava'
import { forEachServer, startServer } from '../helpers/index.js'
import { assertLives, ledger, served } from './faults.js'

forEachServer(test, 'faults: a plugin command that calls itself in MULTI, EVAL or alone ends', async (t, program) => {
  await using server = await startServer({ server: program, plugins: [ledger] })
  const client = await server.client()
  await client.set('k', 'value')
  const nest = async (depth: string): Promise<string[]> => {
    const alone = await client.call('LEDGER.NEST', 'k', depth).catch((err: unknown) => err)
    const multi = await client.multi().call('LEDGER.NEST', 'k', depth).exec()
    const script = await client
      .eval("return redis.call('LEDGER.NEST', KEYS[1], ARGV[1])", 1, 'k', depth)
      .catch((err: unknown) => err)
    return [alone, ...(multi?.flat().filter((part) => part !== null) ?? []), script].map(String)
  }
  for (const depth of ['0', '1', '3']) t.deepEqual(await nest(depth), ['value', 'value', 'value'], depth)
  for (const depth of ['40', '1000', '20000']) {
    const replies = await nest(depth)
    t.true(
      replies.every((reply) => /ERR 'ledger.nest' was not run: .* levels deep/.test(reply)),
      replies.join('\n'),
    )
    assertLives(t, server)
  }
  t.is(await served(client, 'LEDGER.GET', 'k'), 'value')
})
