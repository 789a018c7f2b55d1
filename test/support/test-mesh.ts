import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ChainServer } from '../../simnet/chain/chain-server.ts'
import { ChainReader } from '../../simnet/chain-reader.ts'
import { fundWallets } from '../../simnet/faucet.ts'
import type { AnswerEvent, AskRequest } from '../../src/client/index.ts'
import type { Config } from '../../src/config/index.ts'
import type { Clock } from '../../src/core/clock.ts'
import { DEFAULT_MODEL } from '../../src/core/default-model.ts'
import { lineLogger } from '../../src/core/logger.ts'
import { nanoTon } from '../../src/core/nano-ton.ts'
import { type CocoonNode, createHome, createNode, type NodeInit } from '../../src/node/index.ts'

export interface TestNodeInit extends Partial<Omit<NodeInit, 'home' | 'role'>> {
  /** Nanotons from the faucet. */
  funds?: bigint
}

/**
 * A mesh over real sockets: a chain server, nodes in this process, every provider's enclave in its own process. What it
 * opens it closes, in `stop`.
 */
export class TestMesh {
  readonly #chain: ChainServer
  readonly #nodes: CocoonNode[] = []
  readonly #replicas: ChainServer[] = []
  readonly #folder: string
  #homes = 0

  private constructor(chain: ChainServer, folder: string) {
    this.#chain = chain
    this.#folder = folder
  }

  /** @param chainClock what the chain takes for the time */
  static async start(chainClock?: Clock): Promise<TestMesh> {
    const chain = new ChainServer(chainClock === undefined ? {} : { clock: chainClock }, { blockTimeMs: 40 })
    await chain.start()
    return new TestMesh(chain, await mkdtemp(join(tmpdir(), 'cocoon-mesh-')))
  }

  get endpoint(): string {
    return this.#chain.endpoint
  }

  /** The endpoint of another server of the chain, which makes up the hashes of blocks. */
  async lyingEndpoint(): Promise<string> {
    const replica = new ChainServer({ replicaOf: this.#chain })
    await replica.start()
    this.#replicas.push(replica)
    await this.#post(replica, '/simnet/faults', { forge: 'block' })
    return replica.endpoint
  }

  /** A funded home folder of this mesh, with no node on it. */
  async home(funds = 10_000_000_000n): Promise<string> {
    const home = join(this.#folder, `home-${++this.#homes}`)
    const bootstrap = this.#nodes.flatMap(node => node.mesh.addresses())
    const { walletAddress } = await createHome({ home, network: 'simnet', chainEndpoint: this.endpoint, bootstrap })
    if (funds > 0n) {
      const reader = new ChainReader(this.endpoint)
      const chain = { url: this.#chain.url, balance: (address: string) => reader.balance(address) }
      await fundWallets(chain, [{ address: walletAddress, amount: nanoTon(funds) }])
    }
    return home
  }

  /** A provider that has published what it offers, or at least tried to where it is the first node. */
  async provider({ slots = 2, ...init }: TestNodeInit & { slots?: number } = {}): Promise<CocoonNode> {
    const node = await this.#node('provider', init, config => ({
      ...config,
      provider: { ...config.provider, threads: 1, slots }
    }))
    if (this.#nodes.length > 1) {
      await node.provider?.published
    }
    return node
  }

  client(init: TestNodeInit = {}): Promise<CocoonNode> {
    return this.#node('client', init, config => config)
  }

  /** Starts a node again on a home that was used before. */
  async reopen(role: 'provider' | 'client', home: string, init: TestNodeInit = {}): Promise<CocoonNode> {
    const node = await createNode({ ...init, home, role })
    this.#nodes.push(node)
    await node.start()
    return node
  }

  async post(path: string, body: unknown): Promise<void> {
    await this.#post(this.#chain, path, body)
  }

  async #post({ url }: ChainServer, path: string, body: unknown): Promise<void> {
    const response = await fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(body) })
    if (!response.ok) {
      throw new Error(`${path}: ${response.status}`)
    }
  }

  /** Waits until every provider's record is in the DHT. */
  async published(): Promise<void> {
    await Promise.all(this.#nodes.flatMap(({ provider }) => (provider === undefined ? [] : [provider.published])))
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map(node => node.stop()))
    await Promise.all(this.#replicas.map(replica => replica.stop()))
    await this.#chain.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #node(
    role: 'provider' | 'client',
    init: TestNodeInit,
    settings: (config: Config) => Config
  ): Promise<CocoonNode> {
    const { funds, overrides, ...rest } = init
    const home = await this.home(funds)
    return this.reopen(role, home, { ...rest, overrides: config => (overrides ?? (same => same))(settings(config)) })
  }
}

/** A question the pocket model was made for. */
export function question(more: Partial<AskRequest> = {}): AskRequest {
  return {
    messages: [{ role: 'user', content: 'Tell me a story about a fox.' }],
    modelDigestHex: DEFAULT_MODEL.digestHex,
    maxTokens: 120,
    temperature: 0,
    ...more
  }
}

export interface WholeAnswer {
  text: string
  provider: Extract<AnswerEvent, { type: 'provider' }>
  end: Extract<AnswerEvent, { type: 'end' }>
}

/** Asks and reads to the end. */
export async function askAll(node: CocoonNode, request: AskRequest): Promise<WholeAnswer> {
  let text = ''
  let provider: WholeAnswer['provider'] | undefined
  let end: WholeAnswer['end'] | undefined
  for await (const event of (node.client as NonNullable<typeof node.client>).ask(request)) {
    if (event.type === 'text') {
      text += event.text
    } else if (event.type === 'provider') {
      provider = event
    } else {
      end = event
    }
  }
  if (provider === undefined || end === undefined) {
    throw new Error('The answer had no provider or no end')
  }
  return { text, provider, end }
}

/** A logger that keeps its lines. */
export function keptLog(): { lines: string[]; logger: ReturnType<typeof lineLogger> } {
  const lines: string[] = []
  return { lines, logger: lineLogger('test', 'debug', line => lines.push(line), Date.now) }
}
