// Links between pages lead to pages and headings that are there.
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import test from 'ava'
import { packageRoot } from '../helpers/index.js'

async function pages(): Promise<readonly string[]> {
  const folders = await Promise.all(
    ['docs', 'examples'].map(async (folder) => {
      const entries = await readdir(join(packageRoot, folder), { recursive: true })
      return entries.filter((name) => name.endsWith('.md')).map((name) => join(packageRoot, folder, name))
    }),
  )
  return [...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].map((name) => join(packageRoot, name)), ...folders.flat()]
}

/** The anchor that a heading gets where the pages are shown. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .trim()
    .replaceAll(' ', '-')
}

async function anchorsIn(page: string): Promise<readonly string[]> {
  const text = await readFile(page, 'utf8')
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading))
}

test('docs: links lead to pages and headings that are there', async (t) => {
  const broken: string[] = []
  for (const page of await pages()) {
    const text = (await readFile(page, 'utf8')).replace(/^```[^]*?^```$/gm, '')
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? page : join(dirname(page), path)
      const isThere = existsSync(file) && (anchor === undefined || (await anchorsIn(file)).includes(anchor))
      if (!isThere) broken.push(`${relative(packageRoot, page)}: ${target}`)
    }
  }
  t.deepEqual(broken, [])
})
