// Topic hooks: what it costs that a plugin is asked before commands of clients.
import type { ServerProgram } from '#lib/servers/server-version.js'
import type { BenchOptions } from './harness/options.js'
import type { Report } from './harness/report.js'
import { runRows, settingOf, type Say } from './harness/topic.js'
import { beforeRows } from './hooks/before-rows.js'

export async function benchHooks(program: ServerProgram, options: BenchOptions, say: Say): Promise<Report> {
  return await runRows('hooks', beforeRows, settingOf(program, options), options, say)
}
