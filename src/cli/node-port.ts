import type { AnswerEvent, AskRequest, ShownAttestation } from '../client/events.ts'
import type { Config, Network } from '../config/index.ts'
import type { AbortOptions } from '../core/abort.ts'
import type { Logger } from '../core/logger.ts'
import type { NanoTon } from '../core/nano-ton.ts'
import type { TokenPrices } from '../core/price.ts'

/**
 * What the CLI needs of `src/node`. The node is loaded only by commands that use it, so that `--help` answers at once,
 * and tests of the commands bring their own.
 */
export interface NodeModule {
  createNode: (init: NodeInit, options?: AbortOptions) => Promise<CliNode>
  createHome: (init: CreateHomeInit) => Promise<{ peerId: string; walletAddress: string; friendlyAddress: string }>
  /** The words that the wallet's key was made of. */
  exportWallet: (
    init: WalletWordsInit,
    options?: AbortOptions
  ) => Promise<{ walletAddress: string; words: readonly string[] }>
  /** Makes the wallet's key of words, unless it is there. */
  importWallet: (
    init: WalletWordsInit,
    text: string,
    options?: AbortOptions
  ) => Promise<{ walletAddress: string; imported: boolean }>
  openAccount: (init: AccountInit, options?: AbortOptions) => Promise<CliAccount>
  /** Receipts of a home folder; several processes may read them. */
  receiptStore: (folder: string) => CliReceipts
  /** Checks a receipt offline, by the beginning of its job id or by path. */
  verifyReceiptFile: (
    idOrPath: string,
    init: { receiptsFolder: string; allowSimulated: boolean; policyFile?: string }
  ) => Promise<ReceiptVerdict>
  /** Judges a saved attestation offline. */
  judgeAttestationFile: (
    path: string,
    init: { policyFile?: string; allowSimulated: boolean; nowMs?: number }
  ) => Promise<AcceptedEnclave>
  saveAttestation: (path: string, stored: ShownAttestation['stored']) => Promise<void>
  /** The policy that a client judges enclaves by; a file that is wrong is refused. */
  loadAttestationPolicy: (choice: {
    file: string | undefined
    homePath: string
    allowSimulated: boolean
  }) => Promise<AttestationRules>
  /** What an accepted enclave means, in plain words. */
  describeEnclave: (enclave: AcceptedEnclave) => EnclaveWords
  /** What the enclave program of this package is made of. */
  enclaveBundle: () => EnclaveParts
  /** Guards channels of others with their vouchers, without a home. */
  watchVouchers: (init: WatchInit, options?: AbortOptions) => Promise<WatchSummary>
}

/** An enclave that the policy accepts. */
export type AcceptedEnclave = Extract<ShownAttestation, { enclave: unknown }>['enclave']

export interface EnclaveWords {
  runs: readonly string[]
  can: readonly string[]
  cannot: readonly string[]
}

/** The enclave program of this package, and what measures it. */
export interface EnclaveParts {
  /** SHA-256 of `listing`, 32 bytes. */
  digest: Uint8Array
  listing: string
  files: ReadonlyArray<{ path: string; sha256: string }>
  packages: ReadonlyArray<{ name: string; version: string; integrity: string }>
}

/** The part of a policy that is told in words. */
export interface AttestationRules {
  acceptedTiers: readonly string[]
  images: ReadonlyArray<{ name: string; tier: string; bundleDigest: string }>
  tdx: { acceptedTcbStatuses: readonly string[] }
  snp: { minimumTcb: object }
  deny: { bundleDigests: readonly string[]; peerIds: readonly string[]; fmspcs: readonly string[] }
  maxStatementAgeMs: number
}

export interface AccountInit {
  home: string
  passphrase?: string
  logger?: Logger
  /** Changes the configuration for this run. */
  overrides?: (config: Config) => Config
}

export interface NodeInit extends AccountInit {
  role: 'provider' | 'client'
  /** The enclave ended by itself. */
  onEnclaveExit?: () => void
  /** A step was taken with a channel by itself, or failed. */
  onStep?: (report: StepReport) => void
  /** A channel ended before its last voucher was claimed. */
  onLost?: (lost: { channel: string; lost: NanoTon }) => void
}

export interface CreateHomeInit {
  home: string
  network: Network
  chainEndpoint?: string
  bootstrap?: string[]
  passphrase?: string
  /** Words of the wallet, as they were typed. */
  mnemonic?: string
}

export interface WalletWordsInit {
  home: string
  passphrase?: string
}

/** A node of either role. */
export interface CliNode {
  /** With the changes of this run. */
  readonly config: Pick<Config, 'client'>
  readonly peerId: string
  readonly mesh: { addresses(): string[] }
  readonly wallet: { readonly address: string }
  readonly client: CliClient | undefined
  readonly provider: CliProvider | undefined
  readonly enclave: CliEnclave | undefined
  /** Takes the steps of channels that are due. */
  readonly care: { tend(options?: AbortOptions & { again?: boolean }): Promise<StepReport[]> }
  start(options?: AbortOptions): Promise<void>
  stop(): Promise<void>
}

export interface CliProvider {
  /** Resolves once the capacity record was read back from the DHT. */
  readonly published: Promise<void>
  /** What the enclave's evidence proves. */
  readonly tier: string
}

export interface CliEnclave {
  readonly info: {
    readonly model: { readonly name: string; readonly digest: Uint8Array }
    readonly backend: string
    readonly tokensPerSecond: number
    readonly slots: number
    readonly pid: number
  }
}

export interface CliClient {
  ask(request: AskRequest, options?: AbortOptions): AsyncIterable<AnswerEvent>
  providers(
    query: { modelDigestHex?: string; tier?: string },
    options?: AbortOptions & { timeoutMs?: number }
  ): AsyncIterable<AdvertisedProvider>
  openChannel(peerId: string, deposit?: NanoTon, options?: AbortOptions): Promise<PaidChannel>
  closeChannel(channel: string, options?: AbortOptions): Promise<ClosedChannel>
  /** What a provider's enclave shows of itself now. */
  attestation(peerId: string, options?: AbortOptions): Promise<ShownAttestation>
}

/** The part of a capacity record that is shown. Every text in it is a stranger's. */
export interface AdvertisedProvider {
  peerId: string
  addresses: string[]
  models: Array<{
    name: string
    digest: Uint8Array
    contextTokens: number
    quantization: string
    tokensPerSecond: number
  }>
  gpus: Array<{ name: string; vramTotalBytes: number; vramFreeBytes: number }>
  backend: string
  slotsTotal: number
  slotsFree: number
  prices: TokenPrices
  tier: string
  payment: { minimumDeposit: NanoTon; networks: number[] }
  expiresAtMs: number
}

export interface ClosedChannel {
  channel: string
  paid: NanoTon
  closeTransaction: string
}

/** A home's money without the mesh. */
export interface CliAccount {
  readonly config: Pick<Config, 'network'>
  readonly wallet: {
    readonly address: string
    readonly friendlyAddress: string
    balance(options?: AbortOptions): Promise<NanoTon>
    send(to: string, amount: NanoTon, options?: AbortOptions): Promise<{ transaction: string }>
  }
  readonly payer: ChannelBook<PaidChannel>
  readonly payee: ChannelBook<EarningChannel>
  closeAlone(channel: string, options?: AbortOptions): Promise<LoneClose>
  /** What can be done with channels by itself, the mesh left out. */
  readonly steward: {
    plan(options?: AbortOptions): Promise<PlannedStep[]>
    tend(options?: AbortOptions & { only?: readonly StepAction[] }): Promise<StepReport[]>
    forgetFailures(): Promise<void>
  }
  /** The latest voucher of a channel that pays us, as text. */
  voucherFile(channel: string): string
  /** Takes up channels that the chain knows and the ledger does not. */
  recoverChannels(options?: AbortOptions): Promise<RecoveredChannels>
  close(): Promise<void>
}

export type StepAction = 'claim' | 'claim-externally' | 'top-up' | 'close-together' | 'start-close' | 'finish'

/** The next step of a channel by itself, or why there is none. */
export interface NextStep {
  action: StepAction | 'none'
  reason: string
  /** Unix milliseconds; undefined if there is none. */
  atMs?: number
  deadlineMs?: number
  /** When the channel is closed alone if its provider goes on not to answer. */
  aloneAtMs?: number
  fee: NanoTon
  gain: NanoTon
}

export interface PlannedStep {
  role: 'payer' | 'payee'
  channel: string
  step: NextStep
}

/** What a step came to. */
export interface StepReport {
  role: 'payer' | 'payee'
  channel: string
  action: StepAction
  reason: string
  fee: NanoTon
  gain: NanoTon
  /** Hex; empty if it failed or nothing had to be sent. */
  transaction: string
  failure?: { code: string; message: string }
}

export interface RecoveredChannels {
  recovered: PaidChannel[]
  known: PaidChannel[]
  gone: number
  /** Why older channels may be missing. */
  incomplete: string | undefined
}

export interface WatchInit {
  files: readonly string[]
  network?: Network
  endpointOf: (
    network: Network
  ) => Promise<{ endpoint: string; apiKey?: string; fallbacks: Array<{ endpoint: string }> }>
  intervalMs?: number
  claimAbove?: NanoTon
  now: boolean
  onEvent: (event: WatchEvent) => void
}

export interface WatchSummary {
  claimed: NanoTon
  lost: NanoTon
  failed: number
}

/** What a watch tells. */
export type WatchEvent =
  | { type: 'watching'; channel: string; amount: NanoTon; due: NanoTon; payeeAddress: string; challengeSeconds: number }
  | { type: 'higher'; channel: string; amount: NanoTon }
  | { type: 'closing'; channel: string; due: NanoTon; closeAtMs: number; late: boolean }
  | { type: 'claimed'; channel: string; paid: NanoTon; transaction: string }
  | { type: 'paid'; channel: string; amount: NanoTon }
  | { type: 'too-small'; channel: string; due: NanoTon; reason: string }
  | { type: 'over-deposit'; channel: string; amount: NanoTon; deposit: NanoTon }
  | { type: 'over'; channel: string; end: 'together' | 'alone' | 'unknown'; unpaid: NanoTon }
  | { type: 'refused'; channel: string; amount: NanoTon; reason: string }
  | { type: 'trouble'; channel: string; code: string; reason: string }
  | { type: 'bad-file'; file: string; reason: string }
  | { type: 'lower-file'; file: string; channel: string; amount: NanoTon }

/** One step of closing a channel without its provider. */
export interface LoneClose {
  step: 'started' | 'finished'
  transaction: string
  refundAtMs: number
}

/** The channels of one side, loaded from the ledger by `start`. */
export interface ChannelBook<T> {
  start(options?: AbortOptions): Promise<void>
  list(): T[]
}

/** A channel this node pays on. */
export interface PaidChannel {
  channel: string
  peerId: string
  state: string
  deposit: NanoTon
  /** Sent to the chain and not confirmed yet. */
  pendingDeposit: NanoTon
  /** What the provider may claim in all. */
  signed: NanoTon
  used: NanoTon
  settled: NanoTon
  room: NanoTon
  lastUsedAtMs: number
  /** When a close that the chain shows may be finished, Unix milliseconds; 0 unless it shows one. */
  closeAtMs: number
}

/** A channel this node is paid on. */
export interface EarningChannel {
  channel: string
  peerId: string
  state: string
  locked: NanoTon
  promised: NanoTon
  settled: NanoTon
  claimable: NanoTon
  lastUsedAtMs: number
  closeAtMs: number
}

/** What a receipt says; the enclave's words until it is verified. */
export interface ReceiptFields {
  jobId: string
  modelDigest: string
  providerPeerId: string
  clientPeerId: string
  promptTokens: number
  cachedPromptTokens: number
  completionTokens: number
  /** Nanotons, decimal. */
  cost: string
  channel: string
  finishReason: string
  startedAtMs: number
  endedAtMs: number
}

export interface ReceiptListing {
  jobId: string
  path: string
  receipt: ReceiptFields
}

export interface CliReceipts {
  list(): Promise<ReceiptListing[]>
  get(idOrPath: string): Promise<{ path: string; receipt: ReceiptFields }>
}

export interface ReceiptVerdict {
  readonly path: string
  readonly receipt: ReceiptFields
  readonly enclave: { readonly tier: string }
  /** What of the payment was checked: nothing stored, the voucher's terms, or also its signature. */
  readonly voucher: 'none' | 'terms' | 'signature'
}
