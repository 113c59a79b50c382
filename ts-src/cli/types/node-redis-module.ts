// A module for node-redis 5 (`redis`, `@redis/client`): the `modules` that createClient and createCluster take.
import type { ArgDoc } from '../../plugin/command-route.js'
import { heading, runtimeCode, type ClientModule } from './client-module.js'
import type { ClientCommand, ClientPlugin } from './client-command.js'
import { comment, commonTypes, fieldsType, property, replyType, valueType, type TextTypes } from './type-text.js'

/** The client decodes bytes as text unless a type mapping says otherwise, before a module sees them. */
const textTypes: TextTypes = { string: 'string', buffer: 'string | Buffer', literals: true }

export function nodeRedisModule(plugins: readonly ClientPlugin[]): ClientModule {
  return { name: 'ferrite-node-redis', code: codeOf(plugins), types: typesOf(plugins) }
}

const commandCode = `function command({ words, readOnly, isKeyed, args, returns }) {
  return {
    IS_READ_ONLY: readOnly,
    ...(isKeyed ? {} : { NOT_KEYED_COMMAND: true }),
    parseCommand(parser, ...values) {
      parser.push(...words)
      pushArguments(parser, args, values)
    },
    transformReply: (reply) => (returns === undefined ? reply : shapeReply(returns, reply, true)),
  }
}`

function codeOf(plugins: readonly ClientPlugin[]): string {
  const modules = plugins.map(({ module, commands }) => {
    const lines = commands.map(({ method, words, readOnly, keySpecs, args, returns }) => {
      return `    ${method}: command(${JSON.stringify({ words, readOnly, isKeyed: keySpecs.length > 0, args, returns })}),`
    })
    return `  ${module}: {\n${lines.join('\n')}\n  },`
  })
  return [
    `${heading(plugins)}\n`,
    `${runtimeCode('push-arguments')}\n`,
    `${runtimeCode('shape-reply')}\n`,
    `${commandCode}\n`,
    `export const modules = {\n${modules.join('\n')}\n}\n`,
  ].join('\n')
}

function typesOf(plugins: readonly ClientPlugin[]): string {
  const commands = plugins.flatMap((plugin) => plugin.commands)
  return [
    `${heading(plugins)}\n`,
    commonTypes,
    'interface Parser {',
    '  push(...words: Array<string | Buffer>): unknown',
    '  pushKey(key: string | Buffer): unknown',
    '}\n',
    ...commands.map(replyAlias),
    '/** For `createClient({ modules })` and `createCluster({ modules })`. */',
    'export declare const modules: {',
    ...plugins.map(moduleTypes),
    '}',
    '',
  ].join('\n')
}

const replyName = ({ method }: ClientCommand): string => `${method.charAt(0).toUpperCase()}${method.slice(1)}Reply`

function replyAlias(command: ClientCommand): string {
  const doc = comment(`What ${command.words.join(' ')} replies.`)
  return `${doc}\nexport type ${replyName(command)} = ${replyType(command.returns, textTypes)}\n`
}

function moduleTypes({ module, commands }: ClientPlugin): string {
  return `  readonly ${module}: {\n${commands.map(commandTypes).join('\n')}\n  }`
}

function commandTypes(command: ClientCommand): string {
  const { method, words, summary, readOnly, keySpecs, args } = command
  return [
    `    ${comment(`${words.join(' ')}: ${summary}`)}`,
    `    readonly ${method}: {`,
    `      readonly IS_READ_ONLY: ${String(readOnly)}`,
    ...(keySpecs.length > 0 ? [] : ['      readonly NOT_KEYED_COMMAND: true']),
    `      readonly parseCommand: (this: void, parser: Parser, ...args: ${parameters(args)}) => void`,
    `      readonly transformReply: (this: void, reply: unknown) => ${replyName(command)}`,
    '    }',
  ].join('\n')
}

/** The required arguments in their order, then the optional ones as properties of an object. */
function parameters(args: readonly ArgDoc[]): string {
  const required = args.filter(({ flags }) => !flags.includes('optional'))
  const optional = args.filter(({ flags }) => flags.includes('optional'))
  const words = required.map((doc) => `${property(doc.name)}: ${valueType(doc)}`)
  const options = optional.length === 0 ? [] : [`options?: ${fieldsType(optional)}`]
  return `[${[...words, ...options].join(', ')}]`
}
