// A module for ioredis 5 and 6: methods for Redis, Cluster and pipelines, and their types by module augmentation.
import { heading, runtimeCode, type ClientModule } from './client-module.js'
import type { ClientCommand, ClientPlugin } from './client-command.js'
import { comment, commonTypes, replyType, type TextTypes } from './type-text.js'
import { wordTuple } from './word-tuple.js'

const asText: TextTypes = { string: 'string', buffer: 'Buffer', literals: true }
const asBytes: TextTypes = { string: 'Buffer', buffer: 'Buffer', literals: false }

export function ioredisModule(plugins: readonly ClientPlugin[]): ClientModule {
  const commands = plugins.flatMap((plugin) => plugin.commands)
  return { name: 'ferrite-ioredis', code: codeOf(plugins, commands), types: typesOf(plugins, commands) }
}

const installCode = `class PluginCommand extends Command {
  constructor(definition, args, options, asText, callback) {
    super(definition.words[0], [...definition.words.slice(1), ...args], { ...options, replyEncoding: null }, callback)
    this.definition = definition
    this.asText = asText
    this.isReadOnly = definition.readOnly
  }
  /** ioredis knows the places of keys for the commands of the server only. */
  getKeys() {
    return keyPositions(this.definition.keySpecs, [this.name, ...this.args]).map((at) => this.args[at - 1])
  }
  prefixKeys(prefix) {
    for (const at of keyPositions(this.definition.keySpecs, [this.name, ...this.args])) {
      const key = this.args[at - 1]
      const isText = typeof key === 'string' && typeof prefix === 'string'
      this.args[at - 1] = isText ? prefix + key : Buffer.concat([Buffer.from(prefix), Buffer.from(key)])
    }
    this.stringifyArguments()
    return this
  }
  transformReply(reply) {
    return shapeReply(this.definition.returns, reply, this.asText)
  }
}

function methodOf(definition, asText) {
  return function (...args) {
    const callback = typeof args.at(-1) === 'function' ? args.pop() : undefined
    const { keyPrefix, showFriendlyErrorStack } = this.options
    const options = showFriendlyErrorStack ? { errorStack: new Error() } : {}
    const command = new PluginCommand(definition, args, options, asText, callback)
    return this.sendCommand(keyPrefix ? command.prefixKeys(keyPrefix) : command)
  }
}

export function install(client) {
  for (const definition of commands) {
    client.addBuiltinCommand(definition.method) // pipelines of the client take over what is registered so
    client[definition.method] = methodOf(definition, true)
    client[definition.method + 'Buffer'] = methodOf(definition, false)
  }
  return client
}`

function codeOf(plugins: readonly ClientPlugin[], commands: readonly ClientCommand[]): string {
  const lines = commands.map(({ method, words, readOnly, keySpecs, returns }) => {
    return `  ${JSON.stringify({ method, words, readOnly, keySpecs, returns })},`
  })
  return [
    heading(plugins),
    `import { Command } from 'ioredis'\n`,
    `const commands = [\n${lines.join('\n')}\n]\n`,
    `${runtimeCode('key-positions')}\n`,
    `${runtimeCode('shape-reply')}\n`,
    `${installCode}\n`,
  ].join('\n')
}

function typesOf(plugins: readonly ClientPlugin[], commands: readonly ClientCommand[]): string {
  return [
    heading(plugins),
    `import type { Cluster, Redis, Result } from 'ioredis'\n`,
    `${commonTypes}\n`,
    ...commands.map(replyAlias),
    `declare module 'ioredis' {`,
    '  interface RedisCommander<Context> {',
    ...commands.map(methodTypes),
    '  }',
    '}\n',
    '/**',
    ` * Adds the commands of the plugins to a client and returns it: methods, their Buffer variants, and the same in`,
    ` * pipelines made afterwards. A Cluster sends each command to the node of its keys.`,
    ' */',
    'export declare function install<Client extends Redis | Cluster>(client: Client): Client',
    '',
  ].join('\n')
}

const replyName = ({ method }: ClientCommand): string => `${method.charAt(0).toUpperCase()}${method.slice(1)}Reply`

function replyAlias(command: ClientCommand): string {
  const doc = comment(`What ${command.words.join(' ')} replies.`)
  return `${doc}\nexport type ${replyName(command)} = ${replyType(command.returns, asText)}\n`
}

function methodTypes(command: ClientCommand): string {
  const { method, returns, summary, words } = command
  const args = `...args: ${wordTuple(command.args)}`
  const plain = replyName(command)
  const bytes = replyType(returns, asBytes)
  const other = bytes === replyType(returns, asText) ? plain : bytes
  return [
    `    ${comment(`${words.join(' ')}: ${summary}`)}`,
    `    ${method}(${args}): Result<${plain}, Context>`,
    `    ${method}Buffer(${args}): Result<${other}, Context>`,
  ].join('\n')
}
