import assert from 'node:assert/strict'
import fc from 'fast-check'
import { PeerError } from '../../../src/core/errors.ts'
import { MAX_NANO_TON, nanoTon } from '../../../src/core/nano-ton.ts'
import { decodeAmount, decodeWire, encodeAmount } from '../../../src/wire/check.ts'
import { LIMITS } from '../../../src/wire/limits.ts'
import * as any from './samples.ts'

describe('amounts on the wire', () => {
  it('have one form each', () => {
    fc.assert(
      fc.property(any.coins, amount => {
        const bytes = encodeAmount(amount)
        assert.equal(decodeAmount('M', 'f', bytes), amount)
        assert.notEqual(bytes[0], 0)
      })
    )
    assert.deepEqual(encodeAmount(nanoTon(0n)), new Uint8Array())
    assert.deepEqual(encodeAmount(nanoTon(256n)), Uint8Array.of(1, 0))
    assert.equal(encodeAmount(nanoTon(MAX_NANO_TON)).byteLength, 15)
  })

  it('are refused with leading zeros or more than 15 bytes, and otherwise mean what they say', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 17 }), bytes => {
        const canonical = bytes.byteLength <= 15 && bytes[0] !== 0
        if (canonical) {
          assert.deepEqual(encodeAmount(decodeAmount('M', 'f', bytes)), bytes)
        } else {
          assert.throws(() => decodeAmount('M', 'f', bytes), any.MALFORMED)
        }
      })
    )
  })
})

describe('decoding', () => {
  it('checks the size before it reads anything', () => {
    const decode = (): never => assert.fail('it was read')
    assert.throws(() => decodeWire('M', new Uint8Array(3), 2, decode), { code: 'MESSAGE_TOO_LARGE' })
  })

  it('turns whatever a decoder throws into one error, which says nothing of the content', () => {
    const cause = new TypeError('the content: secret')
    assert.throws(
      () =>
        decodeWire('M', new Uint8Array(2), 2, () => {
          throw cause
        }),
      (err: unknown) =>
        err instanceof PeerError &&
        err.code === 'MESSAGE_MALFORMED' &&
        !err.message.includes('secret') &&
        err.cause === cause
    )
  })
})

describe('limits', () => {
  it('fit into each other', () => {
    assert.ok(LIMITS.announcedRequestBytes < LIMITS.announcementBytes)
    assert.ok(LIMITS.announcementBytes <= LIMITS.jobFrameBytes, 'a direct job carries as much as an announcement')
    assert.ok(LIMITS.bodyPartBytes < LIMITS.jobFrameBytes)
    assert.ok(LIMITS.sealedChunkBytes < LIMITS.jobFrameBytes)
    assert.ok(LIMITS.statementBytes + LIMITS.evidenceBytes < LIMITS.attestReplyBytes)
    assert.ok(LIMITS.sealedRequestBytes < LIMITS.enclaveFrameBytes)
  })
})
