import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { type RecipientContext, type SenderContext, setupRecipient, setupSender } from '../../../src/seal/hpke.ts'
import { deriveHpkeKeyPair, generateHpkeKeyPair } from '../../../src/seal/x25519-kem.ts'
import { sharedPath } from '../../support/shared-data.ts'

interface Vector {
  mode: number
  kem_id: number
  kdf_id: number
  aead_id: number
  info: string
  ikmR: string
  ikmE: string
  pkRm: string
  enc: string
  encryptions: Array<{ seq: number; aad: string; ct: string; pt: string }>
  exports: Array<{ exporter_context: string; L: number; exported_value: string }>
}

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex')
const NONE = new Uint8Array(0)

describe('HPKE', () => {
  describe('official vectors of RFC 9180 for our suite: KEM 0x20, KDF 1, AEAD 2, mode base', () => {
    let vectors: Vector[] = []

    before(function () {
      const path = sharedPath('vectors', 'attestation', 'hpke', 'rfc9180-x25519-hkdfsha256.json')
      if (path === undefined) {
        this.skip()
      }
      const all = JSON.parse(readFileSync(path, 'utf8')) as Vector[]
      vectors = all.filter(v => v.mode === 0 && v.kem_id === 0x20 && v.kdf_id === 1 && v.aead_id === 2)
    })

    it('the only one: 8 messages (0 to 5, 255, 256) sealed and opened, 3 exports', () => {
      assert.equal(vectors.length, 1)
      for (const vector of vectors) {
        const keyPair = deriveHpkeKeyPair(bytes(vector.ikmR))
        assert.equal(hex(keyPair.publicKey), vector.pkRm)
        const sender = setupSender(bytes(vector.pkRm), bytes(vector.info), { ephemeralSeed: bytes(vector.ikmE) })
        assert.equal(hex(sender.enc), vector.enc)
        const recipient = setupRecipient(sender.enc, keyPair, bytes(vector.info))
        checkMessages(vector, sender, recipient)
        assert.equal(vector.exports.length, 3)
        for (const { exporter_context: context, L, exported_value: value } of vector.exports) {
          assert.equal(hex(sender.exportSecret(bytes(context), L)), value)
          assert.equal(hex(recipient.exportSecret(bytes(context), L)), value)
        }
      }
    })
  })

  it('round-trips any messages in order', () => {
    const keyPair = generateHpkeKeyPair()
    const blob = fc.uint8Array({ maxLength: 300, size: 'max' })
    fc.assert(
      fc.property(blob, fc.array(fc.tuple(blob, blob), { maxLength: 5 }), (info, messages) => {
        const sender = setupSender(keyPair.publicKey, info)
        const recipient = setupRecipient(sender.enc, keyPair, info)
        for (const [aad, text] of messages) {
          assert.deepEqual(Buffer.from(recipient.open(aad, sender.seal(aad, text))), Buffer.from(text))
        }
      }),
      { numRuns: 40 }
    )
  })

  it('refuses a message with any bit changed, and still opens the genuine one after it', () => {
    const keyPair = generateHpkeKeyPair()
    const sender = setupSender(keyPair.publicKey, NONE)
    const recipient = setupRecipient(sender.enc, keyPair, NONE)
    const aad = bytes('0102')
    const sealed = sender.seal(aad, bytes('0a0b0c'))
    for (let bit = 0; bit < sealed.byteLength * 8; bit++) {
      assert.throws(() => recipient.open(aad, flipBit(sealed, bit)), { code: 'SEAL_OPEN_FAILED' })
    }
    assert.throws(() => recipient.open(bytes('0103'), sealed), { code: 'SEAL_OPEN_FAILED' })
    assert.throws(() => recipient.open(aad, sealed.subarray(0, 15)), { code: 'SEAL_OPEN_FAILED' })
    assert.equal(hex(recipient.open(aad, sealed)), '0a0b0c')
  })

  it('refuses to open under another info or for another key', () => {
    const keyPair = generateHpkeKeyPair()
    const sender = setupSender(keyPair.publicKey, bytes('01'))
    const sealed = sender.seal(NONE, bytes('0a'))
    for (const recipient of [
      setupRecipient(sender.enc, keyPair, bytes('02')),
      setupRecipient(sender.enc, generateHpkeKeyPair(), bytes('01'))
    ]) {
      assert.throws(() => recipient.open(NONE, sealed), { code: 'SEAL_OPEN_FAILED' })
    }
  })

  it('refuses keys of the wrong length', () => {
    const keyPair = generateHpkeKeyPair()
    for (const length of [0, 31, 33]) {
      assert.throws(() => setupSender(new Uint8Array(length), NONE), { code: 'SEAL_LENGTH_INVALID' })
      assert.throws(() => setupRecipient(new Uint8Array(length), keyPair, NONE), { code: 'SEAL_LENGTH_INVALID' })
    }
  })

  it('refuses every low-order point, whose shared secret is all zero', () => {
    const keyPair = generateHpkeKeyPair()
    // RFC 7748's curve: the points of order 1, 2, 4 and 8, in all encodings (https://cr.yp.to/ecdh.html#validate).
    const points = [
      '0000000000000000000000000000000000000000000000000000000000000000',
      '0100000000000000000000000000000000000000000000000000000000000000',
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
      'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'
    ]
    for (const point of points) {
      assert.throws(() => setupSender(bytes(point), NONE), { code: 'SEAL_KEY_INVALID' })
      assert.throws(() => setupRecipient(bytes(point), keyPair, NONE), { code: 'SEAL_KEY_INVALID' })
    }
  })

  it('does nothing with wiped keys', () => {
    const keyPair = generateHpkeKeyPair()
    const sender = setupSender(keyPair.publicKey, NONE)
    const recipient = setupRecipient(sender.enc, keyPair, NONE)
    const sealed = sender.seal(NONE, bytes('0a'))
    sender.wipe()
    recipient.wipe()
    assert.throws(() => sender.seal(NONE, bytes('0a')), { code: 'SEAL_KEY_WIPED' })
    assert.throws(() => recipient.open(NONE, sealed), { code: 'SEAL_KEY_WIPED' })
    assert.throws(() => sender.exportSecret(NONE, 32), { code: 'SEAL_KEY_WIPED' })
  })
})

/** Goes through the sequence numbers in order, as the context does, and compares those the vectors list. */
function checkMessages(vector: Vector, sender: SenderContext, recipient: RecipientContext): void {
  const listed = new Map(vector.encryptions.map(message => [message.seq, message]))
  assert.deepEqual([...listed.keys()], [0, 1, 2, 3, 4, 5, 255, 256])
  for (let seq = 0; seq <= 256; seq++) {
    const message = listed.get(seq)
    const aad = bytes(message?.aad ?? '')
    const sealed = sender.seal(aad, bytes(message?.pt ?? ''))
    const opened = recipient.open(aad, sealed)
    if (message !== undefined) {
      assert.equal(hex(sealed), message.ct)
      assert.equal(hex(opened), message.pt)
    }
  }
}

function flipBit(value: Uint8Array, bit: number): Uint8Array {
  const copy = value.slice()
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return copy
}
