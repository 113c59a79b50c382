// A plugin that does no harm.
import { before, command, definePlugin } from 'ferrite-plugins/sdk'

export default definePlugin({
  name: 'bystander',
  version: '1.0.0',
  commands: { 'B.PING': command({ summary: 'Answers', handler: () => 'pong' }) },
  hooks: { watches: before({ command: 'B.PING', handler: (_ctx, cmd) => cmd.continue() }) },
  teardown: (ctx) => ctx.log.info('bye'),
})
