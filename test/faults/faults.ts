// What tests of faults share: counts, the host's process, what a killed server may leave behind.
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, readdir, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Redis } from 'ioredis'
import type { ServerProgram } from '#lib/servers/server-version.js'
import { testFile, until, type TestServer } from '../helpers/index.js'

/** The sources of the plugins of these tests. */
export const ledger = testFile('faults/plugins/ledger.ts')
export const havoc = testFile('faults/plugins/havoc.ts')

const isLong = process.env['FERRITE_LONG'] === '1'

/** A count of the normal run, or the one of the long run; says which in the test's log. */
export function count(t: ExecutionContext, what: string, normal: number, long: number): number {
  const chosen = isLong ? long : normal
  t.log(`${what}: ${chosen}${isLong ? '' : ` (${long} with FERRITE_LONG=1)`}`)
  if (isLong) t.timeout(3_600_000)
  return chosen
}

/** A field of FERRITE.INFO, which also answers while there is no host. */
export async function figure(client: Redis, name: string): Promise<number> {
  return Number(/:(.*)/.exec(await infoLine(client, name))?.[1])
}

async function infoLine(client: Redis, name: string): Promise<string> {
  const text = await client.info('ferrite')
  const line = text.split('\r\n').find((one) => one.startsWith(`ferrite_${name}:`))
  if (line !== undefined) return line
  throw new Error(`INFO ferrite has no ${name}: ${text}`)
}

/** The pid of the host that runs now; waits for one. */
export async function hostPid(client: Redis, other = 0): Promise<number> {
  const pid = async (): Promise<number> => {
    const now = await figure(client, 'host_pid')
    return now === other ? 0 : now
  }
  return await until(pid, { what: `a host process other than ${other}` })
}

/** Waits until a plugin command answers anything but an error. */
export async function served(client: Redis, ...command: readonly [string, ...string[]]): Promise<unknown> {
  const [name, ...args] = command
  const answer = async (): Promise<{ reply: unknown }> => ({ reply: await client.call(name, ...args) })
  const { reply } = await until(answer, { what: `${command.join(' ')} to be served` })
  return reply
}

/** The error reply of a command; fails if it has another. */
export async function errorOf(client: Redis, ...command: readonly [string, ...string[]]): Promise<string> {
  const [name, ...args] = command
  const reply: unknown = await client.call(name, ...args).catch((err: unknown) => err)
  if (reply instanceof Error && reply.name === 'ReplyError') return reply.message
  throw new Error(`${command.join(' ')} should have been refused; it replied ${String(reply)}`)
}

/** Whether a process runs. One that has ended and waits to be reaped does not. */
export function isRunning(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return !/^[ZX]/.test(text.slice(text.lastIndexOf(')') + 2))
  } catch {
    return false
  }
}

/** Waits for the end of a process that is not a child of the test. */
export async function ended(pid: number): Promise<void> {
  await until(() => !isRunning(pid), { what: `the end of process ${pid}` })
}

/** The children of a process. */
export function childrenOf(pid: number): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((one) => Number.isInteger(one) && isRunning(one) && parentOf(one) === pid)
}

function parentOf(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return 0 // it has ended meanwhile
  }
}

/** The private folders that a server with this pid has made in ferrite.socket-dir. */
export async function socketFolders(folder: string, pid?: number): Promise<readonly string[]> {
  const names = await readdir(folder)
  return names.filter((name) => name.startsWith(pid === undefined ? 'ferrite-' : `ferrite-${pid}.`))
}

/** What the descriptors of a process are. */
export async function descriptors(pid: number): Promise<readonly string[]> {
  const folder = `/proc/${pid}/fd`
  const links = (await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => ''))
  return (await Promise.all(links)).filter((link) => link !== '')
}

/** Resident memory of a process in bytes. */
export function residentBytes(pid: number): number {
  return Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1024
}

/** A program that runs some lines of shell before it becomes the server. */
export async function wrapped(folder: string, program: ServerProgram, lines: string): Promise<ServerProgram> {
  await mkdir(folder, { recursive: true })
  const path = join(folder, 'wrapped')
  await writeFile(path, `#!/bin/sh\nset -e\n${lines}\nexec '${program.path}' "$@"\n`, { mode: 0o700 })
  return { ...program, path }
}

/** Fails when the server has died, and says how. */
export function assertLives(t: ExecutionContext, server: TestServer): void {
  t.is(server.exit, undefined, 'the server has ended')
}

/** What tells two sets of data apart. */
export async function digest(client: Redis): Promise<string> {
  return (await client.call('DEBUG', 'DIGEST')) as string // a status reply
}

/** Waits until two servers hold the same data. */
export async function sameData(one: Redis, other: Redis): Promise<string> {
  const same = async (): Promise<string> => {
    const [first, second] = await Promise.all([digest(one), digest(other)])
    return first === second ? first : ''
  }
  return await until(same, { what: 'both servers to hold the same data' })
}

/** Loads the append-only file again; what is there afterwards must be what was there before. */
export async function sameAfterReload(t: ExecutionContext, client: Redis): Promise<void> {
  const before = await digest(client)
  t.is(await client.call('DEBUG', 'LOADAOF'), 'OK')
  t.is(await digest(client), before, 'the append-only file holds something else than the memory')
}
