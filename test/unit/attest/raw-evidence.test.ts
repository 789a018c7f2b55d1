import assert from 'node:assert/strict'
import fc from 'fast-check'
import { canonicalBytes } from '../../../src/attest/document.ts'
import { makeSimulatedEvidence } from '../../../src/attest/index.ts'
import { decodeRawEvidence, encodeRawEvidence, type RawEvidence } from '../../../src/attest/raw-evidence.ts'
import { AttestationError } from '../../../src/core/errors.ts'

const GPU = { report: 'AA==', chain: 'AQ==', driverRim: 0, vbiosRim: 1 }
const SAMPLES: RawEvidence[] = [
  { type: 'tdx', version: 1, quote: 'AQID' },
  { type: 'tdx', version: 1, quote: 'AQID', eventLog: 'BAUG' },
  { type: 'tdx+gpu', version: 1, cpu: { quote: 'AQID', eventLog: 'BAUG' }, gpus: [GPU, GPU], rims: ['AA==', 'AQ=='] },
  { type: 'snp', version: 1, report: 'AQID' },
  { type: 'snp', version: 1, report: 'AQID', table: 'BAUG' }
]

describe('raw evidence', () => {
  for (const sample of SAMPLES) {
    it(`is read as it was written: ${Object.keys(sample).join(', ')} of ${sample.type}`, () => {
      assert.deepEqual(decodeRawEvidence(encodeRawEvidence(sample)), sample)
    })
  }

  it('is not what needs no completion', () => {
    const simulated = makeSimulatedEvidence({ bundleDigest: new Uint8Array(32), reportData: new Uint8Array(64) })
    assert.equal(decodeRawEvidence(simulated), undefined)
    assert.equal(decodeRawEvidence(Buffer.from('{"type":"toString"}')), undefined)
  })

  it('has no field too many, none missing, and one form', () => {
    const refused: Array<[object, string]> = [
      [{ type: 'tdx', version: 1, quote: 'AQID', more: 1 }, 'ATTESTATION_EVIDENCE_INVALID'],
      [{ type: 'tdx', version: 1 }, 'ATTESTATION_EVIDENCE_INVALID'],
      [{ type: 'tdx', version: 2, quote: 'AQID' }, 'ATTESTATION_EVIDENCE_INVALID'],
      [{ type: 'tdx', version: 1, quote: 'AQI' }, 'ATTESTATION_EVIDENCE_INVALID'],
      [{ type: 'snp', version: 1, quote: 'AQID' }, 'ATTESTATION_EVIDENCE_INVALID'],
      [{ ...SAMPLES[2], rims: ['AA==', 'AA==', 'AA==', 'AA==', 'AA=='] }, 'ATTESTATION_EVIDENCE_INVALID'],
      [{ ...SAMPLES[2], gpus: [{ ...GPU, vbiosRim: -1 }] }, 'ATTESTATION_EVIDENCE_INVALID']
    ]
    for (const [value, code] of refused) {
      assert.throws(() => decodeRawEvidence(canonicalBytes(value)), { code })
    }
    assert.throws(() => decodeRawEvidence(Buffer.from('{"version":1,"type":"tdx","quote":"AQID"}')), {
      code: 'ATTESTATION_EVIDENCE_NOT_CANONICAL'
    })
    assert.throws(() => decodeRawEvidence(new Uint8Array(1024 * 1024 + 1)), { code: 'ATTESTATION_EVIDENCE_TOO_LARGE' })
    assert.throws(() => decodeRawEvidence(Buffer.from('[]')), { code: 'ATTESTATION_EVIDENCE_INVALID' })
  })

  it('that is none is refused in words, whatever it is', () => {
    const samples = SAMPLES.map(sample => Buffer.from(encodeRawEvidence(sample)).toString())
    const damaged = fc
      .tuple(fc.constantFrom(...samples), fc.nat(), fc.string({ maxLength: 8 }), fc.nat(8))
      .map(([text, at, put, cut]) => {
        const from = at % text.length
        return Buffer.from(text.slice(0, from) + put + text.slice(from + cut))
      })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), bytes => {
        try {
          decodeRawEvidence(bytes)
        } catch (err) {
          assert.ok(err instanceof AttestationError)
        }
      }),
      { numRuns: 500 }
    )
  })
})
