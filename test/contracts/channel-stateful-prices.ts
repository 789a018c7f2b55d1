import assert from 'node:assert/strict'
import type { Cell } from '@ton/core'
import {
  configParse18,
  configParseGasLimitsPrices,
  configParseMsgPrices,
  loadConfigParamsAsSlice,
  type MsgPrices
} from '@ton/ton'

const STORAGE_PRICES = 18
const GAS_PRICES = 21
const MSG_PRICES_MASTERCHAIN = 24
const MSG_PRICES = 25

/** What the network charges in the basechain, of a chain's configuration: the model's own reading of it. */
export class ChainPrices {
  readonly #gas: { flatLimit: bigint; flatPrice: bigint; price: bigint }
  /** An account that owes more than this for storage is frozen. */
  readonly freezeLimit: bigint
  readonly #message: MsgPrices
  readonly #toMasterchain: MsgPrices
  readonly #storage: { bit: bigint; cell: bigint }

  constructor(config: Cell) {
    const params = loadConfigParamsAsSlice(config.toBoc().toString('base64'))
    const gas = configParseGasLimitsPrices(params.get(GAS_PRICES))
    this.#gas = { flatLimit: gas.flatLimit, flatPrice: gas.flatGasPrice, price: gas.other.gasPrice }
    this.freezeLimit = gas.other.freezeDueLimit
    this.#message = configParseMsgPrices(params.get(MSG_PRICES))
    this.#toMasterchain = configParseMsgPrices(params.get(MSG_PRICES_MASTERCHAIN))
    const storage = configParse18(params.get(STORAGE_PRICES)).at(-1) ?? assert.fail('no storage prices')
    this.#storage = { bit: storage.bit_price_ps, cell: storage.cell_price_ps }
  }

  /** Least value for which a message gets any gas at all. */
  get leastForGas(): bigint {
    return this.#gas.flatPrice
  }

  gas(units: bigint): bigint {
    const { flatLimit, flatPrice, price } = this.#gas
    return units <= flatLimit ? flatPrice : flatPrice + ceil16((units - flatLimit) * price)
  }

  /** A transfer without a body, or a bounce: its root cell is free. */
  transfer(toMasterchain = false): bigint {
    return (toMasterchain ? this.#toMasterchain : this.#message).lumpPrice
  }

  /** A message whose cells other than the root have this size. */
  message(bits: bigint, cells: bigint): bigint {
    const { lumpPrice, bitPrice, cellPrice } = this.#message
    return lumpPrice + ceil16(bits * bitPrice + cells * cellPrice)
  }

  storage(seconds: bigint, bits: bigint, cells: bigint): bigint {
    return ceil16((bits * this.#storage.bit + cells * this.#storage.cell) * seconds)
  }
}

function ceil16(scaled: bigint): bigint {
  return (scaled + 0xffffn) >> 16n
}
