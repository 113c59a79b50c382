import { arg, command, definePlugin } from 'ferrite-plugins/sdk'

const waiting: (() => void)[] = []

/** The least that a command can do, and one that does not answer until it is told to. */
export default definePlugin({
  name: 'bench-echo',
  commands: {
    'BENCH.ECHO': command({
      summary: 'Replies its argument',
      flags: ['fast'],
      args: { text: arg.buffer() },
      handler: (_ctx, { text }) => text,
    }),
    'BENCH.WAIT': command({
      summary: 'Answers at the next BENCH.GO',
      timeoutMs: 60_000,
      args: { text: arg.buffer() },
      handler: (_ctx, { text }) =>
        new Promise<Buffer>((resolve) => {
          waiting.push(() => {
            resolve(text)
          })
        }),
    }),
    'BENCH.GO': command({
      summary: 'Answers every BENCH.WAIT; replies how many',
      handler: () => {
        const going = waiting.splice(0)
        for (const go of going) go()
        return going.length
      },
    }),
  },
})
