import { Cluster } from 'ioredis'
import { startServer, type StartServerOptions, type TestServer } from './server.js'
import { until } from './until.js'

/** Primaries that share the 16384 slots; `await using` stops them all. */
export class TestCluster implements AsyncDisposable {
  readonly #clients = new Set<Cluster>()

  constructor(readonly nodes: readonly TestServer[]) {}

  /** An ioredis cluster client, closed with the cluster. */
  client(): Cluster {
    const client = new Cluster(this.nodes.map((node) => ({ host: '127.0.0.1', port: node.port })))
    client.on('error', () => undefined)
    this.#clients.add(client)
    return client
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.disconnect()
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()))
  }
}

/** Starts `primaries` servers (3) and joins them by `redis-cli --cluster create`. */
export async function startCluster(options: StartServerOptions & { primaries?: number } = {}): Promise<TestCluster> {
  const nodes: TestServer[] = []
  try {
    for (let i = 0; i < (options.primaries ?? 3); i++) nodes.push(await startServer({ ...options, cluster: true }))
    const cluster = new TestCluster(nodes)
    const addresses = nodes.map((node) => `127.0.0.1:${String(node.port)}`)
    await nodes[0]?.cli('--cluster', 'create', ...addresses, '--cluster-yes')
    for (const node of nodes) {
      const isWhole = async (): Promise<boolean> => (await node.cli('cluster', 'info')).includes('cluster_state:ok')
      await until(isWhole, { what: `${addresses.join(' ')} to be a whole cluster`, timeoutMs: 30_000 })
    }
    return cluster
  } catch (err) {
    await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()))
    throw err
  }
}
