// Topic hooks: what it costs that a plugin is asked about commands of clients, or told of them.
import type { ServerProgram } from '#lib/servers/server-version.js'
import type { BenchOptions } from './harness/options.js'
import type { Report } from './harness/report.js'
import { runRows, settingOf, type Say } from './harness/topic.js'
import { hookRows } from './hooks/hook-rows.js'

export async function benchHooks(program: ServerProgram, options: BenchOptions, say: Say): Promise<Report> {
  return await runRows('hooks', hookRows, settingOf(program, options), options, say)
}
