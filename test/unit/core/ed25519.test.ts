import assert from 'node:assert/strict'
import fc from 'fast-check'
import { fromHex, toHex } from '../../../src/core/bytes.ts'
import { ed25519FromSeed, ed25519PublicKey, ed25519Sign, ed25519Verify } from '../../../src/core/ed25519.ts'

describe('Ed25519', () => {
  it('makes key and signature of RFC 8032 §7.1, test 2', () => {
    const { privateKey, publicKey } = ed25519FromSeed(
      fromHex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', 32)
    )
    assert.equal(toHex(publicKey), '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')
    assert.equal(
      toHex(ed25519Sign(privateKey, Uint8Array.of(0x72))),
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00'
    )
  })

  it('verifies its own signatures and none that differs by a bit, or in length', () => {
    const { privateKey, publicKey } = ed25519FromSeed(new Uint8Array(32).fill(5))
    const key = ed25519PublicKey(publicKey)
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat({ max: 511 }), (message, bit) => {
        const signature = ed25519Sign(privateKey, message)
        assert.ok(ed25519Verify(key, message, signature))
        const flipped = signature.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
        assert.equal(ed25519Verify(key, message, flipped), false)
        assert.equal(ed25519Verify(key, message, signature.subarray(1)), false)
      }),
      { numRuns: 50 }
    )
  })

  it('refuses seeds and keys of another length', () => {
    assert.throws(() => ed25519FromSeed(new Uint8Array(31)), RangeError)
    assert.throws(() => ed25519PublicKey(new Uint8Array(33)), RangeError)
  })
})
