import { createHash } from 'node:crypto'
import type { RawAddress } from '../core/address.ts'
import type { NanoTon } from '../core/nano-ton.ts'

/** First 32 bits of the cell that a payer signs: `cocv`. */
export const VOUCHER_TAG = 0x636f6376

/** First 32 bits of the cell that a payee signs to close at once: `cocc`. */
export const CLOSE_TAG = 0x636f6363

/** What a voucher or a close statement binds: network, channel, opening and total. */
export interface SignedTotal {
  globalId: number
  channel: RawAddress
  /** Logical time of the opening transaction: the same address can be opened again after a close. */
  openedLt: bigint
  /** Nanotons over the channel's whole life. */
  cumulative: NanoTon
}

/**
 * Hash a payer signs for a voucher: the representation hash of the cell
 * `tag:uint32 globalId:int32 channel:MsgAddressInt openedLt:uint64 cumulative:Coins`.
 *
 * @returns 32 bytes
 * @throws {RangeError} if a field does not fit its width
 */
export function voucherHash(total: SignedTotal): Uint8Array {
  return totalHash(VOUCHER_TAG, total)
}

/**
 * Hash a payee signs to let a channel end at once with this total: same layout, another tag.
 *
 * @returns 32 bytes
 * @throws {RangeError} if a field does not fit its width
 */
export function closeHash(total: SignedTotal): Uint8Array {
  return totalHash(CLOSE_TAG, total)
}

// Two descriptor bytes, tag, globalId; then everything is 3 bits off byte boundaries, and 7 bits after the length nibble.
const HEAD_BYTES = 10
const SHIFTED_BYTES = 1 + 32 + 8
const MAX_COINS_BYTES = 15

// One buffer for every hash: nothing here awaits, so no two calls overlap.
const packed = Buffer.alloc(HEAD_BYTES + SHIFTED_BYTES + 1 + MAX_COINS_BYTES)
const shifted = Buffer.alloc(SHIFTED_BYTES)
const coins = Buffer.alloc(MAX_COINS_BYTES + 1)

function totalHash(tag: number, { globalId, channel, openedLt, cumulative }: SignedTotal): Uint8Array {
  if (channel.hash.byteLength !== 32) {
    throw new RangeError(`Account id has ${channel.hash.byteLength} bytes: expected 32`)
  }
  const length = writeCoins(cumulative)
  packed[0] = 0 // d1: no references, ordinary cell
  packed[1] = 2 * (HEAD_BYTES - 2 + SHIFTED_BYTES + length) + 1 // d2: floor + ceil of bits / 8, the last byte is 7 bits
  packed.writeUInt32BE(tag, 2)
  packed.writeInt32BE(globalId, 6)

  shifted.writeInt8(channel.workchain, 0)
  shifted.set(channel.hash, 1)
  shifted.writeBigUInt64BE(openedLt, 33)
  let carry = 0b100 // addr_std$10, no anycast
  let at = HEAD_BYTES
  for (const byte of shifted) {
    packed[at++] = (carry << 5) | (byte >> 3)
    carry = byte & 0b111
  }
  carry = (carry << 4) | length
  for (let i = coins.byteLength - length; i < coins.byteLength; i++) {
    const byte = coins[i] ?? 0
    packed[at++] = (carry << 1) | (byte >> 7)
    carry = byte & 0x7f
  }
  packed[at++] = (carry << 1) | 1 // completion tag of a cell that does not end on a byte
  return new Uint8Array(createHash('sha256').update(packed.subarray(0, at)).digest())
}

/** Writes `amount` to the end of `coins` and returns how many bytes it takes. */
function writeCoins(amount: bigint): number {
  if (amount < 0n || amount >> 120n !== 0n) {
    throw new RangeError(`Amount ${amount} does not fit Coins`)
  }
  const low = amount & 0xffff_ffff_ffff_ffffn
  const high = amount >> 64n
  coins.writeBigUInt64BE(low, 8)
  coins.writeBigUInt64BE(high, 0)
  for (let i = 0; i < coins.byteLength; i++) {
    if (coins[i] !== 0) {
      return coins.byteLength - i
    }
  }
  return 0
}
