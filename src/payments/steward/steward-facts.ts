import type { AbortOptions } from '../../core/abort.ts'
import type { Clock } from '../../core/clock.ts'
import type { NanoTon } from '../../core/nano-ton.ts'
import type { ChainFees, FeeSource } from '../chain.ts'
import type { ChannelPolicy } from '../lifecycle/policy.ts'
import type { StewardFacts } from './steward-types.ts'

export interface FactSources {
  fees: FeeSource
  wallet: { balance(options?: AbortOptions): Promise<NanoTon> }
  clock: Clock
}

export interface FactLimits {
  policy: ChannelPolicy
  /** What the wallet must hold to be asked to send a message. */
  walletNeeds: NanoTon
  /** How long prices and balance are believed, milliseconds. */
  factsMaxAgeMs: number
}

/** Prices of the hour and whether the wallet can pay them, asked for again when they are old. */
export class FactDesk {
  readonly #sources: FactSources
  readonly #limits: FactLimits
  #known: { fees: ChainFees; walletPays: boolean; asOfMs: number } | undefined

  constructor(sources: FactSources, limits: FactLimits) {
    this.#sources = sources
    this.#limits = limits
  }

  /** @throws {ChainUnreachableError} `CHAIN_UNREACHABLE` */
  async current(options: AbortOptions): Promise<StewardFacts> {
    const { fees, wallet, clock } = this.#sources
    const { policy, walletNeeds, factsMaxAgeMs } = this.#limits
    let known = this.#known
    if (known === undefined || Math.abs(clock.nowMs() - known.asOfMs) > factsMaxAgeMs) {
      const [prices, balance] = await Promise.all([fees.fees(options), wallet.balance(options)])
      known = { fees: prices, walletPays: balance >= walletNeeds, asOfMs: clock.nowMs() }
      this.#known = known
    }
    return { policy, fees: known.fees, walletPays: known.walletPays, nowMs: clock.nowMs() }
  }

  /** Asks again next time: something turned out otherwise. */
  forget(): void {
    this.#known = undefined
  }
}
