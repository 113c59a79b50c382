// Hooks that fail in every way, one closed and one open. What a hook has seen is marked: its value begins with `seen:`.
import { before, definePlugin, type HookedCommand, type Verdict } from 'ferrite-plugins/sdk'

const hoard: Buffer[] = []

function decide(cmd: HookedCommand): Verdict {
  const [key = '', value = ''] = cmd.args
  switch (String(value)) {
    case 'bad':
      return cmd.deny('BAD', 'never')
    case 'throw':
      throw new Error('on purpose')
    case 'loop':
      for (;;);
    case 'allocate':
      for (;;) hoard.push(Buffer.alloc(2 ** 20, 1))
    default:
      return cmd.rewrite([key, `seen:${String(value)}`])
  }
}

export default definePlugin({
  name: 'verdicts',
  hooks: {
    closed: before({ command: 'SET', key: 'closed:*', timeoutMs: 500, handler: (_ctx, cmd) => decide(cmd) }),
    open: before({
      command: 'SET',
      key: 'open:*',
      timeoutMs: 500,
      onFailure: 'allow',
      handler: (_ctx, cmd) => decide(cmd),
    }),
  },
})
