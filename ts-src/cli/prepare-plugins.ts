import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { say } from './say.js'

interface PluginStore {
  buildGeneration(pluginsDir: string, stateDir: string): Promise<unknown>
}

/** Builds what is in `local/` into the current generation and writes the route table; quick when nothing changed. */
export async function preparePlugins(pluginsDir: string, stateDir: string): Promise<void> {
  const url = new URL('../plugin/store.js', import.meta.url)
  if (!existsSync(fileURLToPath(url))) {
    say('this package has no plugin store; starting without plugins')
    return
  }
  const store = (await import(url.href)) as PluginStore
  await store.buildGeneration(pluginsDir, stateDir)
}
