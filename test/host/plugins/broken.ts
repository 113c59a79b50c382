// A plugin whose setup fails.
import { command, definePlugin } from 'ferrite-plugins/sdk'

export default definePlugin({
  name: 'broken',
  version: '1.0.0',
  commands: { 'X.PING': command({ summary: 'Never served', handler: () => 'pong' }) },
  setup: () => {
    throw new Error('no database to be found')
  },
})
