/** Replies that hold names of keys. */

import { reply as replies, type ReplyMarker, type RespValue } from 'ferrite-plugins/sdk'

type Item = Buffer | ReplyMarker | null

const isList = (value: RespValue | undefined): value is readonly RespValue[] => Array.isArray(value)
const listOf = (value: RespValue | undefined): readonly RespValue[] => (isList(value) ? value : [])

/** Scores of ZMPOP come as numbers by RESP3, and a whole number would go out as an integer. */
function itemOf(value: RespValue | undefined): Item {
  if (typeof value === 'number') return replies.double(value)
  return Buffer.isBuffer(value) ? value : null
}

/** Names without the prefix. There are no others: the command has asked for the prefix. */
function namesOf(prefix: string, keys: readonly RespValue[]): readonly Buffer[] {
  const bytes = Buffer.from(prefix)
  return keys.flatMap((key) => {
    const isOwn = Buffer.isBuffer(key) && key.subarray(0, bytes.length).equals(bytes)
    return isOwn ? [key.subarray(bytes.length)] : []
  })
}

/** The reply as the tenant is to see it; undefined: as it is, an error or nothing. */
export function withoutPrefix(prefix: string, name: string, reply: RespValue) {
  if (!isList(reply)) return undefined
  if (name === 'KEYS') return namesOf(prefix, reply)
  const [first = null, second] = reply
  if (name === 'SCAN') return [itemOf(first), namesOf(prefix, listOf(second))]
  // LMPOP and ZMPOP: the key, then elements, or pairs of elements and scores.
  const elements = listOf(second).map((one) => (isList(one) ? one.map(itemOf) : itemOf(one)))
  return [...namesOf(prefix, [first]), elements]
}
