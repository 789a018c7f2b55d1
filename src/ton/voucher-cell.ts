import { Address, type Builder, beginCell, type Cell } from '@ton/core'
import type { NanoTon } from '../core/nano-ton.ts'

/** What a voucher or a close statement binds. The payments area hashes the same layout without building cells. */
export interface TotalFields {
  globalId: number
  /** Raw address of the channel. */
  channel: string
  openedLt: bigint
  cumulative: NanoTon
}

const VOUCHER_TAG = 0x636f6376
const CLOSE_TAG = 0x636f6363

/** The cell that a payer signs. */
export function voucherCell(fields: TotalFields): Cell {
  // voucher#636f6376 globalId:int32 channel:MsgAddressInt openedLt:uint64 cumulative:Coins = Voucher;
  return storeTotal(VOUCHER_TAG, fields).endCell()
}

/** A payee's agreement to end the channel at once with this total. */
export interface CloseFields extends TotalFields {
  /** Last second in which it counts, Unix seconds of the chain. */
  validUntil: number
}

/** The cell that a payee signs. */
export function closeCell(fields: CloseFields): Cell {
  // close_statement#636f6363 globalId:int32 channel:MsgAddressInt openedLt:uint64 cumulative:Coins validUntil:uint32 = CloseStatement;
  return storeTotal(CLOSE_TAG, fields).storeUint(fields.validUntil, 32).endCell()
}

function storeTotal(tag: number, { globalId, channel, openedLt, cumulative }: TotalFields): Builder {
  return beginCell()
    .storeUint(tag, 32)
    .storeInt(globalId, 32)
    .storeAddress(Address.parseRaw(channel))
    .storeUint(openedLt, 64)
    .storeCoins(cumulative)
}
