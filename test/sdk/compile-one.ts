import { compilePlugin, type CompiledCommand } from '#lib/sdk/compile.js'
import { definePlugin, type Command } from 'ferrite-plugins/sdk'

/** Compiles one command of a plugin made for it. */
export function compileOne(declared: Command, name = 'TEST.RUN'): CompiledCommand {
  const [compiled] = compilePlugin(definePlugin({ name: 'test', commands: { [name]: declared } })).commands
  if (compiled === undefined) throw new Error('one command goes in, one comes out')
  return compiled
}

/** Words as a client sends them; spaces separate. */
export function words(line: string): Buffer[] {
  return line === '' ? [] : line.split(' ').map((word) => Buffer.from(word))
}
