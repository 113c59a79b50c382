// The plugins that the host is to run, and how they are spread over worker threads.
import type { InstalledPlugin } from '../plugin/catalogue.js'
import { kStuckMs } from './heartbeat.js'
import type { WorkerLimits } from './plugin-worker.js'

/** A plugin of the catalogue. */
export interface HostedPlugin extends InstalledPlugin {
  /** What the operator has set. */
  readonly config?: Readonly<Record<string, unknown>>
}

/** Plugins that share a worker thread. */
export interface WorkerPlan {
  readonly label: string
  readonly plugins: readonly HostedPlugin[]
  readonly limits: WorkerLimits
}

const kDefaultHeapMb = 128
const kDefaultExternalMb = 256

/**
 * Gives each plugin a worker of its own, and all that ask for `shared` one together. When there are not enough workers
 * the last plugins share one as well.
 *
 * @param mostWorkers at least 1
 */
export function planWorkers(plugins: readonly HostedPlugin[], mostWorkers: number): WorkerPlan[] {
  const shared = plugins.filter(({ manifest }) => manifest.isolation === 'shared')
  const own = plugins.filter(({ manifest }) => manifest.isolation !== 'shared')
  const fits = own.length + (shared.length > 0 ? 1 : 0) <= mostWorkers
  const alone = fits ? own : own.slice(0, mostWorkers - 1)
  const together = [...shared, ...own.slice(alone.length)]
  const groups = alone.map((plugin) => [plugin])
  if (together.length > 0) groups.push(together)
  return groups.map(planOf)
}

function planOf(plugins: readonly HostedPlugin[]): WorkerPlan {
  const sum = (pick: (plugin: HostedPlugin) => number): number =>
    plugins.reduce((total, plugin) => total + pick(plugin), 0)
  const [first] = plugins
  return {
    label: plugins.length === 1 && first !== undefined ? first.manifest.name : 'shared',
    plugins,
    limits: {
      heapMb: sum(({ manifest }) => manifest.limits.heapMiB ?? kDefaultHeapMb),
      externalMb: sum(({ manifest }) => manifest.limits.externalMiB ?? kDefaultExternalMb),
      stuckMs: Math.max(...plugins.map(({ manifest }) => manifest.limits.callMs ?? kStuckMs)),
    },
  }
}
