import test from 'ava'
import fc from 'fast-check'
import { arg, ArgumentError, command } from 'ferrite-plugins/sdk'
import { compileOne } from './compile-one.js'

const declared = compileOne(
  command({
    summary: 'x',
    args: {
      key: arg.keyBuffer(),
      n: arg.integer({ min: -1000 }),
      big: arg.bigint().token('BIG').optional(),
      x: arg.float().token('X').optional(),
      name: arg.string().token('NAME').default('nobody'),
      dry: arg.flag(),
      ttl: arg.oneOf({ ex: arg.integer().token('EX'), keep: arg.flag() }).optional(),
      tags: arg.string().token('TAG').multiple({ repeatToken: true, min: 0 }),
    },
    handler: () => null,
  }),
)

const text = fc.string({ unit: 'binary' }).filter((value) => Buffer.from(value).toString() === value)
const bytes = fc.uint8Array().map((value) => Buffer.from(value))
const anyCase = (word: string) =>
  fc.mixedCase(fc.constant(word), { toggleCase: (char) => char.toLowerCase() }).map((cased) => Buffer.from(cased))

/** Options of the command as words, in any order. */
const options = fc
  .record(
    {
      big: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      x: fc.double({ noNaN: true, noDefaultInfinity: true }),
      name: text,
      dry: fc.constant(true as const),
      ttl: fc.oneof(fc.record({ ex: fc.maxSafeInteger() }), fc.constant({ keep: true as const })),
      tags: fc.array(text, { minLength: 1 }),
    },
    { requiredKeys: [] },
  )
  .chain((values) => {
    const tagged: (readonly [string, ...string[]])[] = []
    if (values.big !== undefined) tagged.push(['BIG', String(values.big)])
    if (values.x !== undefined) tagged.push(['X', String(values.x)])
    if (values.name !== undefined) tagged.push(['NAME', values.name])
    if (values.dry !== undefined) tagged.push(['DRY'])
    if (values.ttl !== undefined) tagged.push('ex' in values.ttl ? ['EX', String(values.ttl.ex)] : ['KEEP'])
    const groups = [...tagged.map((group) => [group]), ...(values.tags ?? []).map((tag) => [['TAG', tag] as const])]
    return fc
      .tuple(
        fc.shuffledSubarray(groups, { minLength: groups.length }),
        fc.array(fc.boolean(), { minLength: groups.length, maxLength: groups.length }),
      )
      .map(([order, lower]) => ({
        values,
        tags: order.flatMap(([group]) => (group?.[0] === 'TAG' ? [group[1]] : [])),
        words: order.flatMap(([group], at) => {
          const [token = '', ...rest] = group ?? []
          return [lower[at] === true ? token.toLowerCase() : token, ...rest].map((word) => Buffer.from(word))
        }),
      }))
  })

test('arguments: what is written in any order is read back', (t) => {
  fc.assert(
    fc.property(bytes, fc.integer({ min: -1000 }), options, (key, n, { values, tags, words }) => {
      const parsed = declared.parse([key, Buffer.from(String(n)), ...words])
      t.deepEqual(parsed, {
        key,
        n,
        big: values.big,
        x: Object.is(values.x, -0) ? 0 : values.x,
        name: values.name ?? 'nobody',
        dry: values.dry ?? false,
        ttl: values.ttl,
        tags,
      })
    }),
  )
})

test('arguments: any words are read or refused with an ArgumentError', (t) => {
  const word = fc.oneof(
    bytes,
    text.map((value) => Buffer.from(value)),
    fc.integer().map((value) => Buffer.from(String(value))),
    fc.constantFrom('BIG', 'x', 'NAME', 'DRY', 'EX', 'KEEP', 'TAG').chain(anyCase),
  )
  let read = 0
  fc.assert(
    fc.property(fc.array(word), (words) => {
      try {
        declared.parse(words)
        read++
      } catch (error) {
        if (!(error instanceof ArgumentError)) throw error
        if (/[\r\n]/.test(error.message)) throw new Error('an error reply is one line', { cause: error })
      }
    }),
    { numRuns: 2000 },
  )
  t.true(read > 0)
})

test('arguments: an integer is read exactly if Redis would write it so', (t) => {
  const { parse } = compileOne(command({ summary: 'x', args: { n: arg.integer() }, handler: () => null }))
  const written = fc.oneof(fc.maxSafeInteger().map(String), fc.stringMatching(/^[-+]?[0-9]{0,20}$/), fc.string())
  fc.assert(
    fc.property(written, (word) => {
      const value = Number(word)
      const isCanonical = String(value) === word && Number.isSafeInteger(value) && word !== '-0'
      if (isCanonical) t.deepEqual(parse([Buffer.from(word)]), { n: value })
      else t.throws(() => parse([Buffer.from(word)]), { instanceOf: ArgumentError })
    }),
    { numRuns: 2000 },
  )
})
