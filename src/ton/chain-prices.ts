import type { Cell, Slice } from '@ton/core'
import { configParse18, configParseGasLimitsPrices, configParseMsgPrices } from '@ton/ton'
import { MoneyError } from '../core/errors.ts'

/** What the basechain charges, from its configuration. Prices are nanotons times 2^16, as the chain keeps them. */
export interface ChainPrices {
  /** Parameter 21. The flat price covers the first `flatLimit` gas. */
  gas: { flatLimit: bigint; flatPrice: bigint; price: bigint }
  /** Parameter 25. The lump is in nanotons and covers the message's root cell. */
  forward: { lump: bigint; bit: bigint; cell: bigint }
  /** Parameter 18, for each second. */
  storage: { bit: bigint; cell: bigint }
}

/** Numbers of the parameters that {@link parsePrices} takes. */
export const PRICE_PARAMS = { gas: 21, forward: 25, storage: 18 } as const

/** Size of a message or an account, its root cell left out where a lump pays for it. */
export interface CellSize {
  bits: bigint
  cells: bigint
}

/** A thousand times what the network charged in 2024: an endpoint that says more is broken, or lies. */
const MAX_PRICES = {
  gas: { flatLimit: 100_000n, flatPrice: 40_000_000n, price: 400_000n << 16n },
  forward: { lump: 400_000_000n, bit: 400_000n << 16n, cell: 40_000_000n << 16n },
  storage: { bit: 1_000n, cell: 500_000n }
} satisfies ChainPrices

/**
 * Reads three configuration parameters.
 *
 * @param atSecond Unix seconds: storage prices are listed by the time from which they hold
 * @throws {MoneyError} `CHAIN_PRICES_INVALID` if they cannot be read, or cannot be true
 */
export function parsePrices(params: Readonly<Record<keyof typeof PRICE_PARAMS, Cell>>, atSecond: number): ChainPrices {
  // gas_flat_pfx#d1 flat_gas_limit:uint64 flat_gas_price:uint64 other:GasLimitsPrices = GasLimitsPrices;
  const gas = read('gas', params.gas, configParseGasLimitsPrices)
  // msg_forward_prices#ea lump_price:uint64 bit_price:uint64 cell_price:uint64 … = MsgForwardPrices;
  const forward = read('forward', params.forward, configParseMsgPrices)
  // _ (Hashmap 32 StoragePrices) = ConfigParam 18;
  const storage = read('storage', params.storage, configParse18)
    .filter(({ utime_since: since }) => since <= atSecond)
    .reduce<Awaited<ReturnType<typeof configParse18>>[number] | undefined>(
      (last, next) => (last === undefined || next.utime_since > last.utime_since ? next : last),
      undefined
    )
  if (storage === undefined) {
    throw invalid('storage', 'no price holds now')
  }
  const prices = {
    gas: { flatLimit: gas.flatLimit, flatPrice: gas.flatGasPrice, price: gas.other.gasPrice },
    forward: { lump: forward.lumpPrice, bit: forward.bitPrice, cell: forward.cellPrice },
    storage: { bit: storage.bit_price_ps, cell: storage.cell_price_ps }
  }
  requirePlausible(prices)
  return prices
}

/** Nanotons for `gas` units in one transaction. */
export function gasFee({ gas: { flatLimit, flatPrice, price } }: ChainPrices, gas: bigint): bigint {
  return gas <= flatLimit ? flatPrice : flatPrice + shiftUp(price * (gas - flatLimit))
}

/** Nanotons to carry one message, or to import it from outside. */
export function forwardFee({ forward: { lump, bit, cell } }: ChainPrices, size: CellSize): bigint {
  return lump + shiftUp(bit * size.bits + cell * size.cells)
}

/** Nanotons to keep an account of this size for so long. */
export function storageFee({ storage: { bit, cell } }: ChainPrices, size: CellSize, seconds: bigint): bigint {
  return shiftUp((bit * size.bits + cell * size.cells) * seconds)
}

/** Size of trees of cells, their roots included; equal cells count once, as the network counts them. */
export function sizeOf(roots: readonly Cell[]): CellSize {
  const seen = new Set<string>()
  const waiting = [...roots]
  let bits = 0n
  for (let cell = waiting.pop(); cell !== undefined; cell = waiting.pop()) {
    const hash = cell.hash().toString('hex')
    if (!seen.has(hash)) {
      seen.add(hash)
      bits += BigInt(cell.bits.length)
      waiting.push(...cell.refs)
    }
  }
  return { bits, cells: BigInt(seen.size) }
}

/** Size of a message below its root cell, which a lump pays for. */
export function sizeBelow(root: Cell): CellSize {
  return sizeOf(root.refs)
}

/** x / 2^16, rounded up. */
function shiftUp(value: bigint): bigint {
  return (value + 0xffffn) >> 16n
}

function read<T>(name: string, cell: Cell, parse: (slice: Slice) => T): T {
  try {
    return parse(cell.beginParse())
  } catch {
    throw invalid(name, 'the parameter cannot be read')
  }
}

function requirePlausible(prices: ChainPrices): void {
  for (const [group, limits] of Object.entries(MAX_PRICES)) {
    const values = prices[group as keyof ChainPrices] as Readonly<Record<string, bigint>>
    for (const [name, most] of Object.entries(limits)) {
      if ((values[name] ?? 0n) > most) {
        throw invalid(group, `${name} is ${values[name]}, expected at most ${most}`)
      }
    }
  }
}

function invalid(name: string, why: string): MoneyError {
  return new MoneyError(
    'CHAIN_PRICES_INVALID',
    `The endpoint's ${name} prices of the chain make no sense (${why}): check the endpoint, or use another`,
    { details: { sent: false } }
  )
}
