// What somebody who installs the package gets, from the tarball on: nothing of this clone is used but its files.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { findFreePort } from '#lib/servers/free-port.js'
import { ServerProcess } from '#lib/servers/server-process.js'
import { anyServer, packageRoot, until } from '../helpers/index.js'

interface Output {
  readonly stdout: string
  readonly stderr: string
}

async function run(cwd: string, env: NodeJS.ProcessEnv, program: string, ...args: readonly string[]): Promise<Output> {
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code === 0) return { stdout, stderr }
  throw new Error(`${program} ${args.join(' ')} ended with ${String(code)}\n${stdout}${stderr}`)
}

/** This process's environment without what npm has put into it. */
function withoutNpm(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|FERRITE_|INIT_CWD)/i.test(name)))
}

/**
 * Of the user's npm settings only where packages come from: an empty HOME has no .npmrc, and so no nodedir, which
 * native builds would otherwise take Node's headers from. The cache spares the network.
 */
async function emptyHome(home: string): Promise<NodeJS.ProcessEnv> {
  await mkdir(home)
  const env = withoutNpm()
  const setting = async (name: string): Promise<string> =>
    (await run(packageRoot, env, 'npm', 'config', 'get', name)).stdout.trim()
  return {
    ...env,
    HOME: home,
    npm_config_registry: await setting('registry'),
    npm_config_cache: await setting('cache'),
    npm_config_prefer_offline: 'true',
    npm_config_update_notifier: 'false',
  }
}

/** Packs a copy of the clone, since packing puts files among the sources that other tests read at the same time. */
async function pack(folder: string): Promise<string> {
  const copy = join(folder, 'clone')
  const isSource = (path: string): boolean => !/\/(node_modules|lib|build|\.git)$/.test(path)
  for (const name of (await readdir(packageRoot)).filter((entry) => isSource(`/${entry}`))) {
    await cp(join(packageRoot, name), join(copy, name), { recursive: true, filter: isSource })
  }
  await symlink(join(packageRoot, 'node_modules'), join(copy, 'node_modules'))
  await run(copy, withoutNpm(), 'npm', 'pack', '--pack-destination', folder)
  const [tarball] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'))
  if (tarball === undefined) throw new Error(`npm pack left no tarball in ${folder}`)
  return join(folder, tarball)
}

async function checkInstalled(t: ExecutionContext, installed: string): Promise<void> {
  const { scripts, gypfile } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
    gypfile: boolean
  }
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) t.is(scripts[name], undefined)
  t.false(gypfile, 'or npm would run node-gyp when it sees a binding.gyp')
  const files = (await readdir(installed, { recursive: true })).filter((path) => !path.startsWith('node_modules'))
  for (const path of ['lib/cli/main.js', 'lib/host/worker.js', 'redis-module/include/redismodule.h', 'LICENSE'])
    t.true(files.includes(path), path)
  t.deepEqual(
    files.filter((path) => /_test\.c$|fuzz|^ts-src|^test\/|^build/.test(path)),
    [],
    'nothing that only a clone needs, nothing compiled',
  )
}

test('package: installed from its tarball, in an empty home, it builds a module that finds its host', async (t) => {
  t.timeout(300_000)
  const folder = await mkdtemp(join(tmpdir(), 'ferrite-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const begun = performance.now()
  const tarball = await pack(folder)
  t.log(`packed after ${((performance.now() - begun) / 1000).toFixed(1)} s`)
  const project = join(folder, 'project')
  await mkdir(project)
  const env = await emptyHome(join(folder, 'home'))
  await run(project, env, 'npm', 'install', tarball)
  const installed = join(project, 'node_modules', 'ferrite-plugins')
  await checkInstalled(t, installed)
  t.log(`installed after ${((performance.now() - begun) / 1000).toFixed(1)} s`)

  const npx = (...args: readonly string[]): Promise<Output> => run(project, env, 'npx', '--no-install', ...args)
  const { version } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as { version: string }
  t.is((await npx('ferrite-plugins', '--version')).stdout.trim(), version)
  const findings = JSON.parse((await npx('ferrite', 'doctor', '--json')).stdout) as { name: string; status: string }[]
  t.is(findings.find(({ name }) => name === 'Node')?.status, 'ok')
  const first = await npx('ferrite', 'module-path')
  const path = first.stdout.trim()
  t.is(path, join(installed, 'build', 'ferrite.so'))
  t.regex(first.stderr, /^ferrite: compiling the module \(cmake\)\nferrite: the module is built: .* s\)\n$/)
  t.true((await readFile(join(installed, 'build', 'ferrite.stamp'), 'utf8')).startsWith(`${version}-`))
  t.deepEqual(await npx('ferrite', 'module-path'), { stdout: first.stdout, stderr: '' }, 'built once for a version')
  t.log(`module built after ${((performance.now() - begun) / 1000).toFixed(1)} s`)

  await using server = await ServerProcess.start({
    program: anyServer().path,
    folder: join(folder, 'data'),
    port: await findFreePort(),
    directives: [['loadmodule', path]],
    env,
  })
  const client = new Redis({ port: server.port, retryStrategy: null })
  t.teardown(() => client.disconnect())
  const lanes = await until(
    async () => {
      const reply = (await client.call('FERRITE.PING')) as readonly unknown[]
      return reply.length > 0 ? reply : undefined
    },
    { what: 'the host to connect' },
  )
  t.regex(String(lanes[0]), /^\d+:control$/)
  t.is(typeof lanes[1], 'number')
  t.true(existsSync(join(installed, 'build', 'ferrite-host')))
  t.log(`done after ${((performance.now() - begun) / 1000).toFixed(1)} s`)
})
