import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Redis } from 'ioredis'
import { anyServer, packageRoot, until } from '../helpers/index.js'

const hello = `import { arg, command, definePlugin } from 'ferrite-plugins/sdk'
export default definePlugin({
  name: 'hello',
  commands: {
    'HELLO.SAY': command({ summary: 'Says hello', args: { who: arg.string() }, handler: (ctx, { who }) => 'hello ' + who }),
  },
})
`

interface Started extends AsyncDisposable {
  readonly output: () => string
  readonly ended: Promise<number | null>
  kill(signal: NodeJS.Signals): void
}

function start(folder: string, ...args: readonly string[]): Started {
  const main = join(packageRoot, 'lib', 'cli', 'main.js')
  const child = spawn(process.execPath, [main, 'start', '--server', anyServer().path, ...args], {
    env: { ...process.env, FERRITE_CACHE: join(folder, 'cache') },
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  return {
    output: () => output,
    ended,
    kill: (signal) => child.kill(signal),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function ready(one: Started): Promise<number> {
  const text = await until(() => /is ready on port (\d+)[^]*Ctrl-C stops it/.exec(one.output()), { what: 'ready' })
  return Number(text[1])
}

test('start: answers with a plugin from source, then stops cleanly on Ctrl-C and keeps the data', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ferrite-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'hello.ts'), hello)
  const args = ['--plugins', join(folder, 'hello.ts'), '--dir', join(folder, 'data')]
  await using one = start(folder, ...args)
  const client = new Redis({ port: await ready(one), retryStrategy: () => null })
  t.is(await client.call('HELLO.SAY', 'you'), 'hello you')
  t.regex(one.output(), /plugins:\n {2}hello 0\.0\.0 active\n/)
  t.regex(one.output(), /-p \d+ HELLO\.SAY who\n/)
  await client.set('kept', 'yes')
  client.disconnect()
  await using second = start(folder, ...args)
  t.is(await second.ended, 1)
  t.regex(second.output(), /^ferrite: another ferrite start uses .*\n$/)
  one.kill('SIGINT')
  t.is(await one.ended, 0)
  await using again = start(folder, ...args)
  const later = new Redis({ port: await ready(again), retryStrategy: () => null })
  t.is(await later.get('kept'), 'yes')
  later.disconnect()
})

test('start: a port in use is said in one line', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ferrite-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const taken = createServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await until(() => taken.listening)
  const address = taken.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const one = start(folder, '--port', String(port))
  t.is(await one.ended, 1)
  t.regex(one.output(), new RegExp(`^ferrite: port ${String(port)} is in use .*\\n$`))
})

test('start: two at once without --dir do not share a folder', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ferrite-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await using one = start(folder)
  await using other = start(folder)
  const folders = await Promise.all(
    [one, other].map(async (each) => {
      await ready(each)
      return /^data and server\.log: (.*)$/m.exec(each.output())?.[1]
    }),
  )
  t.not(folders[0], folders[1])
  t.regex(await readFile(join(folders[0] ?? '', 'server.log'), 'utf8'), /Ready to accept connections/)
})
