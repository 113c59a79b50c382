// From a NOTICE to the event that handlers get.
import type { Notice } from '../bridge/messages.js'
import type { Emitted } from '../sdk/compile-notice-hook.js'
import type { EventPayload } from '../sdk/event-payload.js'
import type { ClientEvent, ClientEventName } from '../sdk/on-client.js'
import type { LoadingEvent, ReplicationSyncEvent, ServerEvent, ServerEventName, ServerRole } from '../sdk/on-server.js'

type Fields = Notice['fields']

/** The module sends what was subscribed, with the fields that the protocol says. */
export function noticeEvent({ kind, event, fields }: Notice): ClientEvent | ServerEvent | Emitted {
  if (kind === 'plugins') return emitted(event, fields)
  if (kind === 'clients') return clientEvent(event as ClientEventName, fields)
  return serverEvent(event as ServerEventName, fields)
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

function serverEvent(type: ServerEventName, fields: Fields): ServerEvent {
  switch (type) {
    case 'startup':
      return { type, restarted: numberOf(fields, 'restarted') === 1, ...roleOf(fields) }
    case 'role-change':
      return { type, ...roleOf(fields) }
    case 'replication-sync':
      return {
        type,
        change: textOf(fields, 'change') as ReplicationSyncEvent['change'],
        sync: textOf(fields, 'sync') as ReplicationSyncEvent['sync'],
      }
    case 'loading':
      return {
        type,
        phase: textOf(fields, 'phase') as LoadingEvent['phase'],
        source: textOf(fields, 'source') as LoadingEvent['source'],
      }
    case 'flush':
      return { type, db: textOf(fields, 'db') === null ? null : numberOf(fields, 'db') }
    case 'swapdb':
      return { type, dbs: [numberOf(fields, 'first'), numberOf(fields, 'second')] }
    case 'config-change':
      return { type, names: (textOf(fields, 'names') ?? '').split(' ') }
    case 'shutdown':
      return { type }
  }
}

/** Events of plugins that have led to what a handler of this one emits. */
export function hopsOf({ fields }: Pick<Notice, 'fields'>): number {
  return numberOf(fields, 'hops')
}

function emitted(name: string, fields: Fields): Emitted {
  const { client } = fields
  return {
    payload: payloadOf(fields),
    event: {
      name,
      plugin: textOf(fields, 'plugin'),
      clientId: client === undefined ? null : numberOf(fields, 'client'),
      user: textOf(fields, 'user'),
      hops: hopsOf({ fields }),
    },
  }
}

function payloadOf({ json, bytes, text }: Fields): EventPayload {
  if (json !== undefined) return JSON.parse(json.toString()) as EventPayload // encodePayload made it
  return bytes ?? text?.toString()
}

/** As in INFO. */
function roleOf(fields: Fields): ServerRole {
  if (textOf(fields, 'role') === 'master') return { role: 'primary', primary: null }
  return { role: 'replica', primary: { host: textOf(fields, 'host') ?? '', port: numberOf(fields, 'port') } }
}

function numberOf(fields: Fields, name: string): number {
  return Number(textOf(fields, name))
}

/** Null where there is none, or nothing is known. */
function textOf(fields: Fields, name: string): string | null {
  const value = fields[name]
  return value === undefined || value.length === 0 ? null : value.toString()
}
