import { command, definePlugin, onKey } from 'ferrite-plugins/sdk'

let seen = 0
let dropped = 0

/** Counts the key events that reach it, and those that it was told it has missed. */
export default definePlugin({
  name: 'bench-events',
  permissions: { keys: { r: ['*'] } },
  commands: {
    'BENCH.EVENTS': command({
      summary: 'Replies the numbers of events seen and of events dropped',
      handler: () => [seen, dropped],
    }),
  },
  hooks: {
    sets: onKey({
      key: '*',
      events: ['set'],
      handler(ctx) {
        seen++
        dropped += ctx.dropped
      },
    }),
  },
})
