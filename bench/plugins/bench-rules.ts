// Rules that let everything pass that the benchmark sends.
import { definePlugin } from 'ferrite-plugins/sdk'

export default definePlugin({
  name: 'bench-rules',
  rules: {
    denied: { action: 'deny', command: 'SET', key: 'secret:*' },
    counted: { action: 'rate', command: 'SET', key: 'rated:*', limit: 1_000_000, intervalMs: 1, per: 'user' },
  },
})
