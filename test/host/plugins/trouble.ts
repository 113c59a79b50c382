// A plugin that does everything that a plugin must not do.
import { arg, command, definePlugin } from 'ferrite-plugins/sdk'

const kept: unknown[] = []

export default definePlugin({
  name: 'trouble',
  version: '1.2.3',
  commands: {
    'T.PING': command({ summary: 'Answers', handler: () => 'pong' }),
    'T.LOOP': command({
      summary: 'Never ends',
      handler: () => {
        for (;;) kept.length = 0
      },
    }),
    'T.HEAP': command({
      summary: 'Fills the heap',
      handler: () => {
        for (;;) kept.push({ text: String(kept.length).repeat(10) })
      },
    }),
    'T.BUFFERS': command({
      summary: 'Keeps memory outside the heap',
      args: { mebibytes: arg.integer() },
      handler: (_ctx, { mebibytes }) => {
        kept.push(Buffer.alloc(mebibytes * 1024 * 1024, 1))
        return 'OK'
      },
    }),
    'T.NULL': command({
      summary: 'Throws null where nobody catches it',
      handler: () => {
        setImmediate(() => {
          // eslint-disable-next-line @typescript-eslint/only-throw-error -- that is the trouble
          throw null
        })
        return 'OK'
      },
    }),
    'T.REJECT': command({
      summary: 'Rejects a promise that nobody looks at',
      handler: () => {
        void Promise.reject(new Error('nobody looks'))
        return 'OK'
      },
    }),
    'T.EXIT': command({ summary: 'Leaves', handler: () => process.exit(3) }),
    'T.PRINT': command({
      summary: 'Prints',
      handler: () => {
        console.log('from console.log')
        process.stdout.write('from stdout.write\n')
        return 'OK'
      },
    }),
    'T.FOREVER': command({ summary: 'Answers never', handler: () => new Promise<string>(() => undefined) }),
  },
})
