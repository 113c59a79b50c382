// Random commands on two servers of one version: with a hook of everything that lets everything go on, the other is
// without the module. Replies, data, append-only file and replica are the same.
import { randomInt } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { decodeResp, RespError, RespMap, RespSet, RespVerbatim, type RespValue } from '#lib/bridge/resp.js'
import {
  digest,
  fixturePlugin,
  forEachServer,
  RawClient,
  readAof,
  startServer,
  startTwins,
  untilInStep,
  type Twins,
  type Words,
} from '../helpers/index.js'
import { isClockBound, isUnordered, leftOutText, RandomCommands, readDocs, seededRandom } from './random-commands.js'

const isLong = process.env['FERRITE_LONG'] === '1'
const kBatch = 20
const count = isLong ? 100_000 : 2_000

type Way = 'async' | 'in MULTI' | 'in scripts'

/** Splits the bytes of replies, which no question was needed for to tell apart. */
function split(bytes: Buffer): Buffer[] {
  const replies: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const end = endOf(bytes, at)
    replies.push(bytes.subarray(at, end))
    at = end
  }
  return replies
}

/** Where the reply that begins here ends. */
function endOf(bytes: Buffer, at: number): number {
  const line = bytes.indexOf('\r\n', at)
  const type = String.fromCharCode(bytes[at] ?? 0)
  const size = Number(bytes.toString('latin1', at + 1, line))
  let end = line + 2
  if ('$=!'.includes(type)) return size < 0 ? end : end + size + 2
  const items = '*~>'.includes(type) ? size : type === '%' ? 2 * size : 0
  for (let n = 0; n < items; n++) end = endOf(bytes, end)
  return end
}

/** A reply for comparison: as text; without what is each process's own. */
function comparable(value: RespValue, words: readonly string[]): unknown {
  if (value instanceof RespError) return `-${value.code} ${value.message}`
  if (value instanceof RespVerbatim) return value.text.toString('latin1')
  if (isClockBound(words)) return shapeOf(value)
  if (Buffer.isBuffer(value)) return value.toString('latin1')
  if (value instanceof RespMap)
    return comparable(
      value.entries.map((pair) => [...pair]),
      ['KEYS'],
    )
  if (value instanceof RespSet) return comparable([...value.items], ['KEYS'])
  if (!Array.isArray(value)) return typeof value === 'bigint' ? String(value) : value
  const items = (value as RespValue[]).map((item) => comparable(item, isUnordered(words) ? ['KEYS'] : words))
  return isUnordered(words) ? items.map((item) => JSON.stringify(item)).sort() : items
}

/** What is left of a reply that the clock has a part in. */
function shapeOf(value: RespValue): unknown {
  if (Array.isArray(value)) return (value as RespValue[]).map(shapeOf)
  return typeof value === 'number' && value > 0 ? 'a time' : typeof value === 'number' ? value : typeof value
}

/** The commands as they are sent, and for each reply the words that it is the reply to. */
function frame(way: Way, batch: readonly Words[]): { sent: Words[]; about: Words[] } {
  switch (way) {
    case 'async':
      return { sent: [...batch], about: [...batch] }
    case 'in MULTI':
      return { sent: [['MULTI'], ...batch, ['EXEC']], about: [['MULTI'], ...batch, ['EXEC']] }
    case 'in scripts': {
      const sent = batch.map((words) => ['EVAL', 'return redis.pcall(unpack(ARGV))', '0', ...words])
      return { sent, about: [...batch] }
    }
  }
}

interface Tally {
  replies: number
  errors: number
}

async function compareReplies(t: ExecutionContext, twins: Twins, way: Way, resp: 2 | 3, seed: number): Promise<Tally> {
  using plain = await RawClient.connect(twins.plain.port, resp)
  using hooked = await RawClient.connect(twins.hooked.port, resp)
  using docs = await RawClient.connect(twins.plain.port, 3)
  const random = new RandomCommands(readDocs(decodeResp(await docs.ask('COMMAND', 'DOCS'))), seededRandom(seed))
  const tally: Tally = { replies: 0, errors: 0 }
  for (let done = 0; done < count; done += kBatch) {
    const batch = Array.from({ length: kBatch }, () => random.next())
    const { sent, about } = frame(way, batch)
    const [expected, got] = [split(await plain.askAll(...sent)), split(await hooked.askAll(...sent))]
    for (const [n, reply] of expected.entries()) {
      const words = (about[n] ?? []).map(String)
      tally.replies++
      if (reply[0] === 0x2d) tally.errors++
      const other = got[n]
      if (other?.equals(reply) === true) continue
      const replies = way === 'in MULTI' && words[0] === 'EXEC' ? batch : undefined
      const same = (bytes: Buffer): unknown => {
        const value = decodeResp(bytes)
        if (replies === undefined || !Array.isArray(value)) return comparable(value, words)
        // A refused command of the transaction would have ended it: each has its reply.
        return (value as RespValue[]).map((item, i) => comparable(item, replies[i] ?? []))
      }
      t.deepEqual(other === undefined ? 'nothing' : same(other), same(reply), `${JSON.stringify(words)}, seed ${seed}`)
    }
    t.is(got.length, expected.length)
  }
  return tally
}

/** How often each command is in the append-only file; without times. */
async function effects(folder: string): Promise<Map<string, number>> {
  const times = new Map<string, number>()
  for (const words of await readAof(folder)) {
    const one = JSON.stringify(words).replace(/"\d{13}"/g, '"<time>"')
    times.set(one, (times.get(one) ?? 0) + 1)
  }
  return times
}

/** What two files have not in common. */
function differences(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): string[] {
  const all = [...new Set([...one.keys(), ...other.keys()])]
  return all
    .map((command) => `${(one.get(command) ?? 0) - (other.get(command) ?? 0)} times ${command}`)
    .filter((line) => !line.startsWith('0 '))
}

for (const way of ['async', 'in MULTI', 'in scripts'] as const) {
  forEachServer(
    test,
    `random commands, ${way}: a hook of everything changes no reply, no data, no append-only file, no replica`,
    async (t, program) => {
      if (isLong) t.timeout(7_200_000)
      const seed = Number(process.env['FERRITE_SEED'] ?? randomInt(2 ** 31))
      t.log(`seed ${seed}, ${count} commands (100000 with FERRITE_LONG=1); left out: ${leftOutText()}`)
      const plugins = [fixturePlugin('passing')]
      await using twins = await startTwins(program, { plugins, aof: true, config: { appendfsync: 'no' } })
      await using plainReplica = await startServer({ server: program, replicaOf: twins.plain, module: false })
      await using replica = await startServer({ server: program, replicaOf: twins.hooked, plugins })
      for (const resp of [2, 3] as const) {
        const { replies, errors } = await compareReplies(t, twins, way, resp, seed + resp)
        t.log(`RESP${resp}: ${replies} replies, ${errors} of them errors`)
        t.is(await digest(twins.hooked), await digest(twins.plain))
      }
      t.deepEqual(differences(await effects(twins.hooked.folder), await effects(twins.plain.folder)), [])
      await untilInStep(twins.hooked, replica)
      await untilInStep(twins.plain, plainReplica)
      t.is(await digest(replica), await digest(plainReplica))
      t.is(twins.hooked.exit, undefined)
    },
    { since: '7.2' },
  )
}
