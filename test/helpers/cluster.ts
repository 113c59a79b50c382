import { Cluster, type ClusterOptions } from 'ioredis'
import { startServer, type StartServerOptions, type TestServer } from './server.js'
import { until } from './until.js'

/** Primaries that share the 16384 slots; `await using` stops them all. */
export class TestCluster implements AsyncDisposable {
  readonly #clients = new Set<Cluster>()

  constructor(readonly nodes: readonly TestServer[]) {}

  /** An ioredis cluster client, closed with the cluster. */
  client(options: Omit<ClusterOptions, 'redisOptions'> = {}): Cluster {
    const nodes = this.nodes.map((node) => ({ host: '127.0.0.1', port: node.port }))
    const client = new Cluster(nodes, options)
    client.on('error', () => undefined)
    this.#clients.add(client)
    return client
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.disconnect()
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()))
  }
}

/** Starts `primaries` servers (3) and joins them. */
export async function startCluster(options: StartServerOptions & { primaries?: number } = {}): Promise<TestCluster> {
  const nodes: TestServer[] = []
  try {
    for (let i = 0; i < (options.primaries ?? 3); i++) nodes.push(await startServer({ ...options, cluster: true }))
    const cluster = new TestCluster(nodes)
    await join(nodes)
    return cluster
  } catch (err) {
    await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()))
    throw err
  }
}

/** redis-cli makes no cluster of fewer than three. */
async function joinByHand(nodes: readonly TestServer[], slots: number): Promise<void> {
  const first = (index: number): number => Math.floor((index * slots) / nodes.length)
  for (const [index, node] of nodes.entries()) {
    await node.cli('cluster', 'set-config-epoch', String(index + 1))
    await node.cli('cluster', 'addslotsrange', String(first(index)), String(first(index + 1) - 1))
    if (index > 0) await node.cli('cluster', 'meet', '127.0.0.1', String(nodes[0]?.port))
  }
}

/** Gives each node its slots and makes them known to each other; resolves when all of them know all. */
async function join(nodes: readonly TestServer[]): Promise<void> {
  const slots = 16_384
  const addresses = nodes.map((node) => `127.0.0.1:${String(node.port)}`)
  if (nodes.length >= 3) await nodes[0]?.cli('--cluster', 'create', ...addresses, '--cluster-yes')
  else await joinByHand(nodes, slots)
  const signs = ['cluster_state:ok', `cluster_slots_ok:${String(slots)}`, `cluster_size:${String(nodes.length)}`]
  for (const node of nodes) {
    const knowsAll = async (): Promise<boolean> => {
      const info = await node.cli('cluster', 'info')
      return signs.every((sign) => info.includes(sign))
    }
    await until(knowsAll, { what: `port ${String(node.port)} to be in a whole cluster of ${String(nodes.length)}` })
  }
  // Nobody is to be given up because the machine is busy.
  for (const node of nodes) await node.cli('config', 'set', 'cluster-node-timeout', '60000')
}
