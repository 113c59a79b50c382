// What the module, the host, plugins and waiting requests take. Servers of their own, so that nothing lingers.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ServerProgram } from '#lib/servers/server-version.js'
import { startServer, type TestServer } from '../../test/helpers/server.js'
import { until } from '../../test/helpers/until.js'
import { benchPlugin, blockModule, ferriteInfo, hostPid, infoNumber } from '../harness/bench-server.js'
import { atMost, type Figure } from '../harness/figure.js'
import { proportionalBytes, residentBytes, settledBytes } from '../harness/process-usage.js'
import { spreadOf } from '../harness/statistics.js'
import type { BridgeRow as Row } from './topic.js'

const kMiB = 2 ** 20
const kWaiting = 1000
const kPayload = Buffer.alloc(100, 'x')

function once(name: string, value: number, unit: string, aim?: number): Figure {
  return { name, value: spreadOf([value]), unit, ...(aim === undefined ? {} : { aim: atMost(aim) }) }
}

const moduleIdle: Row = {
  name: 'memory-module',
  async run({ program }) {
    await using plain = await startServer({ server: program, module: false })
    await using loaded = await startServer({ server: program, config: { 'ferrite.host-mode': 'external' } })
    const used = async (server: TestServer): Promise<number> => await infoNumber(server, 'memory', 'used_memory')
    const resident = async (server: TestServer): Promise<number> =>
      await settledBytes(() => residentBytes(server.pid), 5)
    return {
      what: 'module idle: what the server takes more than without it',
      against: '',
      figures: [
        once('used_memory', ((await used(loaded)) - (await used(plain))) / kMiB, 'MiB', 1),
        once('resident memory', ((await resident(loaded)) - (await resident(plain))) / kMiB, 'MiB', 1),
      ],
      notes: [],
    }
  },
}

const hostIdle: Row = {
  name: 'memory-host',
  async run({ program, isQuick }) {
    const more = isQuick ? 4 : 8
    const none = await hostBytes(program, 0, {})
    const one = await hostBytes(program, 1, {})
    const several = await hostBytes(program, 1 + more, {})
    // Two lanes: control, and one worker for all.
    const sharedOne = await hostBytes(program, 1, { 'ferrite.max-lanes': 2 })
    const sharedSeveral = await hostBytes(program, 1 + more, { 'ferrite.max-lanes': 2 })
    const each = (few: HostBytes, many: HostBytes): number => (many.resident - few.resident) / more / kMiB
    return {
      what: 'resident memory of the host process',
      against: '',
      figures: [
        once('without a plugin', none.resident / kMiB, 'MiB', 90),
        once('without a plugin, shared pages in part', none.proportional / kMiB, 'MiB'),
        once('with one plugin', one.resident / kMiB, 'MiB'),
        once('per further plugin in a worker of its own', each(one, several), 'MiB', 12),
        once('per further plugin in a shared worker', each(sharedOne, sharedSeveral), 'MiB', 1),
      ],
      notes: [`further plugins: ${more}`],
    }
  },
}

const inFlight: Row = {
  name: 'memory-in-flight',
  async run({ program, isQuick }) {
    const plugins = [benchPlugin('bench-echo')]
    await using server = await startServer({ server: program, plugins, modules: [blockModule] })
    await using crowd = await Crowd.of(server, kWaiting)
    const waiting = { asked: 'BENCH.WAIT', release: 'BENCH.GO', count: () => ferriteInfo(server, 'inflight') }
    const held = { asked: 'BENCH.HOLD', release: 'BENCH.RELEASE', count: async () => await heldCount(server) }
    const rounds = isQuick ? 3 : 5
    const ours: number[] = []
    const theirs: number[] = []
    // The first round fills what is kept for later: buffers, slots.
    for (let i = 0; i <= rounds; i++) {
      const [a, b] = [await crowd.bytesEach(waiting), await crowd.bytesEach(held)]
      if (i > 0) ours.push(a)
      if (i > 0) theirs.push(b)
    }
    const more = ours.map((bytes, i) => bytes - (theirs[i] ?? 0) - kPayload.length)
    return {
      what: `a request that waits for its plugin (${kWaiting} at once, ${kPayload.length} bytes of argument)`,
      against: 'a C command that blocks',
      figures: [
        {
          name: 'used_memory per request, less the payload',
          ours: spreadOf(ours).median,
          theirs: spreadOf(theirs).median,
          sideUnit: 'bytes',
          value: spreadOf(more),
          unit: 'bytes',
          aim: atMost(1024),
        },
      ],
      notes: [],
    }
  },
}

interface HostBytes {
  readonly resident: number
  readonly proportional: number
}

/** The host with so many plugins, all active and idle. */
async function hostBytes(program: ServerProgram, count: number, config: Record<string, number>): Promise<HostBytes> {
  const folder = await mkdtemp(join(tmpdir(), 'ferrite-bench-'))
  try {
    const plugins: string[] = []
    for (let i = 0; i < count; i++) plugins.push(await copyOfEcho(folder, i))
    await using server = await startServer({ server: program, plugins, config })
    const pid = await hostPid(server)
    await until(() => ferriteInfo(server, 'lanes'), { what: 'the host to be connected', timeoutMs: 20_000 })
    return {
      resident: await settledBytes(() => residentBytes(pid), 15),
      proportional: await proportionalBytes(pid),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** bench-echo under another name. */
async function copyOfEcho(folder: string, number: number): Promise<string> {
  const source = await readFile(benchPlugin('bench-echo'), 'utf8')
  const path = join(folder, `bench-echo-${number}.ts`)
  await writeFile(path, source.replaceAll('bench-echo', `bench-echo-${number}`).replaceAll('BENCH.', `BENCH${number}.`))
  return path
}

async function heldCount(server: TestServer): Promise<number> {
  return Number(await server.cli('BENCH.HELD'))
}

interface Wait {
  readonly asked: string
  readonly release: string
  /** How many wait now. */
  readonly count: () => Promise<number>
}

/** Connected clients that can all wait at once. */
class Crowd implements AsyncDisposable {
  private constructor(
    private readonly server: TestServer,
    private readonly sockets: readonly Socket[],
  ) {}

  static async of(server: TestServer, size: number): Promise<Crowd> {
    const sockets = await Promise.all(Array.from({ length: size }, () => connected(server.port)))
    return new Crowd(server, sockets)
  }

  /** What one waiting client takes of the server's used_memory more than one that does not wait. */
  async bytesEach(wait: Wait): Promise<number> {
    const before = await this.used()
    const request = `*2\r\n$${wait.asked.length}\r\n${wait.asked}\r\n$${kPayload.length}\r\n${kPayload.toString()}\r\n`
    const answered = Promise.all(this.sockets.map((socket) => new Promise((resolve) => socket.once('data', resolve))))
    for (const socket of this.sockets) socket.write(request)
    const isFull = async (): Promise<boolean> => (await wait.count()) >= this.sockets.length
    await until(isFull, { what: `${this.sockets.length} waiting clients`, timeoutMs: 20_000 })
    const during = await this.used()
    await this.server.cli(wait.release)
    await answered
    return (during - before) / this.sockets.length
  }

  private async used(): Promise<number> {
    return await infoNumber(this.server, 'memory', 'used_memory')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await Promise.resolve()
  }
}

function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      resolve(socket)
    })
    socket.once('error', reject)
  })
}

export const memoryRows = [moduleIdle, hostIdle, inFlight]
