// Topic bridge: what it costs that a command is answered by TypeScript in another process.
import type { ServerProgram } from '#lib/servers/server-version.js'
import { example } from '../test/helpers/paths.js'
import type { TestServer } from '../test/helpers/server.js'
import { commandRows } from './bridge/command-rows.js'
import { memoryRows } from './bridge/memory-rows.js'
import { overheadRows } from './bridge/overhead-rows.js'
import { benchPlugin, blockModule, startBenchServer } from './harness/bench-server.js'
import type { BenchOptions } from './harness/options.js'
import type { Report } from './harness/report.js'
import { runRows, settingOf, type Say } from './harness/topic.js'

const rows = [...commandRows, ...overheadRows, ...memoryRows]

export async function benchBridge(program: ServerProgram, options: BenchOptions, say: Say): Promise<Report> {
  await using shared = new SharedServer(program)
  const setting = { ...settingOf(program, options), shared: () => shared.get() }
  return await runRows('bridge', rows, setting, options, say)
}

/** Started when the first row wants it, stopped after the last. */
class SharedServer implements AsyncDisposable {
  private server: Promise<TestServer> | undefined

  constructor(private readonly program: ServerProgram) {}

  get(): Promise<TestServer> {
    return (this.server ??= startBenchServer(this.program, {
      plugins: [benchPlugin('bench-echo'), example('rate-limiter')],
      modules: [blockModule],
    }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.server)?.[Symbol.asyncDispose]()
  }
}
