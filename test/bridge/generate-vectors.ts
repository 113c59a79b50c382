// Fills in the bytes of vectors.json from its readable values, and writes vectors.txt (lines `group/name hex`), which
// the C tests read. Run after changing vectors.json, from the project's root: `node <compiled>/generate-vectors.js`.
import { writeFileSync } from 'node:fs'
import { ByteWriter } from '#lib/bridge/byte-writer.js'
import { encodeMessage } from '#lib/bridge/messages.js'
import { testFile } from '../helpers/paths.js'
import { badBytes, readVectors, reviveMessage, writeReadable, type Vectors } from './vectors.js'

const kJson = testFile('bridge/vectors.json')
const kText = testFile('bridge/vectors.txt')

const vectors = readVectors(kJson)
const writer = new ByteWriter()
for (const vector of [...vectors.hostFrames, ...vectors.moduleFrames]) {
  encodeMessage(writer, reviveMessage(vector.message))
  vector.hex = writer.take().toString('hex')
}
for (const vector of [...vectors.resp, ...vectors.slots]) {
  if (vector.decodeOnly === true) continue
  writeReadable(writer, vector.value)
  vector.hex = writer.take().toString('hex')
}
writeFileSync(kJson, jsonText(vectors))
writeFileSync(kText, plainText(vectors))

/** One vector a line, so that a change shows as one line. */
function jsonText(all: Vectors): string {
  const groups = Object.entries(all).map(([group, items]) => {
    const lines = (items as unknown[]).map((item) => `    ${JSON.stringify(item)}`)
    return `  ${JSON.stringify(group)}: [\n${lines.join(',\n')}\n  ]`
  })
  return `{\n${groups.join(',\n')}\n}\n`
}

function plainText(all: Vectors): string {
  const lines: string[] = []
  const add = (group: string, name: string, hex: string): number =>
    lines.push(`${group}/${name} ${hex === '' ? '-' : hex}`)
  for (const item of all.hostFrames) add('host-frame', item.name, item.hex ?? '')
  for (const item of all.moduleFrames) add('module-frame', item.name, item.hex ?? '')
  for (const item of all.badHostFrames) add('bad-host-frame', item.name, badBytes(item).toString('hex'))
  for (const item of all.badModuleFrames) add('bad-module-frame', item.name, badBytes(item).toString('hex'))
  for (const item of all.resp) add('resp', item.name, item.hex ?? '')
  for (const item of all.slots) add('resp-slots', item.name, item.hex ?? '')
  for (const item of all.badResp) add('bad-resp', item.name, badBytes(item).toString('hex'))
  return `${lines.join('\n')}\n`
}
