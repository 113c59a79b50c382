import { after, before, definePlugin } from 'ferrite-plugins/sdk'

/** The least that a hook can do. */
export default definePlugin({
  name: 'bench-hooks',
  hooks: {
    pass: before({ command: 'SET', key: 'hooked:*', handler: (_ctx, cmd) => cmd.continue() }),
    seen: after({ command: 'SET', key: 'told:*', handler: () => undefined }),
  },
})
