// Topic bridge: what it costs that a command is answered by TypeScript in another process.
import type { ServerProgram } from '#lib/servers/server-version.js'
import { example } from '../test/helpers/paths.js'
import type { TestServer } from '../test/helpers/server.js'
import { commandRows } from './bridge/command-rows.js'
import { memoryRows } from './bridge/memory-rows.js'
import { overheadRows } from './bridge/overhead-rows.js'
import type { Setting } from './bridge/topic.js'
import { benchPlugin, blockModule, startBenchServer } from './harness/bench-server.js'
import type { BenchOptions } from './harness/options.js'
import type { Report, RowResult } from './harness/report.js'

const rows = [...commandRows, ...overheadRows, ...memoryRows]

/** Measures the rows that are asked for; `say` is told before each. */
export async function benchBridge(
  program: ServerProgram,
  options: BenchOptions,
  say: (line: string) => void,
): Promise<Report> {
  const unknown = options.rows.filter((name) => !rows.some((row) => row.name === name))
  if (unknown.length > 0)
    throw new RangeError(`no row ${unknown.join(', ')}; there are ${rows.map((row) => row.name).join(', ')}`)
  await using shared = new SharedServer(program)
  const setting = settingOf(program, options, () => shared.get())
  const results: RowResult[] = []
  for (const row of rows) {
    if (options.rows.length > 0 && !options.rows.includes(row.name)) continue
    say(row.name)
    results.push({ row: row.name, ...(await row.run(setting)) })
  }
  return { topic: 'bridge', server: program.name, rows: results }
}

function settingOf(program: ServerProgram, options: BenchOptions, shared: Setting['shared']): Setting {
  const { isQuick, rounds } = options
  const seconds = isQuick ? 0.2 : 1
  return {
    program,
    shared,
    isQuick,
    pace: { seconds, rounds: rounds ?? (isQuick ? 5 : 7) },
    finePace: { seconds, rounds: rounds ?? (isQuick ? 5 : 15) },
  }
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
