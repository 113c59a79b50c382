// A plugin that does what a plugin must not do.
import { arg, command, definePlugin, read } from 'ferrite-plugins/sdk'

const kept: unknown[] = []

/** Later, where no handler and no promise is there to catch it. */
function throwLater(value: unknown): string {
  setImmediate(() => {
    throw value
  })
  return 'OK'
}

export default definePlugin({
  name: 'havoc',
  commands: {
    'HAVOC.PING': command({ summary: 'Answers', handler: () => 'pong' }),
    'HAVOC.WAIT': command({ summary: 'Never answers', handler: () => new Promise<string>(() => undefined) }),
    'HAVOC.READ': command({
      summary: 'Replies a declared read',
      args: { key: arg.key('r') },
      reads: (args) => ({ value: read.get(args.key) }),
      handler: (ctx) => ctx.reads.value,
    }),
    'HAVOC.ADD': command({
      summary: 'Guarded: adds; never answers if the key holds `wait`',
      args: { key: arg.key('rw') },
      reads: (args) => ({ value: read.get(args.key) }),
      retryOnChange: 3,
      handler(ctx, { key }) {
        if (ctx.reads.value === 'wait') return new Promise<number>(() => undefined)
        const value = Number(ctx.reads.value ?? 0) + 1
        ctx.commit.set(key, value)
        return value
      },
    }),
    'HAVOC.LOOP': command({
      summary: 'Never ends',
      handler: () => {
        for (;;) kept.length = 0
      },
    }),
    'HAVOC.HEAP': command({
      summary: 'Fills the heap',
      handler: () => {
        for (;;) kept.push(new Array<number>(100_000).fill(0.5))
      },
    }),
    'HAVOC.BUFFERS': command({
      summary: 'Keeps more and more memory outside the heap, 16 MiB each 10 ms',
      handler: () => {
        setInterval(() => kept.push(Buffer.alloc(16 << 20, 1)), 10)
        return 'OK'
      },
    }),
    'HAVOC.THROW': command({
      summary: 'Throws null where the host catches it',
      handler: () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- that is the fault
        throw null
      },
    }),
    'HAVOC.THROWLATER': command({ summary: 'Throws null where nobody catches it', handler: () => throwLater(null) }),
    'HAVOC.THROWLINES': command({
      summary: 'Throws a text of several lines where nobody catches it',
      handler: () => throwLater(new Error('one\r\n+two\r\n:3')),
    }),
    'HAVOC.REJECT': command({
      summary: 'Rejects a promise that nobody looks at',
      handler: () => {
        void Promise.reject(new Error('nobody looks'))
        return 'OK'
      },
    }),
    'HAVOC.EXIT': command({ summary: 'Leaves', handler: () => process.exit(3) }),
    'HAVOC.KILL': command({
      summary: 'Takes the whole host along',
      args: { signal: arg.string() },
      handler: (_ctx, { signal }) => process.kill(process.pid, signal as NodeJS.Signals),
    }),
  },
})
