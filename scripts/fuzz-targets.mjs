// The fuzz targets of redis-module/fuzz_<name>.c, and their seeds: written from what the tests check anyway (the shared
// vectors, the cases of route tables), so that the two never drift apart. `node scripts/fuzz-targets.mjs` writes them.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rootFolder } from './library.mjs'

const moduleFolder = join(rootFolder, 'redis-module')

/** Largest input worth trying, and the words that libFuzzer may put in. */
export const fuzzTargets = {
  frame: { maxLength: 4096 },
  resp: { maxLength: 512, dictionary: 'resp.dict' },
  route: { maxLength: 4096, dictionary: 'route.dict' },
  glob: { maxLength: 64 },
}

export const corpusFolder = (name) => join(moduleFolder, 'fuzz', 'corpus', name)
export const dictionaryPath = (file) => join(moduleFolder, 'fuzz', file)

const vectors = () =>
  readFileSync(join(rootFolder, 'test', 'bridge', 'vectors.txt'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([path, hex]) => {
      const [kind, name] = path.split('/')
      return { kind, name, bytes: Buffer.from(hex === '-' ? '' : hex, 'hex') }
    })

/** One a frame, and all good ones of the host in a row. The first byte is the seed of the pieces' sizes. */
function frameSeeds() {
  const frames = vectors().filter(({ kind }) => kind.endsWith('-frame'))
  const stream = frames.filter(({ kind }) => kind === 'host-frame').map(({ bytes }) => bytes)
  const seeds = frames.map(({ kind, name, bytes }) => [`${kind}-${name}`, Buffer.concat([Buffer.of(1), bytes])])
  return [...seeds, ['stream', Buffer.concat([Buffer.of(7), ...stream])]]
}

/** The first byte says how many slots there are. */
function respSeeds() {
  const slotsOf = { resp: 0, 'bad-resp': 0, 'resp-slots': 255 }
  return vectors()
    .filter(({ kind }) => kind in slotsOf)
    .map(({ kind, name, bytes }) => [`${kind}-${name}`, Buffer.concat([Buffer.of(slotsOf[kind]), bytes])])
}

/** The lines of each case, without the first and the last line: the target adds those. */
function routeSeeds() {
  const text = readFileSync(join(moduleFolder, 'testing', 'route-cases.txt'), 'utf8')
  const cases = text.split(/^--- /m).slice(1)
  const whole = 'ferrite-routes 1\nplugin name=a\ncommand name=A.B\nend 3\n'
  return [
    ['whole', Buffer.from(whole)],
    ...cases.map((one, index) => {
      const title = one.slice(0, one.indexOf('\n'))
      const name = title.replace(/[^a-z]+/gi, '-').replace(/^-|-$/g, '')
      return [`${String(index).padStart(3, '0')}-${name.slice(0, 40)}`, Buffer.from(one.slice(title.length + 1))]
    }),
  ]
}

function globSeeds() {
  const pairs = [
    ['', ''],
    ['*', 'abc'],
    ['h?llo', 'hello'],
    ['h[ae]llo', 'hallo'],
    ['h[^e]llo', 'hello'],
    ['[a-c][c-a]', 'bb'],
    ['user:*:name', 'user:1:name'],
    ['*a*b*c', 'xaxbxc'],
    ['\\*\\', '*\\'],
    ['[\\]-z]', ']'],
    ['[abc', 'b'],
    ['[^', 'x'],
    ['[]', 'x'],
    ['a*a*a*b', 'aaaaaaaa'],
    ['[\u0001-\u007f]*', 'z'],
  ]
  return pairs.map(([pattern, text], index) => [
    String(index).padStart(2, '0'),
    Buffer.concat([Buffer.of(pattern.length), Buffer.from(pattern), Buffer.from(text)]),
  ])
}

/** Writes `seed-*` in every corpus folder. Other files there are inputs that once found something: they stay. */
export function writeSeeds() {
  const seeds = { frame: frameSeeds(), resp: respSeeds(), route: routeSeeds(), glob: globSeeds() }
  for (const [name, files] of Object.entries(seeds)) {
    const folder = corpusFolder(name)
    mkdirSync(folder, { recursive: true })
    for (const file of readdirSync(folder)) if (file.startsWith('seed-')) rmSync(join(folder, file))
    for (const [file, bytes] of files) writeFileSync(join(folder, `seed-${file}`), bytes)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeSeeds()
