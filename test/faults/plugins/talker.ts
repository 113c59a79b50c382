// A plugin that writes to the log, too much if asked to.
import { spawn } from 'node:child_process'
import { writeSync } from 'node:fs'
import { arg, command, definePlugin } from 'ferrite-plugins/sdk'

let flooding = false

/** By itself, as a native library does: no limit of the host's is in the way. */
function flood(): void {
  if (!flooding) return
  try {
    writeSync(1, '<5>flood\n'.repeat(1000))
  } catch {
    // the pipe is full
  }
  setImmediate(flood)
}

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
    'TALKER.FLOOD': command({
      summary: 'Prints without end, or ends it',
      args: { on: arg.integer({ min: 0, max: 1 }) },
      handler(_ctx, { on }) {
        flooding = on === 1
        flood()
        return 'OK'
      },
    }),
    'TALKER.LEAVE': command({
      summary: 'Starts a process that prints for as long as somebody reads',
      handler: () => spawn('sh', ['-c', 'while echo left; do :; done'], { stdio: 'inherit', detached: true }).pid ?? 0,
    }),
  },
})
