// Entry of the host process, which the module starts. Ends when the connection to the server or the parent process does.
import { HostError, thrownStack, thrownText } from './errors.js'
import { readInstalled } from './installed.js'
import { LogWriter } from './log-writer.js'
import { Supervisor } from './supervisor.js'

const kParentMs = 1000
/** After this the process ends whatever still runs: the module allows 2 s. */
const kLatestEndMs = 1900
const kLastLinesMs = 1000
const kStandardOutput = 1

const writer = new LogWriter(kStandardOutput)
const parent = process.ppid

function socketPath(): string {
  const path = process.env['FERRITE_SOCKET']
  if (path !== undefined && path !== '') return path
  throw new HostError(
    'FERRITE_HOST_ENVIRONMENT',
    "FERRITE_SOCKET is not set; expected the path of the module's socket. The module starts this process by itself; with ferrite.host-mode external set it by hand",
  )
}

/** Fulfilled when another process has become the parent: the server is gone. */
function parentGone(): Promise<string> {
  return new Promise((resolve) => {
    setInterval(() => process.ppid !== parent && resolve('the parent process is gone'), kParentMs)
  })
}

function asked(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(signal))
  })
}

/** Ends the process when its last lines are written, at the latest after a second. */
function end(code: number): void {
  setTimeout(() => process.exit(code), kLastLinesMs)
  void writer.flushed().then(() => process.exit(code))
}

function fail(thrown: unknown): void {
  writer.line(`<3>${thrownStack(thrown).replaceAll('\n', '\\n')}`)
  end(1)
}

process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)

try {
  const supervisor = await Supervisor.start({
    socketPath: socketPath(),
    sink: writer.line,
    readCatalogue: readInstalled,
  })
  const reason = await Promise.race([supervisor.ended, parentGone(), asked()])
  setTimeout(() => process.exit(0), kLatestEndMs)
  await supervisor.stop(reason)
  end(0)
} catch (thrown) {
  writer.line(`<3>cannot start: ${thrownText(thrown)}`)
  end(1)
}
