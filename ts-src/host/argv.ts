// Arguments of a plugin's calls and commits to what is sent: strings and Buffers.
import type { Argv } from '../bridge/messages.js'
import { HostError } from './errors.js'

/**
 * The command's name and its arguments. Arrays, Maps and plain objects are flattened (`hset key { a: 1 }`), numbers and
 * bigints become text, bytes stay bytes.
 *
 * @throws HostError FERRITE_CALL_ARGUMENT for anything else: `undefined`, `null`, booleans, functions
 */
export function toArgv(name: string, args: readonly unknown[]): Argv {
  const argv: (Buffer | string)[] = [name]
  for (const arg of args) append(argv, name, arg)
  return argv
}

function append(argv: (Buffer | string)[], name: string, arg: unknown): void {
  if (typeof arg === 'string' || Buffer.isBuffer(arg)) argv.push(arg)
  else if (typeof arg === 'number' && !Number.isNaN(arg)) argv.push(String(arg))
  else if (typeof arg === 'bigint') argv.push(String(arg))
  else if (typeof arg === 'object' && arg !== null) appendObject(argv, name, arg)
  else throw cannotSend(argv, name, String(arg))
}

function appendObject(argv: (Buffer | string)[], name: string, arg: object): void {
  if (Array.isArray(arg)) for (const item of arg) append(argv, name, item)
  else if (arg instanceof Uint8Array) argv.push(Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength))
  else if (arg instanceof Map) for (const pair of arg) append(argv, name, pair)
  else if (isPlain(arg)) for (const pair of Object.entries(arg)) append(argv, name, pair)
  else throw cannotSend(argv, name, `an object of class ${arg.constructor.name}`)
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function cannotSend(argv: readonly unknown[], name: string, got: string): HostError {
  return new HostError(
    'FERRITE_CALL_ARGUMENT',
    `argument ${argv.length} of ${name} is ${got}; expected a string, a number, a Buffer, or an array, Map or object of them`,
  )
}
