import type { KeyObject } from 'node:crypto'
import { parseRawAddress } from '../core/address.ts'
import { type Ed25519KeyPair, ed25519Sign, ed25519Verify, ed25519VerifyOnPool } from '../core/ed25519.ts'
import type { NanoTon } from '../core/nano-ton.ts'
import { decodeAmount, encodeAmount, requireBytes, requireField } from '../wire/check.ts'
import type { SignedVoucher } from '../wire/generated/job.ts'
import { voucherHash } from './voucher-hash.ts'

const RAW_ADDRESS = /^(?:0|-1):[0-9a-f]{64}$/

/** What a voucher says: this channel, in this opening, owes the payee `cumulative` over its whole life. */
export interface VoucherFields {
  /** Raw address of the channel, `0:<64 lower-case hex>`. */
  channel: string
  openedLt: bigint
  cumulative: NanoTon
}

/** The payer's promise (design §7). A later one replaces every earlier one. */
export interface Voucher extends VoucherFields {
  /** Ed25519 over the hash of the voucher's cell, 64 bytes. */
  signature: Uint8Array
}

/** Signs a voucher for the network `globalId`. Pure: whoever calls it answers for the amount only growing. */
export function signVoucher(key: Ed25519KeyPair, globalId: number, fields: VoucherFields): Voucher {
  const { channel, openedLt, cumulative } = fields
  return { channel, openedLt, cumulative, signature: ed25519Sign(key.privateKey, hashVoucher(globalId, fields)) }
}

/** Whether the payer's key signed exactly this, for this network. `payerKey` is a cached `KeyObject`: see `ed25519PublicKey`. */
export function verifyVoucher(payerKey: KeyObject, globalId: number, voucher: Voucher): boolean {
  return ed25519Verify(payerKey, hashVoucher(globalId, voucher), voucher.signature)
}

/** The same on the thread pool. The voucher must not be changed before it resolves. */
export async function verifyVoucherOnPool(payerKey: KeyObject, globalId: number, voucher: Voucher): Promise<boolean> {
  return ed25519VerifyOnPool(payerKey, hashVoucher(globalId, voucher), voucher.signature)
}

export function encodeVoucher(voucher: Voucher): SignedVoucher {
  const { channel, openedLt, cumulative, signature } = voucher
  return {
    channel,
    openedLt,
    cumulative: new Uint8Array(encodeAmount(cumulative)),
    signature: new Uint8Array(signature)
  }
}

/**
 * Checks a voucher's shape; says nothing of its signature.
 *
 * @throws {PeerError} `MESSAGE_MALFORMED` for a wrong size, an address that is not raw, or an amount that is not canonical
 */
export function decodeVoucher(wire: SignedVoucher): Voucher {
  requireBytes('Voucher', 'signature', wire.signature, 64)
  requireField('Voucher', 'channel', RAW_ADDRESS.test(wire.channel), 'a raw address')
  requireField('Voucher', 'openedLt', wire.openedLt > 0n && wire.openedLt < 1n << 64n, 'a logical time')
  return {
    channel: wire.channel,
    openedLt: wire.openedLt,
    cumulative: decodeAmount('Voucher', 'cumulative', wire.cumulative),
    signature: wire.signature
  }
}

function hashVoucher(globalId: number, { channel, openedLt, cumulative }: VoucherFields): Uint8Array {
  return voucherHash({ globalId, channel: parseRawAddress(channel), openedLt, cumulative })
}
