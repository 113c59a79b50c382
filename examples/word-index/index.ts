import { arg, command, definePlugin, PluginError, reply, type CommandContext } from 'ferrite-plugins/sdk'
import { stemmer } from 'stemmer'

/**
 * An index is one sorted set whose scores are all 0, so that its members are in the order of their bytes. A posting is
 * `w NUL stem NUL id NUL count`, and `d NUL id NUL stem NUL count` finds the postings of a document again.
 */
const nul = '\0'

interface Posting {
  readonly id: string
  readonly count: number
}

/** All members that begin with these parts. */
function prefix(...parts: readonly string[]): readonly [string, string] {
  const start = [...parts, ''].join(nul)
  return [`[${start}`, `(${start.slice(0, -1)}\x01`]
}

/** How often each stem occurs. */
function countStems(text: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const [word] of text
    .normalize('NFKC')
    .toLowerCase()
    .matchAll(/[\p{L}\p{N}]+/gu)) {
    const stem = stemmer(word)
    counts.set(stem, (counts.get(stem) ?? 0) + 1)
  }
  return counts
}

/** The members that a document has in the index. */
async function membersOf(ctx: CommandContext, index: string, id: string): Promise<readonly string[]> {
  const entries = await ctx.redis.zrangebylex(index, ...prefix('d', id))
  return entries.flatMap((entry) => {
    const [, , stem = '', count = ''] = entry.split(nul)
    return [entry, ['w', stem, id, count].join(nul)]
  })
}

function checkId(id: string): void {
  if (id === '' || id.includes(nul)) throw new PluginError('ERR', "argument 'id' must be text without NUL, not empty")
}

/** Adds to each document what a word of the query is worth there: more often is better, and rarer words count more. */
function addScores(scores: Map<string, number>, postings: readonly Posting[], documents: number): void {
  const weight = Math.log(1 + documents / postings.length)
  for (const { id, count } of postings) scores.set(id, (scores.get(id) ?? 0) + (1 + Math.log(count)) * weight)
}

async function search(ctx: CommandContext, index: string, query: string): Promise<Map<string, number>> {
  const stems = [...countStems(query).keys()]
  const found = await Promise.all(stems.map((stem) => ctx.redis.zrangebylex(index, ...prefix('w', stem))))
  const postings = found.map((entries) =>
    entries.map((entry): Posting => {
      const [, , id = '', count = '1'] = entry.split(nul)
      return { id, count: Number(count) }
    }),
  )
  const documents = await ctx.redis.zlexcount(index, ...prefix('n'))
  const scores = new Map<string, number>()
  for (const list of postings) if (list.length > 0) addScores(scores, list, documents)
  return scores
}

export default definePlugin({
  name: 'word-index',
  commands: {
    'INDEX.ADD': command({
      summary: 'Puts a text into the index, in place of what the id stood for; replies the number of different words',
      since: '1.0.0',
      complexity: 'O(N*log(M)) for N words in an index of M',
      args: { index: arg.key('rw'), id: arg.string(), text: arg.string() },
      async handler(ctx, { index, id, text }) {
        checkId(id)
        const stems = countStems(text)
        const old = await membersOf(ctx, index, id)
        if (old.length > 0) ctx.commit.zrem(index, ...old)
        const members = [['n', id, ''].join(nul)]
        for (const [stem, count] of stems)
          members.push(['w', stem, id, count].join(nul), ['d', id, stem, count].join(nul))
        ctx.commit.zadd(index, ...members.flatMap((member) => [0, member]))
        return stems.size
      },
    }),

    'INDEX.REMOVE': command({
      summary: 'Takes a text out of the index; replies true if it was there',
      since: '1.0.0',
      complexity: 'O(N*log(M)) for N words in an index of M',
      args: { index: arg.key('rw'), id: arg.string() },
      denyOom: false,
      async handler(ctx, { index, id }) {
        checkId(id)
        const name = ['n', id, ''].join(nul)
        if ((await ctx.redis.zscore(index, name)) === null) return false
        ctx.commit.zrem(index, name, ...(await membersOf(ctx, index, id)))
        return true
      },
    }),

    'INDEX.SEARCH': command({
      summary: 'Finds the texts with words of the query, the best first, as pairs of id and score',
      since: '1.0.0',
      complexity: 'O(P) for P occurrences of the words in the index',
      args: {
        index: arg.key('r'),
        query: arg.string(),
        limit: arg.integer({ min: 1, max: 1000 }).token('LIMIT').default(10),
      },
      async handler(ctx, { index, query, limit }) {
        const scores = await search(ctx, index, query)
        const best = [...scores].sort(([a, left], [b, right]) => right - left || (a < b ? -1 : 1)).slice(0, limit)
        return best.map(([id, score]) => [id, reply.double(score)])
      },
    }),
  },
})
