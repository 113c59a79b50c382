// A plugin that writes to the log, too much if asked to.
import { arg, command, definePlugin } from 'ferrite-plugins/sdk'

export default definePlugin({
  name: 'talker',
  commands: {
    'TALKER.SAY': command({
      summary: 'An entry of each level',
      args: { text: arg.string() },
      handler(ctx, { text }) {
        for (const level of ['debug', 'info', 'warn', 'error'] as const) ctx.log[level](`${level} ${text}`)
        return 'OK'
      },
    }),
  },
})
