import '../core/node20-shim.ts'
import { resolve } from 'node:path'
import type { AttestationPolicy } from '../attest/index.ts'
import { Client, ClientChannels } from '../client/index.ts'
import type { Config } from '../config/index.ts'
import type { AbortOptions } from '../core/abort.ts'
import type { Logger } from '../core/logger.ts'
import { systemRandom } from '../core/random.ts'
import { type Enclave, spawnEnclave } from '../enclave/index.ts'
import { defaultModelPath } from '../inference/default-model.ts'
import { createMesh, type Mesh, type TrafficTap } from '../mesh/index.ts'
import type { LostChannel, PayeeChannels, PayerChannels, StepReport } from '../payments/index.ts'
import { EvidenceCompleter, Provider } from '../provider/index.ts'
import type { TonChain, TonWallet } from '../ton/index.ts'
import { type Account, type AccountInit, openAccount } from './account.ts'
import { loadAttestationPolicy } from './attestation-policy.ts'
import type { ReceiptStore } from './receipt-store.ts'
import { ChannelCare } from './steward.ts'
import { VoucherFolder } from './voucher-folder.ts'

export type NodeRole = 'provider' | 'client'

export interface NodeInit extends AccountInit {
  role: NodeRole
  /** Sees every frame and gossip message above the encrypted transport. For audits; off unless given. */
  tap?: TrafficTap
  /**
   * Compiled enclave program to run instead of the shipped one.
   * @default the one in this package
   */
  enclaveEntry?: string
  /** The enclave ended by itself: the provider cannot serve any more. */
  onEnclaveExit?: () => void
  /** Told of every step that was taken with a channel by itself, or failed. */
  onStep?: (report: StepReport) => void
  /** Told of channels that ended before their last voucher was claimed. */
  onLost?: (lost: LostChannel) => void
}

/** One node of the mesh: a provider with its enclave, or a client. */
export interface CocoonNode {
  readonly role: NodeRole
  readonly config: Config
  readonly peerId: string
  readonly mesh: Mesh
  readonly chain: TonChain
  readonly wallet: TonWallet
  readonly payer: PayerChannels
  readonly payee: PayeeChannels
  /** Takes the steps of channels that are due, from the start of the node on. */
  readonly care: ChannelCare
  readonly receipts: ReceiptStore
  readonly logger: Logger
  /** In the client role only. */
  readonly client: Client | undefined
  /** In the provider role only. */
  readonly provider: Provider | undefined
  readonly enclave: Enclave | undefined
  /** Joins the mesh and begins to serve or to be served. */
  start(options?: AbortOptions): Promise<void>
  /** Ends in order: jobs, mesh, enclave, books. Further calls do nothing. */
  stop(): Promise<void>
}

/**
 * Opens a home folder as a node: configuration, lock, keys, books and, for a provider, the enclave with its model.
 * Nothing is on the network before `start`. If it fails, everything it opened is closed again.
 *
 * @throws the errors of `openAccount`, `loadAttestationPolicy`, `spawnEnclave` and `createMesh`
 */
export async function createNode(init: NodeInit, options: AbortOptions = {}): Promise<CocoonNode> {
  const account = await openAccount(init, options)
  let enclave: Enclave | undefined
  try {
    if (init.role === 'client') {
      const { client } = account.config
      const choice = { file: client.attestationPolicy, homePath: account.home.path, ...client }
      const policy = await loadAttestationPolicy(choice, options)
      return new Node(init, account, await joinMesh(init, account), { policy })
    }
    enclave = await startEnclave(init, account, options)
    return new Node(init, account, await joinMesh(init, account), { enclave })
  } catch (err) {
    await enclave?.stop()
    await account.close()
    throw err
  }
}

class Node implements CocoonNode {
  readonly role: NodeRole
  readonly mesh: Mesh
  readonly client: Client | undefined
  readonly provider: Provider | undefined
  readonly enclave: Enclave | undefined
  readonly care: ChannelCare
  readonly #account: Account
  readonly #vouchers: VoucherFolder | undefined
  #stopping: Promise<void> | undefined

  constructor(
    init: NodeInit,
    account: Account,
    mesh: Mesh,
    part: { enclave: Enclave } | { policy: AttestationPolicy }
  ) {
    const { role } = init
    this.role = role
    this.mesh = mesh
    this.#account = account
    const { payer, logger } = account
    const channels = new ClientChannels({ mesh, payer, logger: logger.child('client') })
    this.care = new ChannelCare(account, { ...init, closeTogether: (...args) => channels.close(...args) })
    this.#vouchers = role === 'provider' ? VoucherFolder.of(account) : undefined
    if ('policy' in part) {
      this.client = wireClient(account, mesh, part.policy)
    } else {
      this.enclave = part.enclave
      this.provider = wireProvider(account, mesh, part.enclave)
    }
  }

  get config(): Config {
    return this.#account.config
  }

  get peerId(): string {
    return this.mesh.peerId
  }

  get chain(): TonChain {
    return this.#account.chain
  }

  get wallet(): TonWallet {
    return this.#account.wallet
  }

  get payer(): PayerChannels {
    return this.#account.payer
  }

  get payee(): PayeeChannels {
    return this.#account.payee
  }

  get receipts(): ReceiptStore {
    return this.#account.receipts
  }

  get logger(): Logger {
    return this.#account.logger
  }

  async start(options: AbortOptions = {}): Promise<void> {
    await this.care.open(options)
    await this.mesh.start()
    this.care.start()
    this.#vouchers?.start()
    await this.provider?.start()
    await this.client?.start()
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    await this.provider?.stop()
    await this.care.stop()
    await this.#vouchers?.stop()
    await this.mesh.stop()
    await this.enclave?.stop()
    await this.#account.close()
  }
}

function startEnclave(init: NodeInit, account: Account, options: AbortOptions): Promise<Enclave> {
  const { modelPath, threads, slots, contextTokens, gpu, evidence, gpuEvidenceCommand } = account.config.provider
  const { enclaveEntry, onEnclaveExit } = init
  return spawnEnclave(
    {
      modelPath: modelPath === undefined ? defaultModelPath() : resolve(account.home.path, modelPath),
      slots,
      gpu,
      evidence,
      ...(gpuEvidenceCommand === undefined ? {} : { gpuCommand: gpuEvidenceCommand }),
      logger: account.logger.child('enclave'),
      ...(threads === 'auto' ? {} : { threads }),
      ...(contextTokens === undefined ? {} : { contextTokens }),
      ...(enclaveEntry === undefined ? {} : { entry: enclaveEntry }),
      ...(onEnclaveExit === undefined ? {} : { onExit: onEnclaveExit })
    },
    options
  )
}

async function joinMesh(init: NodeInit, { config, keys, store, clock, logger }: Account): Promise<Mesh> {
  const { listen, bootstrap, mdns } = config.mesh
  return createMesh(
    {
      privateKeySeed: keys.peerSeed,
      listen,
      bootstrap,
      mdns,
      allowPrivateAddresses: config.network === 'simnet',
      role: init.role,
      ...(init.tap === undefined ? {} : { tap: init.tap })
    },
    { logger: logger.child('mesh'), clock, random: systemRandom, datastore: store.datastore }
  )
}

function wireProvider(
  { config, home, keys, chain, wallet, payee, clock, logger }: Account,
  mesh: Mesh,
  enclave: Enclave
): Provider {
  const { prices, minimumDeposit, windowTokens, pccs } = config.provider
  const evidence = new EvidenceCompleter(
    { logger: logger.child('evidence'), clock },
    { folder: home.path, ...(pccs === undefined ? {} : { intel: { baseUrl: pccs } }) }
  )
  return new Provider(
    { logger: logger.child('provider'), clock, random: systemRandom, mesh, enclave, payee, chain, evidence },
    { prices, minimumDeposit, windowTokens, payeeKey: keys.channel.publicKey, payeeAddress: wallet.address }
  )
}

function wireClient(
  { config, chain, payer, receipts, clock, logger }: Account,
  mesh: Mesh,
  policy: AttestationPolicy
): Client {
  const { client } = config
  const { deposit, maxDeposit, topUpBelowPercent, maxWindowTokens, maxPrices, candidates, challengeSeconds } = client
  return new Client(
    { logger: logger.child('client'), clock, random: systemRandom, mesh, payer, chain, receipts },
    {
      policy,
      maxPrices,
      candidates,
      maxWindowTokens,
      suite: client.suite,
      privacy: client.privacy,
      deposit: { default: deposit, max: maxDeposit, challengeSeconds, topUpBelowPercent }
    }
  )
}
