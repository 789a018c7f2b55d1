import type {
  AdvertisedProvider,
  CliAccount,
  CliClient,
  CliNode,
  CreateHomeInit,
  EarningChannel,
  NodeInit,
  NodeModule,
  PaidChannel,
  StepReport,
  WatchInit,
  WatchSummary
} from '../../../src/cli/node-port.ts'
import type { AnswerEvent, AskRequest } from '../../../src/client/events.ts'
import type { Config } from '../../../src/config/index.ts'
import { parseConfig } from '../../../src/config/index.ts'
import { DEFAULT_MODEL } from '../../../src/core/default-model.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'

export const PEER = '12D3KooWGLNvFmmKRnGqqhhfhU5ZdCJ6b1mPK3VoCtKgbLN9jARC'
export const ADDRESS = `0:${'ab'.repeat(32)}`
export const FRIENDLY = '0QCrq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urqyNr'
export const WORDS: readonly string[] = Array.from(
  { length: 24 },
  (_, index) => `zeb${'abcdefghijklmnopqrstuvwx'[index]}`
)

export function advertised(name: string, fill: number): AdvertisedProvider {
  return {
    peerId: PEER,
    addresses: ['/ip4/127.0.0.1/tcp/1'],
    models: [
      { name, digest: new Uint8Array(32).fill(fill), contextTokens: 1024, quantization: 'Q8_0', tokensPerSecond: 55.5 }
    ],
    gpus: [{ name: 'H100', vramTotalBytes: 80 * 1024 ** 3, vramFreeBytes: 40 * 1024 ** 3 }],
    backend: 'cuda',
    slotsTotal: 2,
    slotsFree: 1,
    prices: {
      promptPerMTokens: nanoTon(20_000_000n),
      cachedPromptPerMTokens: nanoTon(5_000_000n),
      completionPerMTokens: nanoTon(60_000_000n)
    },
    tier: 'tdx+gpu',
    payment: { minimumDeposit: nanoTon(1n), networks: [-217] },
    expiresAtMs: 1
  }
}

const NONE = nanoTon(0n)

/** A channel that pays, and one that earns, with nothing on them. */
export const PAID: PaidChannel = {
  channel: '0:a',
  peerId: PEER,
  state: 'open',
  deposit: NONE,
  pendingDeposit: NONE,
  signed: NONE,
  used: NONE,
  settled: NONE,
  room: NONE,
  lastUsedAtMs: 1_000,
  closeAtMs: 0
}

export const EARNED: EarningChannel = {
  channel: '0:b',
  peerId: PEER,
  state: 'open',
  locked: NONE,
  promised: NONE,
  settled: NONE,
  claimable: NONE,
  lastUsedAtMs: 2_000,
  closeAtMs: 0
}

const unexpected = (): never => {
  throw new Error('The test did not expect this call')
}

/** A node whose answers a test scripts, and that notes what it was asked and told. */
export class FakeNode {
  readonly calls: string[] = []
  readonly requests: AskRequest[] = []
  init: NodeInit | undefined
  config: Config | undefined
  advertised: AdvertisedProvider[] = []
  /** What a look for providers does before it yields those advertised. */
  search: (signal: AbortSignal | undefined) => Promise<void> = async () => undefined
  answer: (request: AskRequest, signal: AbortSignal | undefined) => AsyncIterable<AnswerEvent> = unexpected
  tier = 'simulated'
  published: Promise<void> = Promise.resolve()
  watch: (init: WatchInit, signal: AbortSignal | undefined) => Promise<WatchSummary> = unexpected
  /** What a node that tends its channels does. */
  tend: (again: boolean | undefined) => Promise<StepReport[]> = unexpected

  created: CreateHomeInit | undefined
  words = (_passphrase: string | undefined): { walletAddress: string; words: readonly string[] } => ({
    walletAddress: ADDRESS,
    words: WORDS
  })

  /** To be given to `main`. */
  readonly module: NodeModule = {
    createNode: async init => this.#create(init),
    createHome: async init => {
      this.created = init
      return { peerId: PEER, walletAddress: ADDRESS, friendlyAddress: FRIENDLY }
    },
    exportWallet: async init => this.words(init.passphrase),
    importWallet: async (init, text) => {
      this.words(init.passphrase)
      this.calls.push(`import ${text}`)
      return { walletAddress: ADDRESS, imported: true }
    },
    openAccount: async () => this.account,
    receiptStore: unexpected,
    verifyReceiptFile: unexpected,
    judgeAttestationFile: unexpected,
    saveAttestation: unexpected,
    loadAttestationPolicy: unexpected,
    describeEnclave: unexpected,
    enclaveBundle: unexpected,
    watchVouchers: (init, options) => this.watch(init, options?.signal)
  }

  account: CliAccount = {
    config: { network: 'testnet' },
    wallet: {
      address: ADDRESS,
      friendlyAddress: FRIENDLY,
      balance: async () => nanoTon(1_500_000_000n),
      send: async (to, amount) => {
        this.calls.push(`send ${amount} to ${to}`)
        return { transaction: 'ff' }
      }
    },
    payer: { start: async () => undefined, list: () => [] },
    payee: { start: async () => undefined, list: () => [] },
    closeAlone: async () => ({ step: 'started', transaction: 'dd', refundAtMs: 5_000 }),
    steward: { plan: async () => [], tend: async () => [], forgetFailures: async () => undefined },
    voucherFile: unexpected,
    recoverChannels: unexpected,
    close: async () => void this.calls.push('close account')
  }

  readonly #client: CliClient = {
    ask: (request, options) => {
      this.requests.push(request)
      return this.answer(request, options?.signal)
    },
    providers: async function* (
      this: FakeNode,
      ...[, options]: Parameters<CliClient['providers']>
    ): ReturnType<CliClient['providers']> {
      await this.search(options?.signal)
      yield* this.advertised
    }.bind(this),
    openChannel: unexpected,
    attestation: unexpected,
    closeChannel: async channel => ({ channel, paid: nanoTon(7n), closeTransaction: 'cc' })
  }

  #create(init: NodeInit): CliNode {
    this.init = init
    const config = parseConfig({ network: 'simnet', chain: { endpoint: 'http://127.0.0.1:1' } })
    this.config = init.overrides?.(config) ?? config
    const isProvider = init.role === 'provider'
    return {
      config: this.config,
      peerId: PEER,
      mesh: { addresses: () => [`/ip4/127.0.0.1/tcp/1/p2p/${PEER}`] },
      wallet: { address: ADDRESS },
      client: isProvider ? undefined : this.#client,
      provider: isProvider ? { published: this.published, tier: this.tier } : undefined,
      enclave: isProvider ? FAKE_ENCLAVE : undefined,
      care: { tend: options => this.tend(options?.again) },
      start: async () => void this.calls.push('start'),
      stop: async () => void this.calls.push('stop')
    }
  }
}

const FAKE_ENCLAVE: NonNullable<CliNode['enclave']> = {
  info: {
    model: { name: 'Pocket', digest: Buffer.from(DEFAULT_MODEL.digestHex, 'hex') },
    backend: 'cpu',
    tokensPerSecond: 123.456,
    slots: 1,
    pid: 77
  }
}
