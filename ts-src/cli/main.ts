#!/usr/bin/env node
// The commands `ferrite` and `ferrite-plugins`. Each command's code is loaded when it is run: `module-path` should not
// pay for what `start` needs.
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError, Option } from 'commander'
import { packageVersion } from '../setup/package-root.js'
import { SetupError } from '../setup/setup-error.js'
import { say } from './say.js'
import type { Client } from './types.js'

/** Runs the command line; resolves to the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  let status = 0
  const program = new Command('ferrite')
    .description('Plugins for stock Redis and Valkey servers, written in TypeScript')
    .version(packageVersion())
    .showHelpAfterError('(--help lists the commands and options)')
  addStart(program, (code) => (status = code))
  addSetup(program)
  addBuild(program, (code) => (status = code))
  addTypes(program, (code) => (status = code))
  addDoctor(program, (code) => (status = code))
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (err) {
    if (!(err instanceof SetupError)) throw err
    say(err.message)
    return 1
  }
  return status
}

function addStart(program: Command, setStatus: (code: number) => void): void {
  program
    .command('start')
    .description('start a server with the module and plugins, and stop it on Ctrl-C')
    .option('--port <number>', 'TCP port (default: a free one)', parsePort)
    .option('--server <path>', 'redis-server or valkey-server to use (default: from PATH, else fetched)')
    .option('--plugins <folder>', 'folder of plugin sources, or a plugins-dir')
    .option('--dir <folder>', 'data folder (default: one in the cache folder)')
    .action(async (options: { port?: number; server?: string; plugins?: string; dir?: string }) => {
      const { start } = await import('./start.js')
      setStatus(await start(options))
    })
}

function addSetup(program: Command): void {
  program
    .command('setup')
    .description('compile the module now, and not at the first start')
    .action(async () => {
      const { ensureModule } = await import('../setup/module-build.js')
      const module = await ensureModule(say)
      if (!module.compiled) say(`the module is up to date: ${module.path}`)
    })
  program
    .command('module-path')
    .description('print the path of ferrite.so for `loadmodule`, compiling it first if need be')
    .action(async () => {
      const { ensureModule } = await import('../setup/module-build.js')
      process.stdout.write(`${(await ensureModule(say)).path}\n`)
    })
}

function addBuild(program: Command, setStatus: (code: number) => void): void {
  program
    .command('build')
    .description('build a plugin (ferrite.json and its bundle), or all of a plugins-dir with the route table')
    .argument('[source]', 'a source file, or a folder with package.json')
    .option('--out <folder>', 'where the built plugin goes (default: dist in its folder)')
    .option('--plugins-dir <folder>', 'build what is in local/ of it into a new generation')
    .option('--state-dir <folder>', 'where the route table goes (default: state beside the plugins-dir)')
    .action(async (source: string | undefined, options: { out?: string; pluginsDir?: string; stateDir?: string }) => {
      const { build } = await import('./build.js')
      setStatus(await build(source, options))
    })
}

function addTypes(program: Command, setStatus: (code: number) => void): void {
  const client = new Option('--client <name>', 'the client (default: each of them)').choices(['ioredis', 'node-redis'])
  program
    .command('types')
    .description("write a module with methods and types for plugins' commands, for a Redis client")
    .argument('[sources...]', 'plugin sources, built plugins, or folders of them')
    .addOption(client)
    .option('--plugins-dir <folder>', 'take the plugins that are installed there')
    .requiredOption('--out <folder>', 'where the modules go')
    .action(async (sources: string[], options: { client?: Client; pluginsDir?: string; out: string }) => {
      const { types } = await import('./types.js')
      const { client, ...rest } = options
      setStatus(await types(sources, client === undefined ? rest : { ...rest, client: [client] }))
    })
}

function addDoctor(program: Command, setStatus: (code: number) => void): void {
  program
    .command('doctor')
    .description('what is missing on this machine, one line each with the remedy')
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const { doctor } = await import('./doctor.js')
      setStatus(await doctor(options))
    })
}

function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return port
  throw new InvalidArgumentError('expected a number from 1 to 65535.')
}

/** Whether this file is the program, be it through the links that npm makes for it. */
function isProgram(): boolean {
  const program = process.argv[1]
  return program !== undefined && realpathSync(program) === fileURLToPath(import.meta.url)
}

if (isProgram()) process.exitCode = await main(process.argv.slice(2))
