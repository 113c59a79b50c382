// npm run bench: picks the topic by the command line, prints its table, writes its JSON.
import { findServer } from '#lib/servers/find-server.js'
import type { ServerProgram } from '#lib/servers/server-version.js'
import { benchBridge } from './bridge.bench.js'
import { benchCodec } from './codec.bench.js'
import { benchHooks } from './hooks.bench.js'
import { readOptions, usage, type BenchOptions } from './harness/options.js'
import { printReport, writeReport, type Report } from './harness/report.js'

const say = (line: string): void => {
  console.error(`ferrite: ${line}`)
}

async function serverOf({ server }: BenchOptions): Promise<ServerProgram> {
  if (server !== undefined) return await findServer(server, say)
  const { anyServer } = await import('../test/helpers/matrix.js')
  return anyServer()
}

async function measure(options: BenchOptions): Promise<Report> {
  switch (options.topic) {
    case 'bridge':
      return await benchBridge(await serverOf(options), options, say)
    case 'hooks':
      return await benchHooks(await serverOf(options), options, say)
    case 'codec':
      return benchCodec(options, say)
    default:
      throw new RangeError(`no topic ${options.topic}; there are bridge, hooks and codec`)
  }
}

try {
  const options = readOptions(process.argv.slice(2))
  const report = await measure(options)
  printReport(report)
  if (options.json !== undefined) await writeReport(options.json, report)
} catch (err) {
  if (!(err instanceof RangeError || err instanceof TypeError)) throw err
  console.error(`ferrite: ${err.message}\n\n${usage}`)
  process.exitCode = 2
}
