// A plugin that runs in the test's own thread, on a lane to a peer: what a worker does, without the worker.
import type { ExecutionContext } from 'ava'
import { connectLane, type Lane } from '#lib/bridge/lane.js'
import { LaneRuntime } from '#lib/host/lane-runtime.js'
import { createLogger } from '#lib/host/log.js'
import { PluginRuntime } from '#lib/host/plugin-runtime.js'
import { compilePlugin } from '#lib/sdk/compile.js'
import type { PluginDefinition } from '#lib/sdk/define-plugin.js'
import { ModulePeer, type PeerLane, type PeerOptions } from './module-peer.js'

export interface LaneHost {
  peer: ModulePeer
  /** The module's end of the lane. */
  lane: PeerLane
  /** The host's end. */
  own: Lane
  runtime: LaneRuntime
  plugin: PluginRuntime
  /** Log lines of the plugin. */
  log: string[]
}

/** Runs a plugin until the test ends. */
export async function hostPlugin(
  t: ExecutionContext,
  definition: PluginDefinition,
  options: PeerOptions = {},
): Promise<LaneHost> {
  const peer = await ModulePeer.listen(options)
  const own = await connectLane({ socketPath: peer.socketPath, kind: 'plugins', label: definition.name })
  const runtime = new LaneRuntime(own)
  own.start(runtime)
  const compiled = compilePlugin(definition)
  const log: string[] = []
  const plugin = new PluginRuntime({
    name: compiled.name,
    version: compiled.version,
    plugin: compiled,
    log: createLogger({ name: compiled.name, level: 'debug', sink: (line) => log.push(line) }),
    config: compiled.resolveConfig({}),
    calls: runtime.calls,
    emitter: runtime.emitter,
    state: () => own.state,
  })
  await plugin.setup()
  await runtime.attach(plugin)
  plugin.startTimers()
  t.teardown(async () => {
    await plugin.stop()
    own.close()
    await peer.close()
  })
  return { peer, lane: await peer.lane('plugins'), own, runtime, plugin, log }
}
