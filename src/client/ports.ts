import type { AttestationPolicy, StoredReceipt } from '../attest/index.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/logger.ts'
import type { NanoTon } from '../core/nano-ton.ts'
import type { Random } from '../core/random.ts'
import type { PriceCap } from '../market/index.ts'
import type { Mesh } from '../mesh/index.ts'
import type { PayerChannels } from '../payments/index.ts'
import type { SealSuite } from '../seal/index.ts'
import type { PrivacyMode } from '../wire/job-request.ts'
import type { BeaconChain } from './beacon-view.ts'

/** What a client needs from the rest of the node. */
export interface ClientComponents {
  logger: Logger
  clock: Clock
  random: Random
  mesh: Mesh
  payer: PayerChannels
  chain: BeaconChain
  receipts: { save(receipt: StoredReceipt): Promise<void> }
}

export interface ClientInit {
  /** Which enclaves may see a prompt. */
  policy: AttestationPolicy
  maxPrices: PriceCap
  /**
   * What a new channel locks, the most locked with one provider, the time for claims after a lone close, and the share of
   * `default` below which a channel is topped up in the background, in percent (0 unless given).
   */
  deposit: { default: NanoTon; max: NanoTon; challengeSeconds: number; topUpBelowPercent?: number }
  /**
   * Completion tokens prepaid at a time at most, whatever a provider asks for.
   * @default 32
   */
  maxWindowTokens?: number
  /**
   * Enclaves a job is sealed to.
   * @default 2
   */
  candidates?: number
  /**
   * How long discovery may take, in milliseconds.
   * @default 10_000
   */
  discoveryTimeoutMs?: number
  /**
   * How long the client waits for an offer it can take, in milliseconds.
   * @default 8_000
   */
  offerTimeoutMs?: number
  /**
   * Longest silence on a job stream, in milliseconds.
   * @default 30_000
   */
  stallTimeoutMs?: number
  /**
   * What requests are sealed with. An enclave that does not offer it gets none.
   * @default 'x25519'
   */
  suite?: SealSuite
  /**
   * How answers travel, unless a question says otherwise.
   * @default 'standard'
   */
  privacy?: PrivacyMode
}
