import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { homeFolder, writeConfig } from '../src/config/index.ts'
import { type AbortOptions, anySignal, throwIfAborted } from '../src/core/abort.ts'
import { parseTon } from '../src/core/nano-ton.ts'
import { claimFolder } from './claim-folder.ts'
import { chainReady, publishedProvider, readEvent, readyProvider } from './cli-output.ts'
import type { ExitGuard } from './exit-guard.ts'
import { fundWallets } from './faucet.ts'
import { freePorts } from './free-ports.ts'
import type { JournalWriter } from './journal.ts'
import { type Network, type NetworkProvider, writeNetwork } from './network-file.ts'
import type { Phases } from './phases.ts'
import { waitForEvent } from './process/event-log.ts'
import { type Launched, launch } from './process/launch.ts'
import { cliPath } from './process/run-cli.ts'
import { stopProcess } from './process/stop.ts'
import { seconds } from './screen.ts'
import { settleAll } from './settle-all.ts'
import { CHAIN_FOLDER, CLIENT_FOLDER, providerName, tearDown } from './tear-down.ts'

export interface BringUpInit {
  folder: string
  /** How many. */
  providers: number
  /** GGUF file, absolute. @default the pocket model */
  modelPath?: string
  /** Whether it stays when this process ends. */
  outlivesOwner: boolean
}

export interface BringUpComponents {
  guard: ExitGuard
  phases: Phases
  /** Told what has been done. */
  onProgress: (what: string) => void
}

/** Play money each wallet gets. */
const CLIENT_GIFT = parseTon('10')
const PROVIDER_GIFT = parseTon('1')

const CHAIN_LIMIT_MS = 30_000
/** A provider loads its model and measures it; several do so at once. */
const PROVIDER_LIMIT_MS = 90_000
const MAX_BOOTSTRAPS = 3
const AT_ONCE = 3

/**
 * Starts a chain and providers, makes and funds a client, and writes `simnet.json` once every provider is found by the
 * others. If anything fails, everything is stopped and removed again.
 *
 * @throws {EnvironmentError} `SIMNET_RUNNING`, `SIMNET_FOLDER_NOT_EMPTY`, `SIMNET_PROCESS_FAILED`, `SIMNET_PROCESS_SLOW`
 */
export async function bringUp(
  init: BringUpInit,
  components: BringUpComponents,
  options: AbortOptions = {}
): Promise<Network> {
  const journal = await claimFolder(init.folder, components.onProgress)
  const failed = new AbortController()
  try {
    const signal = anySignal(options.signal, failed.signal)
    const network = await new Builder(init, components, journal, { signal, failed }).build()
    if (init.outlivesOwner) {
      await journal.release()
    }
    await writeNetwork(init.folder, network)
    return network
  } catch (err) {
    await tearDown(init.folder, { graceMs: 2_000 })
    throw err
  }
}

/** A home made for one node of the network. */
interface Home {
  name: string
  path: string
  peerId: string
  wallet: string
}

interface ProviderHome extends Home {
  address: string
  port: number
}

class Builder {
  readonly #init: BringUpInit
  readonly #components: BringUpComponents
  readonly #journal: JournalWriter
  readonly #options: Required<AbortOptions>
  readonly #failed: AbortController

  constructor(
    init: BringUpInit,
    components: BringUpComponents,
    journal: JournalWriter,
    { signal, failed }: { signal: AbortSignal; failed: AbortController }
  ) {
    this.#init = init
    this.#components = components
    this.#journal = journal
    this.#options = { signal }
    this.#failed = failed
  }

  async build(): Promise<Network> {
    const { onProgress, phases } = this.#components
    const startedAtMs = Date.now()
    const { chain, client, providers } = await phases.time('chain and homes', () => this.#prepare())
    onProgress(`Chain at ${chain.url}`)
    const [running] = await settleAll(
      [
        phases.time('providers', () => this.#startProviders(providers)),
        phases.time('funding', () => this.#fund(chain, [client, ...providers]))
      ],
      this.#failed
    )
    return {
      version: 1,
      startedAtMs,
      chainUrl: chain.url,
      chainEndpoint: chain.endpoint,
      chainPid: chain.pid,
      clientHome: client.path,
      clientWallet: client.wallet,
      providers: running
    }
  }

  /** The library, which makes homes, is loaded while the chain starts. */
  async #prepare() {
    const launched = await this.#launch(CHAIN_FOLDER, [
      chainProgram(),
      '--port',
      '0',
      '--state',
      this.#path(CHAIN_FOLDER, 'state.json')
    ])
    const [{ createHome }, ports, { url, endpoint }] = await settleAll(
      [
        import('../src/index.ts'),
        freePorts(this.#init.providers),
        waitForEvent(launched, event => readEvent(chainReady, event), { ...this.#options, timeoutMs: CHAIN_LIMIT_MS })
      ],
      this.#failed
    )
    const make = async (name: string): Promise<Home> => {
      const path = this.#path(name)
      const { peerId, walletAddress } = await createHome({ home: path, network: 'simnet', chainEndpoint: endpoint })
      return { name, path, peerId, wallet: walletAddress }
    }
    const client = await make(CLIENT_FOLDER)
    const providers: ProviderHome[] = []
    for (const [index, port] of ports.entries()) {
      throwIfAborted(this.#options.signal)
      const home = await make(providerName(index))
      providers.push({ ...home, port, address: `/ip4/127.0.0.1/tcp/${port}/p2p/${home.peerId}` })
    }
    await this.#introduce(endpoint, client, providers)
    return { chain: { url, endpoint, pid: launched.identity.pid }, client, providers }
  }

  /**
   * Tells each home the first few providers, and those their own port. Whichever of them comes up last finds the
   * others there, so they need not wait for each other.
   */
  async #introduce(endpoint: string, client: Home, providers: readonly ProviderHome[]): Promise<void> {
    const bootstrap = providers.slice(0, MAX_BOOTSTRAPS).map(({ address }) => address)
    for (const home of [client, ...providers]) {
      const port = (home as Partial<ProviderHome>).port ?? 0
      await writeConfig(homeFolder(home.path), {
        network: 'simnet',
        chain: { endpoint },
        mesh: {
          listen: [`/ip4/127.0.0.1/tcp/${port}`],
          bootstrap: bootstrap.filter(address => !address.endsWith(home.peerId)),
          mdns: false
        }
      })
    }
  }

  async #fund({ url, endpoint }: { url: string; endpoint: string }, homes: readonly Home[]): Promise<void> {
    const { ChainReader } = await import('./chain-reader.ts')
    const reader = new ChainReader(endpoint)
    const gifts = homes.map(({ name, wallet }) => ({
      address: wallet,
      amount: name === CLIENT_FOLDER ? CLIENT_GIFT : PROVIDER_GIFT
    }))
    await fundWallets({ url, balance: (address, options) => reader.balance(address, options) }, gifts, this.#options)
  }

  /** A few at a time: each loads a model, and more of them than cores would only wait for each other. */
  async #startProviders(providers: readonly ProviderHome[]): Promise<NetworkProvider[]> {
    const started: NetworkProvider[] = []
    for (let from = 0; from < providers.length; from += AT_ONCE) {
      const some = providers.slice(from, from + AT_ONCE)
      started.push(
        ...(await settleAll<NetworkProvider[]>(
          some.map(home => this.#startProvider(home)),
          this.#failed
        ))
      )
    }
    return started
  }

  async #startProvider(home: ProviderHome): Promise<NetworkProvider> {
    const { name, path, wallet } = home
    const startMs = performance.now()
    const model = this.#init.modelPath === undefined ? [] : ['--model', this.#init.modelPath]
    const launched = await this.#launch(name, [
      cliPath(),
      'provide',
      '--json',
      '--home',
      path,
      '--threads',
      '1',
      ...model
    ])
    const limit = { ...this.#options, timeoutMs: PROVIDER_LIMIT_MS }
    const {
      peerId,
      addresses,
      enclavePid,
      model: served
    } = await waitForEvent(launched, event => readEvent(readyProvider, event), limit)
    const published = waitForEvent(launched, event => readEvent(publishedProvider, event), limit)
    await (this.#init.providers > 1 ? published : settleAll([published, this.#visit(published)], this.#failed))
    this.#components.onProgress(`${name} ${peerId} serves and is found (${seconds(performance.now() - startMs)})`)
    const pid = launched.identity.pid
    return { name, home: path, peerId, wallet, pid, enclavePid, model: served, addresses }
  }

  /** A record counts as published when somebody else has it: alone, a provider has nobody but the client. */
  async #visit(published: Promise<unknown>): Promise<void> {
    const { createNode } = await import('../src/index.ts')
    const client = await createNode({ home: this.#path(CLIENT_FOLDER), role: 'client' }, this.#options)
    try {
      await client.start(this.#options)
      await published
    } finally {
      await client.stop()
    }
  }

  async #launch(name: string, args: readonly string[]): Promise<Launched> {
    throwIfAborted(this.#options.signal)
    const logs = this.#path(name, 'logs')
    await mkdir(logs, { recursive: true, mode: 0o700 })
    const launched = await launch({
      name,
      args,
      eventFile: join(logs, 'events.jsonl'),
      errorFile: join(logs, 'errors.log')
    })
    this.#components.guard.watch(launched)
    try {
      await this.#journal.add({ name, ...launched.identity })
    } catch (err) {
      // Nobody else would know of it.
      await stopProcess(launched.identity, { graceMs: 0 })
      throw err
    }
    return launched
  }

  #path(...parts: string[]): string {
    return join(this.#init.folder, ...parts)
  }
}

/** The compiled chain server beside this file. */
function chainProgram(): string {
  return join(dirname(fileURLToPath(import.meta.url)), 'chain', 'main.js')
}
