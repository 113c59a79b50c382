// Rules, decided by the module without a round trip: the operator's and those of plugins.
import test from 'ava'
import { fixturePlugin, messageOf, RawClient, shareServers, type TestServer } from '../helpers/index.js'

const plugins = [fixturePlugin('ruled')]

interface Listed {
  readonly name: string
  readonly from: string
  readonly action: string
  readonly options: readonly string[]
  readonly matched: number
  readonly refused: number
}

async function listed(server: TestServer): Promise<readonly Listed[]> {
  const client = await server.client()
  const rules = (await client.call('FERRITE.RULE', 'LIST')) as unknown[][]
  return rules.map(
    (fields) =>
      Object.fromEntries(
        Array.from({ length: fields.length / 2 }, (_, at) => [fields[at * 2], fields[at * 2 + 1]]),
      ) as unknown as Listed,
  )
}

/** Adds rules for the time of the test. */
async function withRules(server: TestServer, rules: readonly string[], body: () => Promise<void>): Promise<void> {
  const client = await server.client()
  for (const rule of rules) await client.call('FERRITE.RULE', 'ADD', ...rule.split(' '))
  try {
    await body()
  } finally {
    for (const rule of rules) await client.call('FERRITE.RULE', 'DEL', rule.split(' ')[0] ?? '')
  }
}

shareServers(test, { plugins, since: '7.2' }, (it) => {
  it('deny: by key, with an error of one’s own, and nothing runs', async (t, server) => {
    const client = await server.client()
    t.is(await messageOf(client.set('secret:1', 'x')), 'NOPERM secrets, keep out')
    t.is(await messageOf(client.mget('a', 'secret:1')), 'NOPERM secrets, keep out', 'one of its keys')
    t.is(await client.set('secrets', 'x'), 'OK')
    t.is(await client.exists('a'), 0)
  })

  it('deny: by subcommand and argument, in any case of its letters', async (t, server) => {
    const client = await server.client()
    const denied = 'DENIED rule ruled/no-eviction does not allow this command'
    t.is(await messageOf(client.call('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')), denied)
    t.is(await messageOf(client.call('config', 'set', 'MaxMemory-Policy', 'noeviction')), denied)
    t.is(await client.call('CONFIG', 'SET', 'maxmemory-samples', '5'), 'OK')
    t.deepEqual(await client.call('CONFIG', 'GET', 'maxmemory-samples'), ['maxmemory-samples', '5'])
  })

  it('size: of each argument, and how many there are', async (t, server) => {
    const client = await server.client()
    t.is(await client.set('small:1', '0123456789'), 'OK')
    const refusal = 'TOOLARGE rule ruled/small: this command has larger or more arguments than it allows'
    t.is(await messageOf(client.set('small:1', '0123456789x')), refusal)
    t.is(await messageOf(client.rpush('small:list', '1', '2', '3')), refusal)
    t.is(await client.rpush('small:list', '1', '2'), 2)
    t.is(await client.get('small:1'), '0123456789')
  })

  it('read-only: for a user, everything that writes', async (t, server) => {
    const client = await server.client()
    await client.call('ACL', 'SETUSER', 'guest', 'on', '>pw', '~*', '+@all')
    const guest = await server.client({ username: 'guest', password: 'pw' })
    await client.set('k', 'v')
    t.is(await guest.get('k'), 'v')
    t.is(await messageOf(guest.set('k', 'x')), 'READONLY rule ruled/closed does not allow writes')
    t.regex(await messageOf(guest.eval("return redis.call('set', 'k', 'x')", 0)), /READONLY rule ruled\/closed/)
    t.is(await client.get('k'), 'v')
  })

  it('rename: another command with the same arguments, also for a name that was free', async (t, server) => {
    const client = await server.client()
    await client.mset('a', '1', 'b', '2')
    await client.call('CONFIG', 'RESETSTAT')
    t.is(await client.del('a'), 1)
    t.is(await client.call('REMOVE', 'b', 'c'), 1)
    const stats = await client.info('commandstats')
    t.regex(stats, /cmdstat_unlink:calls=2/)
    t.notRegex(stats, /cmdstat_del:/)
    t.regex(await messageOf(client.call('REMOVE')), /wrong number of arguments for 'unlink' command/)
  })

  it('rename: the user needs the right to what runs', async (t, server) => {
    const client = await server.client()
    await client.call('ACL', 'SETUSER', 'deleter', 'on', '>pw', '~*', '+del', '+info')
    const deleter = await server.client({ username: 'deleter', password: 'pw' })
    t.regex(await messageOf(deleter.del('k')), /NOPERM .*'unlink'/)
  })

  it('rename: a command that was renamed is not renamed again, other rules see its new name', async (t, server) => {
    const client = await server.client()
    const rules = ['there RENAME COMMAND PEXPIRE TO EXPIRE', 'back RENAME COMMAND EXPIRE TO PEXPIRE']
    await withRules(server, [...rules, 'never DENY COMMAND PEXPIRE KEY never'], async () => {
      await client.mset('k', 'v', 'never', 'v')
      t.is(await client.pexpire('k', 100), 1)
      t.true((await client.ttl('k')) > 50)
      t.regex(await messageOf(client.expire('never', 100)), /^DENIED rule never/)
    })
  })

  it('rate: a bucket for each prefix, refused with the time to wait', async (t, server) => {
    const client = await server.client()
    t.is(await client.incr('slow:a.1'), 1)
    t.is(await client.incr('slow:a.2'), 1)
    t.regex(
      await messageOf(client.incr('slow:a.3')),
      /^RATELIMITED rule ruled\/slow: at most 2 in 3600000 ms, try again in 1[78]\d{5} ms$/,
    )
    t.is(await client.incr('slow:b.1'), 1, 'another prefix')
    t.is(await client.incr('fast'), 1)
  })

  it('rate: a bucket for each user, and one that fills again', async (t, server) => {
    const client = await server.client()
    await client.call('ACL', 'SETUSER', 'other', 'on', '>pw', '~*', '+@all')
    const other = await server.client({ username: 'other', password: 'pw' })
    await withRules(server, ['each RATE COMMAND GET LIMIT 1 INTERVAL 3600000 PER USER'], async () => {
      t.is(await client.get('k'), null)
      t.regex(await messageOf(client.get('k')), /^RATELIMITED /)
      t.is(await other.get('k'), null)
    })
    await withRules(server, ['quick RATE COMMAND GET LIMIT 1000000 INTERVAL 1 BURST 1'], async () => {
      for (let i = 0; i < 20; i++) t.is(await client.get('k'), null)
    })
  })

  it('allow: ends the rules behind it, if it is for every key of the command', async (t, server) => {
    const client = await server.client()
    await withRules(
      server,
      [
        'public ALLOW COMMAND @write KEY public:* PRIORITY 1',
        'rest DENY COMMAND @write ERROR CLOSED_now PRIORITY 2',
      ].map((rule) => rule.replace(' ERROR CLOSED_now', '')),
      async () => {
        t.is(await client.set('public:1', 'x'), 'OK')
        t.regex(await messageOf(client.set('k', 'x')), /^DENIED rule rest/)
        t.regex(await messageOf(client.mset('public:1', 'x', 'k', 'x')), /^DENIED rule rest/)
        t.regex(await messageOf(client.flushall()), /^DENIED rule rest/, 'it has no key that matches')
      },
    )
  })

  it('the operator’s come before the plugins’', async (t, server) => {
    const client = await server.client()
    await withRules(server, ['mine ALLOW KEY secret:open:* PRIORITY 1000'], async () => {
      t.is(await client.set('secret:open:1', 'x'), 'OK')
      t.is(await messageOf(client.set('secret:1', 'x')), 'NOPERM secrets, keep out')
    })
  })

  it('for a database', async (t, server) => {
    const client = await server.client()
    await withRules(server, ['archive DENY COMMAND @write DB 3'], async () => {
      t.is(await client.set('k', 'x'), 'OK')
      await client.select(3)
      t.regex(await messageOf(client.set('k', 'x')), /^DENIED rule archive/)
    })
  })

  it('what changes a client between two commands of one pipeline is seen', async (t, server) => {
    const client = await server.client()
    await client.call('ACL', 'SETUSER', 'piped', 'on', '>pw', '~*', '+@all')
    await withRules(
      server,
      ['db DENY COMMAND GET DB 3', 'user DENY COMMAND STRLEN USER piped', 'jump RENAME COMMAND JUMP TO SELECT'],
      async () => {
        using raw = await RawClient.connect(server.port)
        const get = ['GET', 'k']
        const replies = await raw.askAll(
          ...[get, ['SELECT', '3'], get, ['JUMP', '0'], get, ['JUMP', '3'], get, ['SELECT', '0'], get],
          ...[['STRLEN', 'k'], ['AUTH', 'piped', 'pw'], ['STRLEN', 'k'], ['RESET'], ['STRLEN', 'k']],
          ...[['MULTI'], ['SELECT', '3'], get, ['EXEC'], get],
        )
        const text = replies.toString().replaceAll(/DENIED rule (\w+) [^\r]*/g, '$1')
        const expected = [
          ...['$-1', '+OK', '-db', '+OK', '$-1', '+OK', '-db', '+OK', '$-1'],
          ...[':0', '+OK', '-user', '+RESET', ':0'],
          ...[
            '+OK',
            '+QUEUED',
            "-ERR unknown command '(db",
            '-EXECABORT Transaction discarded because of previous errors.',
            '$-1',
            '',
          ],
        ]
        t.deepEqual(text.split('\r\n'), expected)
      },
    )
  })

  it('MULTI: a refused command ends the transaction, and EXEC itself can be refused', async (t, server) => {
    const client = await server.client()
    const words = async (...commands: readonly (readonly string[])[]): Promise<string> => {
      using raw = await RawClient.connect(server.port)
      return (await raw.askAll(...commands)).toString()
    }
    t.regex(
      await words(['MULTI'], ['SET', 'k', '1'], ['SET', 'secret:1', 'x'], ['EXEC']),
      /^\+OK\r\n\+QUEUED\r\n-ERR unknown command '\(NOPERM secrets, keep out\)'.*\r\n-EXECABORT /,
    )
    await withRules(server, ['calm DENY COMMAND EXEC'], async () => {
      t.regex(await words(['MULTI'], ['SET', 'k', '1'], ['EXEC'], ['SET', 'k', '2']), /-EXECABORT [^\n]*\n\+OK\r\n$/)
    })
    t.is(await client.get('k'), '2')
  })

  it('scripts: what they call is looked at, for the user who runs them', async (t, server) => {
    const client = await server.client()
    t.regex(await messageOf(client.eval("return redis.call('get', 'secret:1')", 0)), /NOPERM secrets, keep out/)
    t.is(await client.eval("return redis.pcall('get', 'secret:1').err", 0), 'NOPERM secrets, keep out')
    t.is(await client.eval("redis.call('set', 'k', '1') return redis.call('del', 'k')", 0), 1)
  })

  it('a client that only subscribes gets the refusal too', async (t, server) => {
    await withRules(server, ['quiet DENY COMMAND SUBSCRIBE ARG * private:*'], async () => {
      using raw = await RawClient.connect(server.port)
      raw.send(['SUBSCRIBE', 'news'], ['SUBSCRIBE', 'private:1'], ['UNSUBSCRIBE'])
      const text = await raw.text('PING')
      t.regex(text, /-ERR unknown command '\(DENIED rule quiet does not allow this command\)'/)
      t.notRegex(text, /_ferrite/)
    })
  })

  it('a database that a transaction or a script selects is the one that counts', async (t, server) => {
    const client = await server.client()
    await client.call('SELECT', '3')
    await client.set('k', 'three')
    await client.call('SELECT', '0')
    const ask = async (...commands: readonly (readonly string[])[]): Promise<string> => {
      using raw = await RawClient.connect(server.port)
      return (await raw.askAll(...commands)).toString()
    }
    const inScript = (text: string): Promise<string> => messageOf(client.eval(text, 0))
    await withRules(server, ['three DENY COMMAND GET DB 3', 'zero DENY COMMAND STRLEN DB 0'], async () => {
      t.regex(await ask(['MULTI'], ['SELECT', '3'], ['GET', 'k'], ['EXEC']), /DENIED rule three.*EXECABORT/s)
      t.regex(
        await ask(['MULTI'], ['SELECT', '3'], ['MULTI'], ['GET', 'k'], ['DISCARD']),
        /DENIED rule three/,
        'a MULTI that is refused ends nothing',
      )
      t.regex(await ask(['MULTI'], ['SELECT', '99999'], ['STRLEN', 'k'], ['EXEC']), /DENIED rule zero.*EXECABORT/s)
      t.regex(await ask(['MULTI'], ['SELECT', '3'], ['DISCARD'], ['MULTI'], ['GET', 'k'], ['EXEC']), /\*1\r\n\$-1\r\n$/)
      t.regex(await inScript("redis.call('select', 3) return redis.call('get', 'k')"), /DENIED rule three/)
      t.is(await inScript("return redis.call('get', 'k')"), 'no error but null', 'the next script begins anew')
      t.regex(
        await ask(
          ['MULTI'],
          ['EVAL', "redis.call('select', 3)", '0'],
          ['EVAL', "return redis.call('strlen', 'k')", '0'],
          ['EXEC'],
        ),
        /DENIED rule zero/,
      )
    })
  })

  it('bug: a script that a rule’s name runs is judged as its caller’s', async (t, server) => {
    const client = await server.client()
    await client.call('ACL', 'SETUSER', 'runner', 'on', '>pw', '~*', '+@all')
    const runner = await server.client({ username: 'runner', password: 'pw' })
    await withRules(server, ['run RENAME COMMAND RUN TO EVAL', 'mine DENY COMMAND SET USER runner'], async () => {
      t.is(await client.call('EVAL', "return redis.call('set', 'k', '1')", '0'), 'OK')
      t.regex(await messageOf(runner.call('RUN', "return redis.call('set', 'k', '2')", '0')), /DENIED rule mine/)
    })
  })

  it('bug: what another connection sends while a script is busy does not change who the script is', async (t, server) => {
    const client = await server.client()
    await client.call('ACL', 'SETUSER', 'busy', 'on', '>pw', '~*', '+@all')
    const busy = await server.client({ username: 'busy', password: 'pw' })
    const other = await server.client()
    await client.call('CONFIG', 'SET', 'busy-reply-threshold', '1')
    await withRules(server, ['mine DENY COMMAND SET USER busy'], async () => {
      const script = `
        local n = 0
        while redis.call('exists', 'k') == 0 and n < 400000 do n = n + 1 end
        return redis.pcall('set', 'k', 'x').err or 'done'`
      const answer = messageOf(busy.eval(script, 0))
      let refused = false
      const done = answer.then(() => true)
      while (!refused && !(await Promise.race([done, Promise.resolve(false)])))
        refused = (await messageOf(other.eval('return 1', 0))).startsWith('BUSY')
      t.true(refused, 'the script was busy')
      t.is(await answer, 'no error but "DENIED rule mine does not allow this command"')
    })
    await client.call('CONFIG', 'SET', 'busy-reply-threshold', '5000')
  })

  it('PING obeys only a rule that names it: replicas do not live without', async (t, server) => {
    const client = await server.client()
    await withRules(server, ['all RATE LIMIT 1 INTERVAL 3600000 USER default COMMAND @fast'], async () => {
      for (let i = 0; i < 3; i++) t.is(await client.ping(), 'PONG')
    })
    await withRules(server, ['named DENY COMMAND PING'], async () => {
      t.regex(await messageOf(client.ping()), /DENIED rule named/)
    })
  })

  it('who has not logged in hears of no rule', async (t, server) => {
    const client = await server.client()
    await client.call('CONFIG', 'SET', 'requirepass', 'pw')
    try {
      using raw = await RawClient.connect(server.port)
      const replies = await raw.askAll(['SET', 'secret:1', 'x'], ['AUTH', 'default', 'pw'], ['SET', 'secret:1', 'x'])
      t.regex(replies.toString(), /^-NOAUTH [^\n]*\n\+OK\r\n-NOPERM secrets, keep out\r\n$/)
    } finally {
      await client.call('CONFIG', 'SET', 'requirepass', '')
    }
  })

  it('our own commands, AUTH and HELLO obey no rule, MULTI only one that names it', async (t, server) => {
    const client = await server.client()
    await client.call('FERRITE.RULE', 'ADD', 'everything', 'DENY')
    t.is(await messageOf(client.get('k')), 'DENIED rule everything does not allow this command')
    t.is(await client.call('MULTI'), 'OK')
    t.is(await client.call('DISCARD'), 'OK')
    t.is(await client.call('FERRITE.RULE', 'DEL', 'everything'), 'OK')
    t.is(await client.get('k'), null)
    for (const name of ['AUTH', 'hello', 'ferrite.rule']) {
      t.is(
        await messageOf(client.call('FERRITE.RULE', 'ADD', 'x', 'DENY', 'COMMAND', name)),
        `ERR no rule is for ${name}: it must work in any case`,
      )
    }
  })

  it('ADD takes the place of a rule of that name; LIST gives what ADD takes', async (t, server) => {
    const client = await server.client()
    const words = ['COMMAND', 'SET', 'COMMAND', 'CONFIG|GET', 'KEY', 'a,b %=*', 'USER', 'bob', 'DB', '1']
    const more = ['ARG', '0', 'x:y', 'ARG', '*', 'é', 'PRIORITY', '7', 'ERROR', 'NO way, 100 %']
    t.is(await client.call('FERRITE.RULE', 'ADD', 'mine', 'ALLOW'), 'OK')
    t.is(await client.call('FERRITE.RULE', 'ADD', 'Mine', 'deny', ...words, ...more), 'OK')
    const mine = (await listed(server)).filter(({ from }) => from === 'operator')
    t.deepEqual(mine, [
      { name: 'Mine', from: 'operator', action: 'deny', options: [...words, ...more], matched: 0, refused: 0 },
    ])
    await client.call('FERRITE.RULE', 'ADD', 'Mine', 'deny', ...(mine[0]?.options ?? []))
    t.deepEqual(mine, (await listed(server)).slice(0, 1))
    t.is(await client.call('FERRITE.RULE', 'DEL', 'mine'), 'OK')
    const rate = ['COMMAND', 'PING', 'LIMIT', '5', 'INTERVAL', '60000', 'BURST', '2', 'PER', 'prefix', 'SEPARATOR', ',']
    await client.call('FERRITE.RULE', 'ADD', 'r', 'RATE', ...rate)
    await client.call(
      'FERRITE.RULE',
      'ADD',
      's',
      'SIZE',
      'COMMAND',
      'PING',
      'MAXBYTES',
      '1099511627776',
      'MAXARGS',
      '0',
    )
    const options = (await listed(server)).slice(0, 2).map((rule) => rule.options)
    t.deepEqual(options, [rate, ['COMMAND', 'PING', 'MAXBYTES', '1099511627776', 'MAXARGS', '0']])
    await client.call('FERRITE.RULE', 'DEL', 'r')
    await client.call('FERRITE.RULE', 'DEL', 's')
  })

  it('figures: what matched and what was refused, kept when another rule changes', async (t, server) => {
    const client = await server.client()
    await client.call('FERRITE.RULE', 'ADD', 'counted', 'SIZE', 'COMMAND', 'SET', 'MAXBYTES', '3')
    await client.set('k', '1')
    await messageOf(client.set('k', '12345'))
    await client.call('FERRITE.RULE', 'ADD', 'beside', 'DENY', 'COMMAND', 'WAIT')
    const counted = (await listed(server)).find(({ name }) => name === 'counted')
    t.deepEqual([counted?.matched, counted?.refused], [1, 1])
    await client.call('FERRITE.RULE', 'DEL', 'beside')
    await client.call('FERRITE.RULE', 'DEL', 'counted')
    const info = (await client.call('FERRITE.INFO')) as unknown[]
    t.true((info[info.indexOf('rules_refused') + 1] as number) >= 1)
  })

  it('bad rules are refused with the reason', async (t, server) => {
    const client = await server.client()
    const refusals: readonly (readonly [string, RegExp])[] = [
      ['', /expected FERRITE\.RULE LIST/],
      ['x', /expected FERRITE\.RULE LIST/],
      ['x FORBID', /a rule needs action=deny, allow, rename, rate, read-only or size$/],
      ['x/y DENY', /a rule needs name= of letters/],
      ['x DENY COMMAND', /COMMAND needs a value/],
      ['x DENY ARG 0', /ARG needs a place/],
      ['x DENY ARG first y', /'first:y', it must be a number or \*/],
      ['x DENY COMMAND FLUSHAL', /this server has no command FLUSHAL$/],
      ['x DENY COMMAND @rite', /this server has no commands of category @rite$/],
      ['x DENY COMMAND @all', /leave COMMAND out for all commands$/],
      ['x DENY NAME y', /unknown option 'NAME': expected COMMAND/],
      ['x DENY DB -1', /dbs= has '-1'/],
      ['x DENY PRIORITY 1 PRIORITY 2', /PRIORITY is given twice/],
      ['x DENY ERROR no', /it must be a CODE in capitals/],
      ['x RENAME COMMAND GET', /needs to=/],
      ['x RENAME COMMAND GET TO GOT', /this server has no command GOT$/],
      ['x RENAME COMMAND CONFIG|GET TO GET', /takes whole commands/],
      ['x RATE', /needs limit=/],
      ['x RATE LIMIT 0', /limit=0 must be a number from 1/],
      ['x SIZE', /needs max-bytes= or max-arguments=/],
      ['x ALLOW MAXBYTES 1', /max-bytes= is for rules with action=size/],
    ]
    for (const [words, reason] of refusals) {
      t.regex(await messageOf(client.call('FERRITE.RULE', 'ADD', ...words.split(' ').filter(Boolean))), reason, words)
    }
    t.regex(await messageOf(client.call('FERRITE.RULE', 'DEL', 'absent')), /no rule 'absent' of the operator's/)
    t.regex(await messageOf(client.call('FERRITE.RULE', 'DEL', 'ruled/small')), /is a plugin's rule: it goes with its/)
    t.deepEqual(
      (await listed(server)).filter(({ from }) => from === 'operator'),
      [],
    )
  })

  it('only administrators may change rules', async (t, server) => {
    const client = await server.client()
    await client.call('ACL', 'SETUSER', 'writer', 'on', '>pw', '~*', '+@all', '-@admin')
    const writer = await server.client({ username: 'writer', password: 'pw' })
    t.regex(await messageOf(writer.call('FERRITE.RULE', 'LIST')), /NOPERM/)
  })

  it('COMMAND DOCS and FERRITE.PLUGIN INFO know of rules', async (t, server) => {
    const client = await server.client()
    t.regex(JSON.stringify(await client.call('COMMAND', 'DOCS', 'FERRITE.RULE')), /rules for commands/)
    const info = (await client.call('FERRITE.PLUGIN', 'INFO', 'ruled')) as unknown[]
    t.deepEqual(info[info.indexOf('rules') + 1], ['no-secrets', 'small', 'closed', 'unlinks', 'slow', 'no-eviction'])
  })
})
