// The likeliest mistakes: each is one error, at the place that has to change. Checked by tsc alone.
import {
  after,
  arg,
  before,
  command,
  definePlugin,
  every,
  on,
  onClient,
  onKey,
  onServer,
  read,
  shape,
} from 'ferrite-plugins/sdk'

// 1. A misspelt option of a command.
command({
  summary: '',
  // @ts-expect-error -- retryOnChange is meant
  retryOnChanged: 3,
  handler: () => null,
})

// 2. A misspelt option of an argument.
command({
  summary: '',
  args: {
    // @ts-expect-error -- min is meant
    max: arg.integer({ minimum: 1 }),
  },
  handler: () => null,
})

// 3. An argument that was not declared.
command({
  summary: '',
  args: { bucket: arg.key() },
  // @ts-expect-error -- there is no argument 'buckets'
  handler: (_ctx, { buckets }) => buckets,
})

// 4. A read that was not declared.
command({
  summary: '',
  args: { bucket: arg.key() },
  reads: (args) => ({ tat: read.get(args.bucket) }),
  // @ts-expect-error -- the read is called tat
  handler: (ctx) => ctx.reads.tet,
})

// 5. A key that is computed from an argument.
command({
  summary: '',
  args: { bucket: arg.key() },
  reads: (args) => ({
    // @ts-expect-error -- a read takes the argument itself
    tat: read.get(`${String(args.bucket)}:tat`),
  }),
  handler: () => null,
})

// 6. A read of an argument that is not a key, or has no fixed place.
command({
  summary: '',
  args: { name: arg.string(), other: arg.key().token('OTHER') },
  reads: (args) => ({
    // @ts-expect-error -- arg.key() is needed
    name: read.get(args.name),
    // @ts-expect-error -- an argument with a token has no fixed place
    other: read.get(args.other),
  }),
  handler: () => null,
})

// 7. A path that returns nothing.
command({
  summary: '',
  args: { n: arg.integer() },
  // @ts-expect-error -- undefined is no reply
  handler: (_ctx, { n }) => (n > 0 ? 'OK' : undefined),
})

// 8. An optional argument used as if it were always there.
command({
  summary: '',
  args: { n: arg.integer().token('N').optional() },
  handler: (_ctx, { n }) =>
    // @ts-expect-error -- n may be undefined
    n + 1,
})

// 9. A default of another type.
command({
  summary: '',
  args: {
    // @ts-expect-error -- a number is needed
    n: arg.integer().token('N').default('1'),
  },
  handler: () => null,
})

// 10. A command of the connection.
command({
  summary: '',
  // @ts-expect-error -- a plugin has no connection to subscribe
  handler: async (ctx) => ctx.redis.subscribe('news'),
})

// 11. A reply that is not what was declared.
command({
  summary: '',
  returns: shape.map({ allowed: shape.boolean() }),
  handler: () => ({
    // @ts-expect-error -- a boolean was declared
    allowed: 'yes',
  }),
})

// 12. The declaration without command().
definePlugin({
  name: 'x',
  commands: {
    // @ts-expect-error -- command({ … }) is missing
    ECHO: { summary: '', handler: () => null },
  },
})

// 13. A misspelt option of the plugin.
definePlugin({
  name: 'x',
  // @ts-expect-error -- commands is meant
  command: {},
})

// 14. An interval without a unit, a misspelt option of a hook, a permission that does not exist.
definePlugin({
  name: 'x',
  // @ts-expect-error -- rw is meant
  permissions: { keys: { readwrite: ['a'] } },
  hooks: {
    // @ts-expect-error -- '5 seconds' is no duration
    often: every('5 seconds', () => null),
    keys: onKey({
      // @ts-expect-error -- key is meant
      pattern: 'user:*',
      handler: () => null,
    }),
    clients: onClient({
      // @ts-expect-error -- 'connected' is no event
      events: ['connected'],
      handler: () => null,
    }),
    server: onServer({
      events: ['flush'],
      // @ts-expect-error -- a flush has no role
      handler: (_ctx, { role }) => role,
    }),
    paid: on({
      event: 'order.paid',
      handler(ctx, payload) {
        // @ts-expect-error -- nobody knows yet what came
        ctx.log.info(payload.order)
        // @ts-expect-error -- a Date is no JSON value
        ctx.emit('seen', new Date())
        // @ts-expect-error -- a Map is none either
        ctx.emit('seen', { all: new Map() })
        // @ts-expect-error -- a Buffer only as the whole payload
        ctx.emit('seen', { bytes: Buffer.alloc(1) })
      },
    }),
    // @ts-expect-error -- events are missing
    all: onClient({ handler: () => null }),
  },
})

// 15. The result of a commit used as a value: it exists only after the handler.
command({
  summary: '',
  args: { key: arg.key() },
  handler: (ctx, { key }) =>
    // @ts-expect-error -- a marker for the reply, not a number
    ctx.commit.incr(key) + 1,
})

// 16. A before hook with a path that gives no verdict, at once or later.
before({
  // @ts-expect-error -- return cmd.continue()
  handler: (_ctx, cmd) => {
    if (cmd.args.length > 3) return cmd.deny('ERR', 'too many')
  },
})
before({
  // @ts-expect-error -- return cmd.continue()
  handler: async (ctx, cmd) => {
    if ((await ctx.redis.get('a')) === null) return cmd.continue()
  },
})

// 17. Something else than a verdict.
before({
  // @ts-expect-error -- cmd.continue is to be called
  handler: (_ctx, cmd) => cmd.continue,
})
before({
  // @ts-expect-error -- cmd.continue() is meant
  handler: () => true,
})
before({
  // @ts-expect-error -- cmd.continue() makes verdicts, nothing else
  handler: () => ({ kind: 'continue', value: undefined, code: '' }),
})

// 18. Misspelt or wrong options of a before hook.
before({
  // @ts-expect-error -- command is meant
  commands: 'SET',
  handler: (_ctx, cmd) => cmd.continue(),
})
before({
  // @ts-expect-error -- 'deny' or 'allow'
  onFailure: 'open',
  handler: (_ctx, cmd) => cmd.continue(),
})
before({
  // @ts-expect-error -- 'sync', 'allow' or 'deny'
  inTransaction: 'refuse',
  handler: (_ctx, cmd) => cmd.continue(),
})
before({
  // @ts-expect-error -- a number is needed
  db: '0',
  handler: (_ctx, cmd) => cmd.continue(),
})

// 19. Arguments are bytes, may be missing, and cannot be written to.
before({
  // @ts-expect-error -- the argument may be missing
  handler: (_ctx, cmd) => (cmd.args[1].length > 9 ? cmd.deny('ERR', 'long') : cmd.continue()),
})
before({
  // @ts-expect-error -- a Buffer is no text
  handler: (_ctx, cmd) => (cmd.args[1] === 'NX' ? cmd.deny('ERR', 'no NX') : cmd.continue()),
})
before({
  handler: (_ctx, cmd) => {
    // @ts-expect-error -- rewrite() changes a command
    cmd.args[0] = Buffer.from('a')
    return cmd.continue()
  },
})

// 20. A rewrite with words that cannot be sent, a reply that is none, a commit.
before({
  // @ts-expect-error -- the argument may be missing
  handler: (_ctx, cmd) => cmd.rewrite([cmd.args[0]]),
})
before({
  // @ts-expect-error -- words are no objects
  handler: (_ctx, cmd) => cmd.rewrite([{ a: 1 }]),
})
before({
  // @ts-expect-error -- undefined is no reply
  handler: (_ctx, cmd) => cmd.reply(undefined),
})
before({
  handler: (ctx, cmd) => {
    // @ts-expect-error -- a hook runs commands with ctx.redis, or changes the client's
    ctx.commit.set('a', 1)
    return cmd.continue()
  },
})

// 21. An after hook that a client waits for and that gives no verdict, and one that gives a before hook's.
after({
  wait: true,
  // @ts-expect-error -- return result.keep()
  handler: () => undefined,
})
after({
  wait: true,
  // @ts-expect-error -- result.replace() is meant
  handler: (_ctx, cmd) => cmd.deny('ERR', 'too late'),
})

// 22. Options of the one kind of after hook on the other.
after({
  // @ts-expect-error -- nobody waits for it: onFailure needs wait: true
  onFailure: 'deny',
  handler: () => undefined,
})
after({
  wait: true,
  // @ts-expect-error -- a sample would let replies through
  sample: 0.1,
  handler: (_ctx, _cmd, result) => result.keep(),
})

// 27. An option of another action.
definePlugin({
  name: 'x',
  rules: {
    // @ts-expect-error -- a rate has a limit, a denial none
    calm: { action: 'deny', limit: 5 },
  },
})

// 28. A rule without what its action needs.
definePlugin({
  name: 'x',
  rules: {
    // @ts-expect-error -- 'to' is missing
    other: { action: 'rename', command: 'DEL' },
  },
})
