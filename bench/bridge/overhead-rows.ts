// What commands pay that are not the plugin's: SET and GET with the module loaded, against a server without it.
import { example } from '../../test/helpers/paths.js'
import type { TestServer } from '../../test/helpers/server.js'
import { until } from '../../test/helpers/until.js'
import { benchPlugin, callsOf, ferriteInfo, sideOf, startBenchServer } from '../harness/bench-server.js'
import { atLeast, atMost, ratioFigure, type Figure } from '../harness/figure.js'
import { alternate, type Side } from '../harness/rounds.js'
import { spreadOf, type Spread } from '../harness/statistics.js'
import type { Load } from '../harness/wire.js'
import type { BridgeRow as Row } from './topic.js'

const kPipelined = { clients: 50, pipeline: 16, keys: 10_000 }
const kSet: Load = { command: ['SET', 'key:__rand_int__', 'xxx'], ...kPipelined }
const kGet: Load = { command: ['GET', 'key:__rand_int__'], ...kPipelined }

const idle: Row = {
  name: 'idle',
  async run({ program, finePace }) {
    await using loaded = await startBenchServer(program, { plugins: [example('rate-limiter')] })
    await using plain = await startBenchServer(program, { module: false })
    const figures: Figure[] = []
    for (const [name, load] of [
      ['SET per second', kSet],
      ['GET per second', kGet],
    ] as const) {
      const sides = [await sideOf(loaded, 'module', load), await sideOf(plain, 'none', load)] as const
      const rounds = await alternate(sides, finePace)
      figures.push(ratioFigure(rounds, { name, of: 'perSecond', sideUnit: '/s', aim: atLeast(0.98) }))
      figures.push(ratioFigure(rounds, { name: 'server CPU per operation', of: 'serverCpu', sideUnit: 'µs' }))
    }
    return {
      what: 'module loaded with a plugin that is idle, SET and GET, pipeline 16',
      against: 'a server without the module',
      figures,
      notes: [],
    }
  },
}

const events: Row = {
  name: 'events',
  async run({ program, pace }) {
    await using loaded = await startBenchServer(program, { plugins: [benchPlugin('bench-events')] })
    await using plain = await startBenchServer(program, { module: false })
    const counted = await countingSide(loaded)
    const rounds = await alternate([counted.side, await sideOf(plain, 'none', kSet)], pace)
    const lost = await counted.lost()
    return {
      what: 'every SET forwarded to a plugin as an event, pipeline 16',
      against: 'a server without the module',
      figures: [
        ratioFigure(rounds, { name: 'SET per second', of: 'perSecond', sideUnit: '/s', aim: atLeast(0.65) }),
        ratioFigure(rounds, { name: 'server CPU per operation', of: 'serverCpu', sideUnit: 'µs' }),
        {
          name: 'events dropped',
          value: spreadOf([lost]),
          unit: '',
          aim: atMost(0),
        },
        { name: 'plugin behind at the end of a round', value: counted.behind(), unit: 'ms' },
      ],
      notes: ['a round ends when the plugin has counted every event of it'],
    }
  },
}

interface CountingSide {
  readonly side: Side
  /** Events that were lost on the way or in the plugin's queue: SETs that it has not seen. */
  readonly lost: () => Promise<number>
  readonly behind: () => Spread
}

/** A side whose rounds end when the plugin has seen every event. */
async function countingSide(server: TestServer): Promise<CountingSide> {
  const client = await server.client()
  const lags: number[] = []
  const counts = async (): Promise<readonly [number, number]> => (await client.call('BENCH.EVENTS')) as [number, number]
  const lost = async (): Promise<number> => {
    const [seen] = await counts()
    return (await callsOf(server, 'set')) - seen
  }
  const finish = async (requests: number): Promise<void> => {
    const begun = performance.now()
    const isDone = async (): Promise<boolean> => {
      const [, toldPlugin] = await counts()
      const missing = await lost()
      return missing === 0 || missing <= toldPlugin + (await ferriteInfo(server, 'events_dropped'))
    }
    await until(isDone, { what: 'the plugin to have seen every SET', timeoutMs: 60_000, intervalMs: 1 })
    if (requests > 0) lags.push(performance.now() - begun)
  }
  const side = { ...(await sideOf(server, 'events', kSet, { host: true })), finish }
  return { side, lost, behind: () => spreadOf(lags) }
}

export const overheadRows = [idle, events]
