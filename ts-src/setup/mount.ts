import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname } from 'node:path'

/** What the mount that holds a path forbids; the path need not exist yet. */
export function mountFlags(path: string): { readonly noexec: boolean; readonly readOnly: boolean } {
  if (!existsSync('/proc/self/mountinfo')) return { noexec: false, readOnly: false }
  let present = path
  while (!existsSync(present)) present = dirname(present)
  const real = realpathSync(present)
  let best = { point: '', options: '' }
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [, , , , point = '', options = ''] = line.split(' ')
    const plain = point.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)))
    const holds = plain === '/' || real === plain || real.startsWith(`${plain}/`)
    // Later lines are mounted over earlier ones.
    if (holds && plain.length >= best.point.length && plain !== '') best = { point: plain, options }
  }
  const options = best.options.split(',')
  return { noexec: options.includes('noexec'), readOnly: options.includes('ro') }
}
