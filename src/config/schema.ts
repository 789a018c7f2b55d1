import * as z from 'zod'
import {
  accountAddress,
  amount,
  endpoint,
  flag,
  group,
  list,
  listenAddress,
  oneOf,
  peerAddress,
  text,
  wholeNumber
} from './setting.ts'

/**
 * What a node may be told, in `config.json` of its home folder. Everything but `network` and, on a simnet,
 * `chain.endpoint` has a default. Times are in the unit their name says, amounts are texts of nanotons.
 */

const mesh = group({
  /**
   * Addresses to listen on: TCP over IPv4 or IPv6, port 0 for any free one. A provider behind a router needs a
   * fixed port to forward.
   * @default ["/ip4/0.0.0.0/tcp/0"]
   */
  listen: list(listenAddress).min(1, { error: 'at least one address' }).default(['/ip4/0.0.0.0/tcp/0']),
  /**
   * Peers to start from, each with its `/p2p/<peer id>`. Peers met before and mDNS need none.
   * @default []
   */
  bootstrap: list(peerAddress).default([]),
  /**
   * Find peers on the local network.
   * @default true
   */
  mdns: flag.default(true)
})

/** Key sent to the endpoint. */
const apiKey = text(256).optional()

/** Most requests a second to one endpoint. */
const requestsPerSecond = wholeNumber(1, 1000).optional()

const chain = group({
  /**
   * JSON-RPC URL of a toncenter v2 server.
   * @default toncenter.com of the network; none on a simnet
   */
  endpoint: endpoint.optional(),
  /**
   * Key sent to the endpoint. Without one, toncenter answers one request a second.
   * @default none
   */
  apiKey,
  /**
   * Most requests a second to `endpoint`. A server that still finds them too many is asked less often for a while.
   * @default 10 with a key, 1 without one; no limit on a simnet
   */
  requestsPerSecond,
  /**
   * Further servers of the same chain, in the order in which they are asked when the ones before do not answer. With at
   * least one, what decides over money has to be shown by two servers: choose somebody else's.
   * @default []
   */
  fallbacks: list(group({ endpoint, apiKey, requestsPerSecond })).max(8, { error: 'at most 8 servers' }).default([])
})

const prices = group({
  /**
   * Nanotons per million prompt tokens.
   * @default "20000000" (0.02 TON)
   */
  promptPerMTokens: amount.prefault('20000000'),
  /**
   * Nanotons per million prompt tokens that a cache saved computing.
   * @default "5000000" (0.005 TON)
   */
  cachedPromptPerMTokens: amount.prefault('5000000'),
  /**
   * Nanotons per million answer tokens.
   * @default "60000000" (0.06 TON)
   */
  completionPerMTokens: amount.prefault('60000000')
})

const THREADS = '"auto" or a whole number from 1 to 256'

const provider = group({
  /**
   * GGUF file to serve, relative to the home folder or absolute.
   * @default the small model shipped with the package
   */
  modelPath: text(4096).optional(),
  /**
   * CPU threads of the model; `auto` measures at start and leaves a core for the rest.
   * @default "auto"
   */
  threads: z
    .union([z.literal('auto', { error: THREADS }), wholeNumber(1, 256, THREADS)], { error: THREADS })
    .default('auto'),
  /**
   * Jobs answered at once. Nothing is offered for more: their clients find another provider.
   * @default 1
   */
  slots: wholeNumber(1, 64).default(1),
  /**
   * Tokens of context of each slot; bounded by what the model was trained for.
   * @default the model's own
   */
  contextTokens: wholeNumber(128, 1_048_576).optional(),
  /**
   * Where the model computes. Anything but `auto` must be there, or the provider does not start.
   * @default "auto"
   */
  gpu: oneOf('auto', 'off', 'cuda', 'vulkan', 'metal').default('auto'),
  /**
   * What the machine proves of itself. `auto`: what its TEE offers, and simulated evidence only where there is none; a TEE
   * that fails is an error. docs/evidence.md says how to set one up.
   * @default "auto"
   */
  evidence: oneOf('auto', 'tdx', 'snp', 'simulated').default('auto'),
  /**
   * Absolute path of a command that asks the GPUs of a TDX guest for their reports; the tier is `tdx+gpu` with it.
   * @default none
   */
  gpuEvidenceCommand: text(4096).optional(),
  /**
   * Where Intel's data on TDX platforms is fetched: a PCCS, or Intel's own service.
   * @default "https://api.trustedservices.intel.com"
   */
  pccs: endpoint.optional(),
  prices: prices.prefault({}),
  /**
   * Smallest deposit of a channel a client is served on, in nanotons. Opening and closing one costs about
   * 0.004 TON in fees at the prices of 2026: at this size they are 4 %.
   * @default "100000000" (0.1 TON)
   */
  minimumDeposit: amount.prefault('100000000'),
  /**
   * Answer tokens a client prepays at a time, and that are computed ahead of their voucher: what a client that runs
   * away costs in work, and a provider that runs away in money.
   * @default 32
   */
  windowTokens: wholeNumber(1, 4096).default(32),
  /**
   * While the chain does not answer: nanotons that are still accepted on a channel beyond what was accepted when the
   * chain last showed it. If the client closed it in the meantime, so much work may go unpaid.
   * @default "50000000" (0.05 TON)
   */
  blindExposure: amount.prefault('50000000')
})

const client = group({
  /**
   * Nanotons locked when a channel to a provider is opened, or its minimum if that is more.
   * @default "500000000" (0.5 TON)
   */
  deposit: amount.prefault('500000000'),
  /**
   * Most that is locked with one provider at any time, in nanotons: deposits less what was spent of them. A provider
   * that asks for more is passed over.
   * @default "5000000000" (5 TON)
   */
  maxDeposit: amount.prefault('5000000000'),
  /**
   * Most that is sent into channels in one UTC day, to all providers, in nanotons.
   * @default "20000000000" (20 TON)
   */
  maxDepositPerDay: amount.prefault('20000000000'),
  /**
   * A channel with less than this share of `client.deposit` left is topped up while jobs go on, in percent. 0 tops up
   * only when the next job does not fit.
   * @default 25
   */
  topUpBelowPercent: wholeNumber(0, 90).default(25),
  /**
   * Most that one job may cost, in nanotons. One that might cost more, by its length and its provider's prices, is
   * refused before anything is paid.
   * @default "1000000000" (1 TON)
   */
  maxJobCost: amount.prefault('1000000000'),
  /**
   * Most that is promised to providers in one UTC day, over all channels, in nanotons.
   * @default "10000000000" (10 TON)
   */
  maxSpendPerDay: amount.prefault('10000000000'),
  /**
   * Answer tokens prepaid at a time, at most, whatever a provider asks for: what a provider that runs away costs. A
   * link on which more tokens come in a round trip makes answers wait for their payment. A job's first payment is what
   * the provider asks, up to the price of 32 tokens, whatever this says.
   * @default 32
   */
  maxWindowTokens: wholeNumber(1, 4096).default(32),
  /**
   * Most paid per million tokens, in nanotons. Dearer providers are passed over.
   * @default "200000000" and "600000000" (0.2 and 0.6 TON)
   */
  maxPrices: group({
    promptPerMTokens: amount.prefault('200000000'),
    completionPerMTokens: amount.prefault('600000000')
  }).prefault({}),
  /**
   * How long a provider has, after this node asks to close a channel alone, to claim with its last voucher, in
   * seconds. The deposit's rest is locked so long; a close the provider agrees to is immediate. Providers refuse less
   * than an hour.
   * @default 21600 (6 hours)
   */
  challengeSeconds: wholeNumber(3_600, 2_592_000).default(21_600),
  /**
   * Enclaves that a request is sealed to. The first whose offer is accepted answers.
   * @default 2
   */
  candidates: wholeNumber(1, 8).default(2),
  /**
   * What requests are sealed with: `x25519`, or `xwing`, which adds ML-KEM-768 against those who record today and may
   * have a quantum computer later. Providers whose enclave does not offer it get no request.
   * @default "x25519"
   */
  suite: oneOf('x25519', 'xwing').default('x25519'),
  /**
   * How answers travel. `standard` hides how long tokens are; `strict` also hides when they come and how many there
   * are from everybody but the provider, at a constant rate until the longest answer the question allows would be over.
   * @default "standard"
   */
  privacy: oneOf('standard', 'strict').default('standard'),
  /**
   * File with what is asked of enclaves, relative to the home folder or absolute: accepted guest images above all.
   * @default none: real hardware of any kind, but no image, so that no real enclave passes
   */
  attestationPolicy: text(4096).optional(),
  /**
   * Send prompts to simulated enclaves, whose owner can read them.
   * @default true on a simnet, false elsewhere
   */
  allowSimulated: flag.optional()
})

const channels = group({
  /**
   * A provider claims as soon as more than this is promised in a channel and not paid, in nanotons.
   * @default "1000000000" (1 TON)
   */
  claimAbove: amount.prefault('1000000000'),
  /**
   * A provider claims what has waited this long, in hours.
   * @default 24
   */
  claimAfterHours: wholeNumber(1, 8_760).default(24),
  /**
   * Most that a fee may be of what a claim or a top-up brings, in percent: smaller amounts wait. When a channel ends,
   * whatever is worth more than its fee is claimed.
   * @default 5
   */
  maxFeePercent: wholeNumber(1, 100).default(5),
  /**
   * A client closes a channel that nobody has used for this long, in hours, if more comes back than it costs.
   * @default 168 (a week)
   */
  closeIdleHours: wholeNumber(1, 87_600).default(168),
  /**
   * A client that wants to close goes on without the provider after it has not agreed for this long, in hours. Then the
   * rest of the deposit comes back after the challenge period.
   * @default 72
   */
  forceCloseAfterHours: wholeNumber(1, 8_760).default(72),
  /**
   * Folder in which a provider keeps the latest voucher of each channel as a file for `cocoon-node watch` on another
   * machine, relative to the home folder or absolute. Such a file can only pay this node.
   * @default none
   */
  voucherFolder: text(4096).optional()
})

/** The one schema of `config.json`. An unknown key is an error at every level. */
export const configSchema = group({
  /** The chain that pays. No default: it decides whose money moves. */
  network: oneOf('simnet', 'testnet', 'mainnet'),
  /**
   * Raw address of the wallet this home was made with, as `init` writes it. Where it is set, a node does not start with
   * the key of another.
   * @default any
   */
  wallet: accountAddress.optional(),
  /**
   * What is logged to the home's `logs` folder: this level and worse.
   * @default "info"
   */
  logLevel: oneOf('debug', 'info', 'warn', 'error', 'silent').default('info'),
  mesh: mesh.prefault({}),
  chain: chain.prefault({}),
  provider: provider.prefault({}),
  client: client.prefault({}),
  channels: channels.prefault({})
}).check(({ value, issues }) => {
  if (value.network === 'simnet' && value.chain.endpoint === undefined) {
    issues.push({
      code: 'custom',
      path: ['chain', 'endpoint'],
      message: 'the URL of the simnet\'s chain, which "cocoon-node simnet up" prints',
      input: undefined
    })
  }
  const servers = [
    value.chain.endpoint ?? publicEndpoint(value.network),
    ...value.chain.fallbacks.map(one => one.endpoint)
  ]
  const repeated = servers.findIndex((url, index) => servers.findIndex(other => isSameServer(other, url)) < index)
  if (repeated > 0) {
    issues.push({
      code: 'custom',
      path: ['chain', 'fallbacks', repeated - 1, 'endpoint'],
      message: 'another server than those before it',
      input: servers[repeated]
    })
  }
  for (const limit of ['maxDeposit', 'maxDepositPerDay'] as const) {
    if (value.client.deposit > value.client[limit]) {
      issues.push({
        code: 'custom',
        path: ['client', 'deposit'],
        message: `no more than client.${limit}, ${value.client[limit]} nanotons`,
        input: String(value.client.deposit)
      })
    }
  }
})

/** What may stand in `config.json`: only what differs from the defaults has to. */
export type ConfigFile = z.input<typeof configSchema>

type Parsed = z.output<typeof configSchema>

/** A node's whole configuration, defaults filled in. Amounts are `NanoTon`. */
export type Config = Omit<Parsed, 'chain' | 'client'> & {
  chain: Omit<Parsed['chain'], 'endpoint'> & { endpoint: string }
  client: Omit<Parsed['client'], 'allowSimulated'> & { allowSimulated: boolean }
}

export type Network = Config['network']

const TONCENTER: Readonly<Record<Exclude<Network, 'simnet'>, string>> = {
  mainnet: 'https://toncenter.com/api/v2/jsonRPC',
  testnet: 'https://testnet.toncenter.com/api/v2/jsonRPC'
}

/** Fills in the defaults that depend on the network. */
export function withNetworkDefaults(parsed: Parsed): Config {
  return {
    ...parsed,
    chain: { ...parsed.chain, endpoint: parsed.chain.endpoint ?? publicEndpoint(parsed.network) },
    client: { ...parsed.client, allowSimulated: parsed.client.allowSimulated ?? parsed.network === 'simnet' }
  }
}

function isSameServer(one: string, other: string): boolean {
  return one === other || (URL.canParse(one) && URL.canParse(other) && new URL(one).origin === new URL(other).origin)
}

function publicEndpoint(network: Network): string {
  // The schema has refused a simnet without one.
  return network === 'simnet' ? '' : TONCENTER[network]
}
