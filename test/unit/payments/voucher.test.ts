import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ed25519PublicKey } from '../../../src/core/ed25519.ts'
import { MAX_NANO_TON, type NanoTon } from '../../../src/core/nano-ton.ts'
import {
  decodeVoucher,
  encodeVoucher,
  signVoucher,
  type VoucherFields,
  verifyVoucher
} from '../../../src/payments/index.ts'
import { SignedVoucher } from '../../../src/wire/generated/job.ts'
import { amount, PAYER_KEY, STRANGER_KEY } from '../../support/payment-pair.ts'

const publicKey = ed25519PublicKey(PAYER_KEY.publicKey)
const FIELDS: VoucherFields = { channel: `0:${'ab'.repeat(32)}`, openedLt: 77n, cumulative: amount(1_000) }

const anyFields = fc.record({
  channel: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytes => `0:${Buffer.from(bytes).toString('hex')}`),
  openedLt: fc.bigInt({ min: 1n, max: (1n << 64n) - 1n }),
  cumulative: fc.bigInt({ min: 0n, max: MAX_NANO_TON }).map(value => value as NanoTon)
})

describe('voucher', () => {
  it('verifies what the payer signed, after a trip over the wire', () => {
    fc.assert(
      fc.property(anyFields, fields => {
        const signed = signVoucher(PAYER_KEY, -217, fields)
        const received = decodeVoucher(SignedVoucher.decode(SignedVoucher.encode(encodeVoucher(signed))))
        assert.deepEqual(
          { ...received, signature: [...received.signature] },
          { ...signed, signature: [...signed.signature] }
        )
        assert.equal(verifyVoucher(publicKey, -217, received), true)
      }),
      { numRuns: 50 }
    )
  })

  it('does not verify with any field changed, on another network or from another key', () => {
    const signed = signVoucher(PAYER_KEY, -217, FIELDS)
    const changed = [
      { ...signed, channel: `0:${'ac'.repeat(32)}` },
      { ...signed, openedLt: 78n },
      { ...signed, cumulative: amount(1_001) },
      { ...signed, signature: signed.signature.with(0, (signed.signature[0] ?? 0) ^ 1) },
      { ...signed, signature: signed.signature.subarray(1) }
    ]
    assert.equal(verifyVoucher(publicKey, -217, signed), true)
    for (const voucher of changed) {
      assert.equal(verifyVoucher(publicKey, -217, voucher), false)
    }
    assert.equal(verifyVoucher(publicKey, -239, signed), false)
    assert.equal(verifyVoucher(ed25519PublicKey(STRANGER_KEY.publicKey), -217, signed), false)
  })

  it('refuses a voucher of a wrong shape before looking at its signature', () => {
    const wire = encodeVoucher(signVoucher(PAYER_KEY, -217, FIELDS))
    const malformed = [
      { ...wire, signature: wire.signature.slice(1) },
      { ...wire, channel: 'EQABa48hjKzg09hN_HjxOic7r8T1PleIy1dRd8NvZ3922MP0' },
      { ...wire, channel: wire.channel.toUpperCase() },
      { ...wire, channel: `7:${'ab'.repeat(32)}` },
      { ...wire, openedLt: 0n },
      { ...wire, cumulative: Uint8Array.of(0, 1) },
      { ...wire, cumulative: new Uint8Array(16).fill(1) }
    ]
    for (const voucher of malformed) {
      assert.throws(() => decodeVoucher(voucher), { code: 'MESSAGE_MALFORMED' })
    }
  })
})
