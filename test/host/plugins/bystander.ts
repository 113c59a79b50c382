// A plugin that does no harm.
import { command, definePlugin } from 'ferrite-plugins/sdk'

export default definePlugin({
  name: 'bystander',
  version: '1.0.0',
  commands: { 'B.PING': command({ summary: 'Answers', handler: () => 'pong' }) },
  teardown: (ctx) => ctx.log.info('bye'),
})
