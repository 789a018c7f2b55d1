import { Address } from '@ton/core'
import { type Faults, noFaults } from '../../../simnet/chain/faults.ts'
import { SimChain } from '../../../simnet/chain/sim-chain.ts'
import { ToncenterMethods } from '../../../simnet/chain/toncenter-methods.ts'
import { throwIfAborted } from '../../../src/core/abort.ts'
import { ed25519FromSeed } from '../../../src/core/ed25519.ts'
import { CocoonError } from '../../../src/core/errors.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { ChainRpc, type ChainRpcInit } from '../../../src/ton/chain-rpc.ts'
import type { ToncenterTransport } from '../../../src/ton/toncenter-client.ts'
import { ToncenterFailure } from '../../../src/ton/toncenter-failure.ts'
import { WalletSigner } from '../../../src/ton/wallet-message.ts'
import { VirtualTime } from './virtual-time.ts'

const BLOCK_MS = 1_000
const LATENCY_MS = 20

/** One server, and what is wrong with it. */
export class TestServer {
  readonly name: string
  readonly faults: Faults = noFaults()
  /** Every request, in order. */
  readonly requests: Array<{ method: string; atMs: number }> = []
  /** Fails requests before or after they had an effect. */
  before: (method: string) => ToncenterFailure | undefined = () => undefined
  after: (method: string) => ToncenterFailure | undefined = () => undefined
  /** Changes what is answered. */
  alter: (result: unknown, method: string) => unknown = result => result

  constructor(name: string) {
    this.name = name
  }

  get url(): string {
    return `${this.name}/api/v2/jsonRPC`
  }

  count(method: string): number {
    return this.requests.filter(request => request.method === method).length
  }
}

/** Servers of one chain, the real TVM behind them, in virtual time. */
export class TestServers {
  readonly time: VirtualTime
  readonly servers: TestServer[]
  readonly chain: SimChain
  readonly #chainTime: { ms: number }
  readonly #methods: ToncenterMethods[]

  private constructor(chain: SimChain, chainTime: { ms: number }, time: VirtualTime, count: number) {
    this.chain = chain
    this.#chainTime = chainTime
    this.time = time
    this.servers = Array.from({ length: count }, (_, index) => new TestServer(`http://server-${index}`))
    this.#methods = this.servers.map(({ faults }) => new ToncenterMethods(chain, faults))
  }

  static async create(count: number): Promise<TestServers> {
    const time = new VirtualTime()
    const chainTime = { ms: time.nowMs() }
    return new TestServers(await SimChain.create({ nowMs: () => chainTime.ms }), chainTime, time, count)
  }

  server(index: number): TestServer {
    const server = this.servers[index]
    if (server === undefined) {
      throw new RangeError(`There is no server ${index}`)
    }
    return server
  }

  rpc(init: Partial<ChainRpcInit> = {}): ChainRpc {
    const [first, ...others] = this.servers.map(({ url }) => ({ endpoint: url, requestsPerSecond: 1_000 }))
    const { time, transport } = this
    const random = { bytes: (length: number) => new Uint8Array(length).fill(255) }
    return new ChainRpc(
      { clock: time, sleep: time.sleep, random, transport },
      { endpoint: first?.endpoint ?? '', requestsPerSecond: 1_000, fallbacks: others, globalId: -217, ...init }
    )
  }

  /** As of now. */
  async fund(address: string, amount = 1_000_000_000n): Promise<void> {
    await this.#makeBlocks()
    this.chain.fund(Address.parseRaw(address), nanoTon(amount))
    await this.chain.produceBlock()
  }

  /** A deployed wallet, with money. */
  async wallet(): Promise<string> {
    const signer = new WalletSigner(ed25519FromSeed(new Uint8Array(32).fill(7)), -217)
    await this.fund(signer.address)
    const account = await this.time.run(this.rpc().account(signer.address))
    const transfer = { to: Address.parseRaw(signer.address), value: nanoTon(1n), bounce: false }
    const { boc } = await signer.sign([transfer], account, account.chainTime + 60)
    await this.chain.sendExternal(boc)
    await this.chain.produceBlock()
    for (const { requests } of this.servers) {
      requests.length = 0
    }
    return signer.address
  }

  transport: ToncenterTransport = async ({ url, method, params }, { signal } = {}) => {
    const index = this.servers.findIndex(server => server.url === url)
    const server = this.server(index)
    server.requests.push({ method, atMs: this.time.nowMs() })
    await this.time.sleep(LATENCY_MS, signal === undefined ? {} : { signal })
    const failure = server.faults.down ? new ToncenterFailure('ECONNREFUSED', { notSent: true }) : server.before(method)
    throwIfAborted(signal)
    if (failure !== undefined) {
      throw failure
    }
    const result = await this.time.busy(async () => {
      await this.#makeBlocks()
      try {
        return await this.#methods[index]?.call(method, { ...params })
      } catch (err) {
        throw err instanceof CocoonError ? new ToncenterFailure(`HTTP 500, ${err.message}`, { status: 500 }) : err
      }
    })
    const lost = server.after(method)
    if (lost !== undefined) {
      throw lost
    }
    return server.alter(result, method)
  }

  /** One for each second that passed, unless every server's blocks are stalled. */
  async #makeBlocks(): Promise<void> {
    const stalled = this.servers.every(({ faults }) => faults.stall)
    for (; this.time.nowMs() - this.#chainTime.ms >= BLOCK_MS; this.#chainTime.ms += BLOCK_MS) {
      if (!stalled) {
        await this.chain.produceBlock()
      }
    }
  }
}
