// What the kernel knows of a process. Linux only, as the module is.
import { readFile, readdir } from 'node:fs/promises'
import { spreadOf } from './statistics.js'

/** Processor time of all threads so far, in microseconds: user and system together. */
export async function cpuMicroseconds(pid: number): Promise<number> {
  const tasks = await readdir(`/proc/${pid}/task`)
  const times = await Promise.all(tasks.map((task) => readFile(`/proc/${pid}/task/${task}/schedstat`, 'latin1')))
  return times.reduce((sum, text) => sum + Number(text.split(' ')[0]) / 1000, 0)
}

/** Memory that the process has in RAM, pages that it shares with others in full: what the aims bound. In bytes. */
export async function residentBytes(pid: number): Promise<number> {
  return await statusBytes(pid, 'status', 'VmRSS')
}

/** The same with shared pages in part. Depends on how many other processes run the same program. In bytes. */
export async function proportionalBytes(pid: number): Promise<number> {
  return await statusBytes(pid, 'smaps_rollup', 'Pss')
}

async function statusBytes(pid: number, file: string, field: string): Promise<number> {
  const text = await readFile(`/proc/${pid}/${file}`, 'latin1')
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/${file} has no line "${field}: … kB"`)
  return Number(kilobytes) * 1024
}

/** The median of several looks, a little apart. */
export async function settledBytes(look: () => Promise<number>, looks: number): Promise<number> {
  const seen: number[] = []
  for (let i = 0; i < looks; i++) {
    if (i > 0) await new Promise((resolve) => setTimeout(resolve, 100))
    seen.push(await look())
  }
  return spreadOf(seen).median
}
