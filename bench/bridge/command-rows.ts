// Commands of plugins against the same in Lua, and against a C command that does nothing but block and unblock.
import type { TestServer } from '../../test/helpers/server.js'
import { sideOf } from '../harness/bench-server.js'
import { atLeast, atMost, differenceFigure, ownFigure, ratioFigure, type Figure } from '../harness/figure.js'
import { alternate, type Round } from '../harness/rounds.js'
import type { Load } from '../harness/wire.js'
import type { BridgeRow as Row } from './topic.js'

const kText = 'hello, bench'
const kClients = 50

/** A day and enough requests for every one to be allowed: each reads, decides and writes. */
const kLimit = ['100000', '86400000']
const kHotLimit = ['10000000', '86400000']

async function compare(
  server: TestServer,
  pace: { rounds: number; seconds: number },
  loads: readonly [Load, Load],
): Promise<readonly Round[]> {
  const [ours, theirs] = loads
  return await alternate(
    [await sideOf(server, 'plugin', ours, { host: true }), await sideOf(server, 'other', theirs)],
    pace,
  )
}

function hostCpu(rounds: readonly Round[]): Figure {
  return ownFigure(rounds, { name: 'host CPU per operation', of: 'hostCpu', unit: 'µs' })
}

const echo: Row = {
  name: 'echo',
  async run({ shared, pace }) {
    const rounds = await compare(await shared(), pace, [
      { command: ['BENCH.ECHO', kText], clients: kClients },
      { command: ['FCALL', 'bench_echo', '0', kText], clients: kClients },
    ])
    return {
      what: `echo command in a plugin, ${kClients} clients, no pipeline`,
      against: 'echo as a Lua function (FCALL)',
      figures: [
        ratioFigure(rounds, { name: 'requests per second', of: 'perSecond', sideUnit: '/s', aim: atLeast(0.95) }),
        ratioFigure(rounds, { name: 'server CPU per operation', of: 'serverCpu', sideUnit: 'µs', aim: atMost(1.15) }),
        hostCpu(rounds),
      ],
      notes: [],
      obstacle:
        'client, server and host share the processors: on two of them the host, 2 to 3 µs of CPU, takes its time from both',
    }
  },
}

const latency: Row = {
  name: 'latency',
  async run({ shared, pace }) {
    const rounds = await compare(await shared(), pace, [
      { command: ['BENCH.ECHO', kText], clients: 1 },
      { command: ['FCALL', 'bench_echo', '0', kText], clients: 1 },
    ])
    return {
      what: 'the same, 1 client',
      against: 'echo as a Lua function (FCALL)',
      figures: [
        differenceFigure(rounds, { name: 'p50 latency', of: 'p50', sideUnit: 'µs', unit: 'µs', aim: atMost(25) }),
      ],
      notes: [],
      obstacle:
        'a command waits for two wake-ups of Node (a bare echo over a unix socket: 22 µs here) and one more turn of the server’s loop to unblock',
    }
  },
}

const pipeline: Row = {
  name: 'pipeline',
  async run({ shared, pace }) {
    const rounds = await compare(await shared(), pace, [
      { command: ['BENCH.ECHO', kText], clients: kClients, pipeline: 16 },
      { command: ['BENCH.PASS', kText], clients: kClients, pipeline: 16 },
    ])
    return {
      what: `the same, pipeline 16, ${kClients} clients`,
      against: 'a C command that blocks and unblocks at once',
      figures: [
        ratioFigure(rounds, { name: 'requests per second', of: 'perSecond', sideUnit: '/s', aim: atLeast(0.8) }),
        ratioFigure(rounds, { name: 'server CPU per operation', of: 'serverCpu', sideUnit: 'µs' }),
        hostCpu(rounds),
      ],
      notes: ['the server reads no further command of a client that is blocked'],
      obstacle: 'the host shares two processors with client and server',
    }
  },
}

const limiter: Row = {
  name: 'limiter',
  async run({ shared, pace }) {
    const server = await shared()
    await sameReplies(server)
    const load = { clients: kClients, keys: 10_000 }
    const rounds = await compare(server, pace, [
      { command: ['RATELIMIT.CHECK', 'ours:__rand_int__', ...kLimit], ...load },
      { command: ['FCALL', 'bench_check', '1', 'theirs:__rand_int__', ...kLimit], ...load },
    ])
    return {
      what: `rate limiter, ${kClients} clients, 10,000 keys, every request allowed`,
      against: 'the same logic as a Lua function (FCALL)',
      figures: [
        ratioFigure(rounds, { name: 'requests per second', of: 'perSecond', sideUnit: '/s', aim: atLeast(0.95) }),
        ratioFigure(rounds, { name: 'server CPU per operation', of: 'serverCpu', sideUnit: 'µs', aim: atMost(1.05) }),
        hostCpu(rounds),
      ],
      notes: [],
    }
  },
}

const hotKey: Row = {
  name: 'hot-key',
  async run({ shared, pace }) {
    const rounds = await compare(await shared(), pace, [
      { command: ['RATELIMIT.CHECK', 'ours:hot', ...kHotLimit], clients: kClients },
      { command: ['FCALL', 'bench_check', '1', 'theirs:hot', ...kHotLimit], clients: kClients },
    ])
    return {
      what: `rate limiter on one hot key, ${kClients} clients, every request allowed`,
      against: 'the same logic as a Lua function (FCALL)',
      figures: [
        ratioFigure(rounds, { name: 'requests per second', of: 'perSecond', sideUnit: '/s', aim: atLeast(0.75) }),
        ratioFigure(rounds, { name: 'server CPU per operation', of: 'serverCpu', sideUnit: 'µs' }),
        hostCpu(rounds),
      ],
      notes: [],
    }
  },
}

const noise: Row = {
  name: 'noise',
  async run({ shared, pace }) {
    const server = await shared()
    const load = { command: ['FCALL', 'bench_echo', '0', kText], clients: kClients }
    const rounds = await alternate([await sideOf(server, 'A', load), await sideOf(server, 'A', load)], pace)
    const perSecond = ratioFigure(rounds, { name: 'requests per second', of: 'perSecond', sideUnit: '/s' })
    const { min, max } = perSecond.value
    const isBusy = min < 0.9 || max > 1.1
    return {
      what: 'the noise of this run: echo as a Lua function',
      against: 'itself',
      figures: [perSecond, ratioFigure(rounds, { name: 'server CPU per operation', of: 'serverCpu', sideUnit: 'µs' })],
      notes: isBusy ? ['something else kept the machine busy: trust CPU per operation, not requests per second'] : [],
    }
  },
}

/** The comparison stands only while both do the same: asked alike, they answer alike. */
async function sameReplies(server: TestServer): Promise<void> {
  const client = await server.client()
  for (const [max, cost] of [
    ['5', '1'],
    ['5', '5'],
    ['100', '7'],
  ] as const) {
    const words = [max, '86400000', 'COST', cost]
    const ours: unknown = await client.call('RATELIMIT.CHECK', `same:${max}:ours`, ...words)
    const theirs: unknown = await client.call('FCALL', 'bench_check', '1', `same:${max}:theirs`, ...words)
    const [a, b] = [fields(ours), fields(theirs)]
    // Each was asked at a time of its own.
    const isSame = a.length === 8 && a.every((field, i) => (i === 5 || i === 7 ? near(field, b[i]) : field === b[i]))
    if (isSame) continue
    throw new Error(`RATELIMIT.CHECK replies ${a.join(' ')}, bench_check ${b.join(' ')}: they must be the same`)
  }
}

function fields(reply: unknown): readonly string[] {
  if (Array.isArray(reply)) return reply.map((one) => (typeof one === 'boolean' ? String(Number(one)) : String(one)))
  return fields(Object.entries(reply as object).flat())
}

function near(a: string | undefined, b: string | undefined): boolean {
  return Math.abs(Number(a) - Number(b)) <= 2000
}

export const commandRows = [echo, latency, pipeline, limiter, hotKey, noise]
