import assert from 'node:assert/strict'
import { createDecipheriv } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ml_kem768_x25519 as XWing } from '@noble/post-quantum/hybrid.js'
import * as fc from 'fast-check'
import { setupRecipient, setupSender } from '../../../src/seal/hpke.ts'
import { exportFrom, scheduleKeys, suiteHkdf } from '../../../src/seal/key-schedule.ts'
import { mlKemDecapsulate, mlKemEncapsulate, mlKemKeyPair } from '../../../src/seal/ml-kem.ts'
import { generateXWingKeyPair, XWING_KEM, xwingKeyPair } from '../../../src/seal/xwing-kem.ts'
import { sharedPath } from '../../support/shared-data.ts'

interface Vector {
  mode: number
  kem_id: number
  kdf_id: number
  aead_id: number
  info: string
  ikmE: string
  skRm: string
  pkRm: string
  enc: string
  shared_secret: string
  key: string
  base_nonce: string
  exporter_secret: string
  encryptions: Array<{ aad: string; ct: string; nonce: string; pt: string }>
  exports: Array<{ exporter_context: string; L: number; exported_value: string }>
}

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex')
const NONE = new Uint8Array(0)

const HKDF_SHA256 = 1
const CHACHA20_POLY1305 = 3

describe('X-Wing', () => {
  describe('official vectors of draft-ietf-hpke-pq', () => {
    let vectors: Vector[] = []
    const of = (kem: number): Vector[] => vectors.filter(({ mode, kem_id }) => mode === 0 && kem_id === kem)

    before(function () {
      const path = sharedPath('vectors', 'attestation', 'hpke', 'hpke-pq-xwing-mlkem768.json')
      if (path === undefined) {
        this.skip()
      }
      vectors = JSON.parse(readFileSync(path, 'utf8')) as Vector[]
    })

    it('KEM 0x647a, both of them: key pair, encapsulation, decapsulation', () => {
      assert.equal(of(0x647a).length, 2)
      for (const vector of of(0x647a)) {
        const keyPair = xwingKeyPair(bytes(vector.skRm))
        assert.equal(hex(keyPair.publicKey), vector.pkRm)
        const { enc, sharedSecret } = XWING_KEM.encapsulate(keyPair.publicKey, bytes(vector.ikmE))
        assert.equal(hex(enc), vector.enc)
        assert.equal(hex(sharedSecret), vector.shared_secret)
        assert.equal(hex(keyPair.decapsulate(enc)), vector.shared_secret)
      }
    })

    // There are none with AES-256-GCM, our AEAD: the schedule is checked with the AEAD's number they have.
    it('KEM 0x647a, HKDF-SHA256, ChaCha20-Poly1305, the only one: key schedule, 10 messages, 5 exports', () => {
      const found = of(0x647a).filter(({ kdf_id, aead_id }) => kdf_id === HKDF_SHA256 && aead_id === CHACHA20_POLY1305)
      assert.equal(found.length, 1)
      const [vector] = found as [Vector]
      const hkdf = suiteHkdf(XWING_KEM.id, CHACHA20_POLY1305)
      const keys = scheduleKeys(hkdf, bytes(vector.shared_secret), bytes(vector.info))
      assert.equal(hex(keys.key), vector.key)
      assert.equal(hex(keys.baseNonce), vector.base_nonce)
      assert.equal(hex(keys.exporterSecret), vector.exporter_secret)
      assert.equal(vector.encryptions.length, 10)
      for (const { aad, ct, nonce, pt } of vector.encryptions) {
        assert.equal(hex(openChaCha(keys.key, bytes(nonce), bytes(aad), bytes(ct))), pt)
      }
      assert.equal(vector.exports.length, 5)
      for (const { exporter_context: context, L, exported_value: value } of vector.exports) {
        assert.equal(hex(exportFrom(hkdf, keys, bytes(context), L)), value)
      }
    })

    it('KEM 0x41 (ML-KEM-768 alone), the only one: key pair, encapsulation, decapsulation', () => {
      assert.equal(of(0x41).length, 1)
      const [vector] = of(0x41) as [Vector]
      const { publicKey, secretKey } = mlKemKeyPair(bytes(vector.skRm))
      assert.equal(hex(publicKey), vector.pkRm)
      const { ciphertext, sharedSecret } = mlKemEncapsulate(publicKey, bytes(vector.ikmE))
      assert.equal(hex(ciphertext), vector.enc)
      assert.equal(hex(sharedSecret), vector.shared_secret)
      assert.equal(hex(mlKemDecapsulate(ciphertext, secretKey)), vector.shared_secret)
    })
  })

  it('agrees with another implementation of the combiner, whatever the seeds', () => {
    const seed = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
    fc.assert(
      fc.property(seed(32), seed(64), (keySeed, encapsulationSeed) => {
        const theirs = XWing.keygen(keySeed)
        const ours = xwingKeyPair(keySeed)
        assert.equal(hex(ours.publicKey), hex(theirs.publicKey))
        const { enc, sharedSecret } = XWING_KEM.encapsulate(theirs.publicKey, encapsulationSeed)
        assert.equal(hex(XWing.decapsulate(enc, theirs.secretKey)), hex(sharedSecret))
        assert.equal(hex(ours.decapsulate(enc)), hex(sharedSecret))
      }),
      { numRuns: 20 }
    )
  })

  it('never encapsulates twice alike, and each opens', () => {
    const keyPair = generateXWingKeyPair()
    const [one, other] = [XWING_KEM.encapsulate(keyPair.publicKey), XWING_KEM.encapsulate(keyPair.publicKey)]
    assert.notEqual(hex(one.enc), hex(other.enc))
    assert.notEqual(hex(one.enc.subarray(1_088)), hex(other.enc.subarray(1_088)))
    for (const { enc, sharedSecret } of [one, other]) {
      assert.equal(hex(keyPair.decapsulate(enc)), hex(sharedSecret))
    }
  })

  it('seals and opens messages and exports the same secrets at both ends', () => {
    const keyPair = generateXWingKeyPair()
    const sender = setupSender(keyPair.publicKey, bytes('01'), { suite: 'xwing' })
    const recipient = setupRecipient(sender.enc, keyPair, bytes('01'))
    for (const text of ['0a', '', '0b0c']) {
      assert.equal(hex(recipient.open(bytes('02'), sender.seal(bytes('02'), bytes(text)))), text)
    }
    assert.deepEqual(sender.exportSecret(NONE, 44), recipient.exportSecret(NONE, 44))
    assert.throws(() => setupRecipient(sender.enc, keyPair, bytes('03')).open(NONE, sender.seal(NONE, NONE)), {
      code: 'SEAL_OPEN_FAILED'
    })
  })

  it('gives another secret for any bit of the encapsulated key changed, in either half', () => {
    const keyPair = generateXWingKeyPair()
    const { enc, sharedSecret } = XWING_KEM.encapsulate(keyPair.publicKey)
    const curveBits = Array.from({ length: 256 }, (_, bit) => 1_088 * 8 + bit)
    const latticeBits = fc.sample(fc.nat(1_088 * 8 - 1), { numRuns: 60, seed: 5 })
    for (const bit of [...curveBits, ...latticeBits]) {
      const changed = enc.with(bit >> 3, (enc[bit >> 3] ?? 0) ^ (1 << (bit & 7)))
      assert.notEqual(hex(keyPair.decapsulate(changed)), hex(sharedSecret))
    }
  })

  it('refuses keys of the wrong length', () => {
    const keyPair = generateXWingKeyPair()
    for (const length of [0, 32, 1_215, 1_217]) {
      assert.throws(() => XWING_KEM.encapsulate(new Uint8Array(length)), { code: 'SEAL_LENGTH_INVALID' })
    }
    for (const length of [0, 32, 1_119, 1_121]) {
      assert.throws(() => keyPair.decapsulate(new Uint8Array(length)), { code: 'SEAL_LENGTH_INVALID' })
    }
    assert.throws(() => xwingKeyPair(new Uint8Array(31)), { code: 'SEAL_LENGTH_INVALID' })
  })

  it('refuses a lattice key with coefficients out of range and a low-order curve point', () => {
    const { publicKey } = generateXWingKeyPair()
    const outOfRange = publicKey.slice().fill(0xff, 0, 3)
    const lowOrder = publicKey.slice().fill(0, 1_184)
    for (const bad of [outOfRange, lowOrder]) {
      assert.throws(() => XWING_KEM.encapsulate(bad), { code: 'SEAL_KEY_INVALID' })
    }
  })

  it('does nothing with a wiped key pair', () => {
    const keyPair = generateXWingKeyPair()
    const { enc } = XWING_KEM.encapsulate(keyPair.publicKey)
    keyPair.wipe()
    assert.throws(() => keyPair.decapsulate(enc), { code: 'SEAL_KEY_WIPED' })
  })
})

function openChaCha(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array {
  const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
  decipher.setAAD(aad, { plaintextLength: sealed.byteLength - 16 })
  decipher.setAuthTag(sealed.subarray(-16))
  return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()])
}
