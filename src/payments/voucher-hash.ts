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

/** A payee's agreement to end a channel at once. */
export interface CloseTotal extends SignedTotal {
  /** Last second in which it counts, Unix seconds of the chain. */
  validUntil: number
}

/**
 * Hash a payee signs to let a channel end at once with this total: the voucher's layout with another tag, followed by
 * `validUntil:uint32`.
 *
 * @returns 32 bytes
 * @throws {RangeError} if a field does not fit its width
 */
export function closeHash(total: CloseTotal): Uint8Array {
  return totalHash(CLOSE_TAG, total, total.validUntil)
}

// Two descriptor bytes, tag, globalId; then everything is 3 bits off byte boundaries, and 7 bits after the length nibble.
const HEAD_BYTES = 10
const SHIFTED_BYTES = 1 + 32 + 8
const MAX_COINS_BYTES = 15
const EXPIRY_BYTES = 4

// One buffer for every hash: nothing here awaits, so no two calls overlap.
const packed = Buffer.alloc(HEAD_BYTES + SHIFTED_BYTES + 1 + MAX_COINS_BYTES + EXPIRY_BYTES)
const shifted = Buffer.alloc(SHIFTED_BYTES)
// Leading zero, amount, expiry: the amount ends where the expiry begins.
const tail = Buffer.alloc(1 + MAX_COINS_BYTES + EXPIRY_BYTES)
const EXPIRY_AT = 1 + MAX_COINS_BYTES

function totalHash(
  tag: number,
  { globalId, channel, openedLt, cumulative }: SignedTotal,
  validUntil?: number
): Uint8Array {
  if (channel.hash.byteLength !== 32) {
    throw new RangeError(`Account id has ${channel.hash.byteLength} bytes: expected 32`)
  }
  const length = writeCoins(cumulative)
  let end = EXPIRY_AT
  if (validUntil !== undefined) {
    end = tail.writeUInt32BE(validUntil, EXPIRY_AT)
  }
  packed[0] = 0 // d1: no references, ordinary cell
  packed[1] = 2 * (HEAD_BYTES - 2 + SHIFTED_BYTES + length + end - EXPIRY_AT) + 1 // d2: floor + ceil of bits / 8, the last byte is 7 bits
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
  for (let i = EXPIRY_AT - length; i < end; i++) {
    const byte = tail[i] ?? 0
    packed[at++] = (carry << 1) | (byte >> 7)
    carry = byte & 0x7f
  }
  packed[at++] = (carry << 1) | 1 // completion tag of a cell that does not end on a byte
  return new Uint8Array(createHash('sha256').update(packed.subarray(0, at)).digest())
}

/** Writes `amount` into `tail`, up to the expiry, and returns how many bytes it takes. */
function writeCoins(amount: bigint): number {
  if (amount < 0n || amount >> 120n !== 0n) {
    throw new RangeError(`Amount ${amount} does not fit Coins`)
  }
  const low = amount & 0xffff_ffff_ffff_ffffn
  const high = amount >> 64n
  tail.writeBigUInt64BE(low, 8)
  tail.writeBigUInt64BE(high, 0)
  for (let i = 0; i < EXPIRY_AT; i++) {
    if (tail[i] !== 0) {
      return EXPIRY_AT - i
    }
  }
  return 0
}
