import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type AcceptedImage, expectImage, measuredTd, type SnpMeasured } from '../../../src/attest/measured.ts'
import { toHex } from '../../../src/core/bytes.ts'
import { measuredImage, TEST_IMAGE } from '../../support/tdx-platform.ts'

const BUNDLE = 'cc'.repeat(32)
const ZERO = new Uint8Array(48)
const TD = { ...TEST_IMAGE, mrConfigId: ZERO, mrOwner: ZERO, mrOwnerConfig: ZERO }
const MEASURED = measuredImage()
const IMAGE: AcceptedImage = { ...MEASURED, name: 'guest 1', bundleDigest: BUNDLE }
const SNP: SnpMeasured = { tier: 'snp', measurement: 'ab'.repeat(48) }

describe('what was measured', () => {
  it('is five registers of a TD', () => {
    assert.deepEqual(measuredTd(TD), MEASURED)
    assert.equal(MEASURED.rtmr3, 'b3'.repeat(48))
  })

  for (const field of ['mrConfigId', 'mrOwner', 'mrOwnerConfig'] as const) {
    it(`is not understood where the TD has settings of its owner: ${field}`, () => {
      assert.throws(() => measuredTd({ ...TD, [field]: new Uint8Array(48).fill(1, 47) }), {
        code: 'ATTESTATION_TD_CONFIG_UNKNOWN'
      })
    })
  }

  it('is an image of the policy only if every register is, and the program is the one in it', () => {
    assert.equal(expectImage([IMAGE], MEASURED, BUNDLE), IMAGE)
    const registers = ['mrTd', 'rtmr0', 'rtmr1', 'rtmr2', 'rtmr3'] as const
    fc.assert(
      fc.property(fc.constantFrom(...registers), fc.nat(47), fc.integer({ min: 1, max: 255 }), (name, at, mask) => {
        const changed = Buffer.from(MEASURED[name], 'hex')
        changed.writeUInt8(changed.readUInt8(at) ^ mask, at)
        assert.throws(() => expectImage([IMAGE], { ...MEASURED, [name]: toHex(changed) }, BUNDLE), {
          code: 'ATTESTATION_MEASUREMENT_REFUSED'
        })
      })
    )
    assert.throws(() => expectImage([IMAGE], MEASURED, 'cd'.repeat(32)), { code: 'ATTESTATION_MEASUREMENT_MISMATCH' })
  })

  it('finds the image that holds the program among several that measure alike', () => {
    const other = { ...IMAGE, name: 'guest 2', bundleDigest: 'cd'.repeat(32) }
    assert.equal(expectImage([IMAGE, other], MEASURED, other.bundleDigest), other)
  })

  it('is nothing that an empty list has', () => {
    assert.throws(() => expectImage([], MEASURED, BUNDLE), { code: 'ATTESTATION_MEASUREMENT_REFUSED' })
  })

  it('of one kind of hardware is never an image of the other', () => {
    const snpImage: AcceptedImage = { ...SNP, name: 'guest 3', bundleDigest: BUNDLE }
    assert.equal(expectImage([IMAGE, snpImage], SNP, BUNDLE), snpImage)
    assert.throws(() => expectImage([IMAGE], SNP, BUNDLE), { code: 'ATTESTATION_MEASUREMENT_REFUSED' })
    assert.throws(() => expectImage([snpImage], MEASURED, BUNDLE), { code: 'ATTESTATION_MEASUREMENT_REFUSED' })
    assert.throws(() => expectImage([snpImage], { ...SNP, measurement: '00'.repeat(48) }, BUNDLE), {
      code: 'ATTESTATION_MEASUREMENT_REFUSED'
    })
  })
})
