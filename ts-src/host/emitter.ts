// Events that plugins emit (EMIT of one lane).
import type { Lane } from '../bridge/lane.js'
import { kMostHops } from '../bridge/messages.js'
import { encodePayload, eventNamePattern } from '../sdk/event-payload.js'
import { PluginError } from '../sdk/plugin-error.js'

export class Emitter {
  constructor(private readonly lane: Lane) {}

  /**
   * @param hops handlers of events that have led to this one
   * @throws TypeError, RangeError for a name or payload that is none; PluginError LOOP after too many hops
   */
  emit(plugin: string, event: string, payload: unknown, hops: number): void {
    if (typeof event !== 'string' || !eventNamePattern.test(event)) {
      throw new TypeError(
        `the name of an event is a letter, then at most 63 letters, digits, '.', '_', ':' and '-', got ${JSON.stringify(event)}`,
      )
    }
    if (hops >= kMostHops) {
      throw new PluginError(
        'LOOP',
        `'${event}' is not emitted: ${kMostHops} events have led to it, one after the other`,
      )
    }
    const { format, bytes } = encodePayload(payload)
    if (!this.lane.isClosed) this.lane.send({ type: 'EMIT', plugin, hops: hops + 1, event, format, payload: bytes })
  }
}
