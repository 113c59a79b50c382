// Hooks of commands: SET with a plugin asked first, or told afterwards, and what commands pay that no hook is for.
import type { TestServer } from '../../test/helpers/server.js'
import { benchPlugin, emptyFilterModule, sideOf, startBenchServer } from '../harness/bench-server.js'
import { atLeast, atMost, differenceFigure, ownFigure, ratioFigure } from '../harness/figure.js'
import { alternate, type Pace, type Round } from '../harness/rounds.js'
import type { Row, Setting } from '../harness/topic.js'
import type { Load } from '../harness/wire.js'

const kClients = 50
const kPipelined = { clients: kClients, pipeline: 16, keys: 10_000 }

/** What a server with the plugin is compared with. */
interface Other {
  readonly name: string
  readonly modules: readonly string[]
}

const kNone: Other = { name: 'none', modules: [] }
const kEmptyFilter: Other = { name: 'empty filter', modules: [emptyFilterModule] }

interface Comparison {
  /** What the servers are compared with. Default: a server without a module */
  readonly other?: Other
  /** Default: the plugin with hooks */
  readonly plugin?: string
  /** At the server with the plugin, in the end. */
  readonly look?: (hooked: TestServer) => Promise<void>
}

/** The same load on a server with the plugin, and on one without ferrite.so. */
async function compare(
  { program }: Setting,
  load: Load,
  pace: Pace,
  { other = kNone, plugin = 'bench-hooks', look }: Comparison = {},
): Promise<readonly Round[]> {
  const patient = { 'ferrite.sync-timeout': 1000, 'ferrite.sync-budget': 10_000 }
  const plugins = [benchPlugin(plugin)]
  await using hooked: TestServer = await startBenchServer(program, { plugins, config: patient })
  await using plain: TestServer = await startBenchServer(program, { module: false, modules: other.modules })
  const sides = [await sideOf(hooked, 'hook', load, { host: true }), await sideOf(plain, other.name, load)] as const
  const rounds = await alternate(sides, pace)
  await look?.(hooked)
  return rounds
}

const asked: Row = {
  name: 'async',
  async run(setting) {
    const load: Load = { command: ['SET', 'hooked:__rand_int__', 'xxx'], clients: kClients, keys: 10_000 }
    const rounds = await compare(setting, load, setting.pace)
    return {
      what: `before hook on SET that lets it go on, ${kClients} clients, no pipeline`,
      against: 'a server without the module',
      figures: [
        ratioFigure(rounds, { name: 'SET per second', of: 'perSecond', sideUnit: '/s', aim: atLeast(0.6) }),
        ratioFigure(rounds, { name: 'server CPU per operation', of: 'serverCpu', sideUnit: 'µs' }),
        ownFigure(rounds, { name: 'host CPU per operation', of: 'hostCpu', unit: 'µs' }),
      ],
      notes: [],
    }
  },
}

const unmatched: Row = {
  name: 'unmatched',
  async run(setting) {
    const get: Load = { command: ['GET', 'key:__rand_int__'], ...kPipelined }
    const set: Load = { command: ['SET', 'key:__rand_int__', 'xxx'], ...kPipelined }
    const gets = await compare(setting, get, setting.finePace)
    const sets = await compare(setting, set, setting.finePace)
    const least = await compare(setting, get, setting.finePace, { other: kEmptyFilter })
    return {
      what: 'GET, which no hook names, and SET with a key that no hook is for, pipeline 16',
      against: 'a server without the module',
      figures: [
        ratioFigure(gets, { name: 'GET per second', of: 'perSecond', sideUnit: '/s', aim: atLeast(0.95) }),
        ratioFigure(gets, { name: 'server CPU per operation', of: 'serverCpu', sideUnit: 'µs' }),
        ratioFigure(sets, { name: 'SET per second', of: 'perSecond', sideUnit: '/s', aim: atLeast(0.95) }),
        ratioFigure(sets, { name: 'server CPU per operation', of: 'serverCpu', sideUnit: 'µs' }),
        ratioFigure(least, { name: 'GET per second, against an empty filter', of: 'perSecond', sideUnit: '/s' }),
        ratioFigure(least, { name: 'server CPU per operation', of: 'serverCpu', sideUnit: 'µs' }),
      ],
      notes: ['an empty filter is a module whose command filter does nothing: what any filter costs on this server'],
      obstacle:
        'servers that look ahead in a pipeline (Redis 8.4 and newer) find each command twice once there is any filter; ours takes 7 to 9 % of the server’s CPU',
    }
  },
}

const ruled: Row = {
  name: 'rule',
  async run(setting) {
    const load = (prefix: string): Load => ({ command: ['SET', `${prefix}:__rand_int__`, 'xxx'], ...kPipelined })
    const denied = await compare(setting, load('key'), setting.finePace, { plugin: 'bench-rules' })
    const counted = await compare(setting, load('rated'), setting.finePace, { plugin: 'bench-rules' })
    return {
      what: 'a rule that denies SET of other keys, and one that counts SET of these (a rate for each user), pipeline 16',
      against: 'a server without the module',
      figures: [
        ratioFigure(denied, { name: 'SET per second, deny', of: 'perSecond', sideUnit: '/s', aim: atLeast(0.93) }),
        ratioFigure(denied, { name: 'server CPU per operation', of: 'serverCpu', sideUnit: 'µs' }),
        ratioFigure(counted, { name: 'SET per second, rate', of: 'perSecond', sideUnit: '/s', aim: atLeast(0.93) }),
        ratioFigure(counted, { name: 'server CPU per operation', of: 'serverCpu', sideUnit: 'µs' }),
      ],
      notes: [],
      obstacle: 'any filter costs as much as the row `unmatched` shows; a rate besides has to know who asks',
    }
  },
}

const told: Row = {
  name: 'after',
  async run(setting) {
    const load: Load = { command: ['SET', 'told:__rand_int__', 'xxx'], ...kPipelined }
    let untold = Number.NaN
    const rounds = await compare(setting, load, setting.pace, {
      look: async (hooked) => {
        const client = await hooked.client()
        const info = (await client.call('FERRITE.HOOK', 'INFO', 'bench-hooks/seen')) as unknown[]
        untold = Number(info[info.indexOf('overloaded') + 1])
      },
    })
    return {
      what: 'after hook on SET that is told of each, pipeline 16',
      against: 'a server without the module',
      figures: [
        ratioFigure(rounds, { name: 'SET per second', of: 'perSecond', sideUnit: '/s', aim: atLeast(0.55) }),
        ratioFigure(rounds, { name: 'server CPU per operation', of: 'serverCpu', sideUnit: 'µs' }),
        ownFigure(rounds, { name: 'host CPU per operation', of: 'hostCpu', unit: 'µs' }),
      ],
      notes: [`commands that the hook was not told of: ${untold}`],
      obstacle:
        'to learn the reply the module has to run the command itself: RM_Call, the wrapper and the second look at rights take three times as long as SET',
    }
  },
}

const sync: Row = {
  name: 'sync',
  async run(setting) {
    const script = "return redis.call('SET', KEYS[1], ARGV[1])"
    const load: Load = { command: ['EVAL', script, '1', 'hooked:1', 'xxx'], clients: 1 }
    const rounds = await compare(setting, load, setting.pace)
    return {
      what: 'the same hook on SET in a script, where the server waits for it, 1 client',
      against: 'a server without the module',
      figures: [
        differenceFigure(rounds, { name: 'p50 latency', of: 'p50', sideUnit: 'µs', unit: 'µs', aim: atMost(30) }),
      ],
      notes: [],
      obstacle:
        'the server sleeps until Node has woken up and answered, and wakes up again; spinning instead is slower on two processors',
    }
  },
}

export const hookRows = [asked, unmatched, ruled, told, sync]
