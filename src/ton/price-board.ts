import type { Cell } from '@ton/core'
import { type AbortOptions, abortable } from '../core/abort.ts'
import type { Clock } from '../core/clock.ts'
import { type ChainPrices, PRICE_PARAMS, parsePrices } from './chain-prices.ts'

/** What reading the chain's prices needs of the endpoint. */
export interface PriceRpc {
  configParam(id: number, options?: AbortOptions & { fresh?: boolean }): Promise<Cell>
}

export interface PriceBoardInit {
  /**
   * How long prices are taken for current, in milliseconds. They change by a vote of the validators, a few times a year.
   * @default 3_600_000
   */
  maxAgeMs?: number
}

const MAX_AGE_MS = 3_600_000

/** The chain's prices, asked for at most once an hour. */
export class PriceBoard {
  readonly #rpc: PriceRpc
  readonly #clock: Clock
  readonly #maxAgeMs: number
  #last: { prices: ChainPrices; readAtMs: number } | undefined
  #reading: Promise<ChainPrices> | undefined

  constructor({ rpc, clock }: { rpc: PriceRpc; clock: Clock }, init: PriceBoardInit = {}) {
    this.#rpc = rpc
    this.#clock = clock
    this.#maxAgeMs = init.maxAgeMs ?? MAX_AGE_MS
  }

  /**
   * @throws {ChainUnreachableError} `CHAIN_UNREACHABLE`
   * @throws {MoneyError} `CHAIN_PRICES_INVALID`
   */
  async prices(options: AbortOptions = {}): Promise<ChainPrices> {
    const last = this.#last
    const ageMs = last === undefined ? Number.POSITIVE_INFINITY : this.#clock.nowMs() - last.readAtMs
    if (last !== undefined && ageMs >= 0 && ageMs < this.#maxAgeMs) {
      return last.prices
    }
    // Shared by all who ask meanwhile, so no one's signal ends it.
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    return abortable(this.#reading, options)
  }

  /** The next one who asks gets prices that are read anew. */
  forget(): void {
    this.#last = undefined
  }

  async #read(): Promise<ChainPrices> {
    const { gas, forward, storage } = PRICE_PARAMS
    const [gasCell, forwardCell, storageCell] = await Promise.all([
      this.#rpc.configParam(gas, { fresh: true }),
      this.#rpc.configParam(forward, { fresh: true }),
      this.#rpc.configParam(storage, { fresh: true })
    ])
    const readAtMs = this.#clock.nowMs()
    const prices = parsePrices(
      { gas: gasCell, forward: forwardCell, storage: storageCell },
      Math.floor(readAtMs / 1000)
    )
    this.#last = { prices, readAtMs }
    return prices
  }
}
