import { beginCell, type Cell, internal, storeMessageRelaxed } from '@ton/core'
import { type NanoTon, nanoTon } from '../core/nano-ton.ts'
import { type CellSize, type ChainPrices, forwardFee, gasFee, sizeBelow, sizeOf } from './chain-prices.ts'
import { WALLET_GAS } from './channel-gas.ts'
import type { Transfer } from './wallet-message.ts'

/** Signed part of a W5 message, without its actions. */
const ENVELOPE: CellSize = { bits: 700n, cells: 1n }
/** Each action's own cell. */
const ACTION: CellSize = { bits: 50n, cells: 1n }
/** Code and data of a W5 wallet, which its first message carries. */
const WALLET_INIT: CellSize = { bits: 6_000n, cells: 23n }

/** The message that leaves the wallet for a transfer. */
export function transferCell({ to, value, bounce, init, body }: Transfer): Cell {
  const message = internal({
    to,
    value,
    bounce,
    ...(init === undefined ? {} : { init }),
    ...(body === undefined ? {} : { body })
  })
  return beginCell().store(storeMessageRelaxed(message)).endCell()
}

/**
 * What a W5 wallet pays to send these transfers in one message, beyond their values: at most this, and hardly less.
 *
 * @param deployed false if the wallet never sent before
 */
export function walletFee(prices: ChainPrices, transfers: readonly Transfer[], deployed: boolean): NanoTon {
  const cells = transfers.map(transferCell)
  const actions = BigInt(transfers.length)
  const imported = [
    ENVELOPE,
    { bits: ACTION.bits * actions, cells: ACTION.cells * actions },
    sizeOf(cells),
    ...(deployed ? [] : [WALLET_INIT])
  ].reduce((sum, { bits, cells: more }) => ({ bits: sum.bits + bits, cells: sum.cells + more }))
  const gas = gasFee(prices, WALLET_GAS.first + WALLET_GAS.further * (actions - 1n))
  const forwarded = cells.reduce((sum, cell) => sum + forwardFee(prices, sizeBelow(cell)), 0n)
  return nanoTon(gas + forwarded + forwardFee(prices, imported))
}
