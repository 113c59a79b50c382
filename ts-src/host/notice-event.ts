// From a NOTICE to the event that handlers get.
import type { Notice } from '../bridge/messages.js'
import type { ClientEvent, ClientEventName } from '../sdk/on-client.js'

type Fields = Notice['fields']

export function noticeEvent(notice: Notice): unknown {
  return clientEvent(notice.event as ClientEventName, notice.fields) // the module sends what was subscribed
}

function clientEvent(type: ClientEventName, fields: Fields): ClientEvent {
  return {
    type,
    id: numberOf(fields, 'id'),
    address: textOf(fields, 'address'),
    tls: numberOf(fields, 'tls') === 1,
    db: numberOf(fields, 'db'),
    user: textOf(fields, 'user'),
    name: textOf(fields, 'name'),
  }
}

function numberOf(fields: Fields, name: string): number {
  return Number(textOf(fields, name))
}

/** Null where there is none, or nothing is known. */
function textOf(fields: Fields, name: string): string | null {
  const value = fields[name]
  return value === undefined || value.length === 0 ? null : value.toString()
}
