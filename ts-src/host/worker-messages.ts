// What the supervisor and a worker thread say to each other.
import type { CommandProblem } from '../bridge/messages.js'
import type { EventFigures } from './event-queue.js'

/** A plugin as its worker needs it. */
export interface WorkerPlugin {
  readonly name: string
  readonly version: string
  /** Absolute path of the built `index.js`. */
  readonly entry: string
  /** What the operator has set; defaults are added by the plugin's own declaration. */
  readonly config: Readonly<Record<string, unknown>>
}

/** The `workerData` of a worker. */
export interface WorkerStart {
  readonly socketPath: string
  /** Shown as the lane's label and in the log. */
  readonly label: string
  readonly plugins: readonly WorkerPlugin[]
}

export type ToWorker =
  | { readonly type: 'beat' }
  /** End the plugins and then the thread. When the server stops, the lane still brings the last events, and its end. */
  | { readonly type: 'stop'; readonly reason: string; readonly deadlineMs: number; readonly serverStops: boolean }

/** By plugin, then by hook. */
export type PluginEventFigures = Readonly<Record<string, Readonly<Record<string, EventFigures>>>>

export type FromWorker =
  | {
      readonly type: 'beat'
      readonly heapBytes: number
      readonly externalBytes: number
      readonly inFlight: number
      readonly events: PluginEventFigures
    }
  | { readonly type: 'log'; readonly line: string }
  /** An entry of a plugin's log; `fields` is JSON. */
  | {
      readonly type: 'entry'
      readonly plugin: string
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly text: string
      readonly fields?: string
    }
  /** The plugin serves; `problems` are commands that the server did not take. */
  | { readonly type: 'active'; readonly plugin: string; readonly problems: readonly CommandProblem[] }
  /** The plugin could not be started. */
  | { readonly type: 'failed'; readonly plugin: string; readonly reason: string }

/** Exit code of a worker whose lane has ended. */
export const kLaneEndedExit = 70
