// Servers of the benchmarks: those of the tests, with what is measured and what it is compared with.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ServerProgram } from '#lib/servers/server-version.js'
import { packageRoot } from '../../test/helpers/paths.js'
import { startServer, type StartServerOptions, type TestServer } from '../../test/helpers/server.js'
import { until } from '../../test/helpers/until.js'
import type { Side } from './rounds.js'
import type { Load } from './wire.js'

/** A plugin in bench/plugins. */
export function benchPlugin(name: string): string {
  return join(packageRoot, 'bench', 'plugins', `${name}.ts`)
}

/** The modules of bench/, which scripts/bench.mjs has compiled. */
export const blockModule = join(packageRoot, 'build', 'bench-modules', 'block-unblock.so')
export const emptyFilterModule = join(packageRoot, 'build', 'bench-modules', 'empty-filter.so')

/** Starts a server and gives it the functions of bench/functions. */
export async function startBenchServer(program: ServerProgram, options: StartServerOptions): Promise<TestServer> {
  const server = await startServer({ ...options, server: program })
  const client = await server.client()
  await client.function('LOAD', await readFile(join(packageRoot, 'bench', 'functions', 'bench.lua')))
  return server
}

/** A figure of INFO ferrite. */
export async function ferriteInfo(server: TestServer, name: string): Promise<number> {
  return await infoNumber(server, 'ferrite', `ferrite_${name}`)
}

/** A number of INFO. */
export async function infoNumber(server: TestServer, section: string, name: string): Promise<number> {
  const value = Number((await info(server, section)).get(name))
  if (Number.isNaN(value)) throw new Error(`INFO ${section} has no number ${name}`)
  return value
}

/** How often a command was run since the start. */
export async function callsOf(server: TestServer, command: string): Promise<number> {
  const text = (await info(server, 'commandstats')).get(`cmdstat_${command}`) ?? ''
  return Number(/^calls=(\d+)/.exec(text)?.[1] ?? 0)
}

async function info(server: TestServer, section: string): Promise<ReadonlyMap<string, string>> {
  const text = await server.cli('info', section)
  return new Map(text.split(/\r?\n/).map((line) => [line.split(':', 1)[0] ?? '', line.slice(line.indexOf(':') + 1)]))
}

/** The host process, once it runs. */
export async function hostPid(server: TestServer): Promise<number> {
  return await until(() => ferriteInfo(server, 'host_pid'), { what: 'the host process', timeoutMs: 20_000 })
}

/** One side of a comparison; with `host`, its processor time is measured too. */
export async function sideOf(
  server: TestServer,
  name: string,
  load: Load,
  options: { host?: boolean } = {},
): Promise<Side> {
  const host = options.host === true ? { hostPid: await hostPid(server) } : {}
  return { name, port: server.port, serverPid: server.pid, load, ...host }
}
