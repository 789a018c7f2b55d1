import assert from 'node:assert/strict'
import { canonicalBytes } from '../../../src/attest/document.ts'
import {
  decodeSnpEvidence,
  decodeTdxEvidence,
  decodeTdxGpuEvidence,
  evidenceType,
  type TdxEvidence
} from '../../../src/attest/evidence.ts'
import { LIMITS } from '../../../src/wire/limits.ts'
import { testTdxPlatform } from '../../support/tdx-platform.ts'

const { collateral } = testTdxPlatform(Date.UTC(2026, 5, 15))
const TDX: TdxEvidence = { type: 'tdx', version: 1, quote: 'AQID', collateral }
const GPU = { report: 'AA==', chain: 'AQ==', driverRim: 0, vbiosRim: 1 }

describe('evidence', () => {
  it('of every type is read as it was written, and nothing else is', () => {
    assert.deepEqual(decodeTdxEvidence(canonicalBytes(TDX)), TDX)
    const gpu = { type: 'tdx+gpu', version: 1, cpu: { quote: 'AQID', collateral }, gpus: [GPU], rims: ['AA=='] }
    assert.deepEqual(decodeTdxGpuEvidence(canonicalBytes(gpu)), gpu)
    const snp = { type: 'snp', version: 1, report: 'AQ==', leaf: 'AQ==', ask: 'AQ==', ark: 'AQ==', crl: 'Ag==' }
    assert.deepEqual(decodeSnpEvidence(canonicalBytes(snp)), snp)
    const { crl: __, ...unlisted } = snp
    assert.throws(() => decodeSnpEvidence(canonicalBytes(unlisted)), { code: 'ATTESTATION_EVIDENCE_INVALID' })
    for (const decode of [decodeTdxGpuEvidence, decodeSnpEvidence]) {
      assert.throws(() => decode(canonicalBytes(TDX)), { code: 'ATTESTATION_EVIDENCE_INVALID' })
    }
    assert.throws(() => decodeTdxEvidence(canonicalBytes({ ...TDX, note: '' })), {
      code: 'ATTESTATION_EVIDENCE_INVALID'
    })
    const { root_ca_crl: _, ...incomplete } = collateral
    assert.throws(() => decodeTdxEvidence(canonicalBytes({ ...TDX, collateral: incomplete })), {
      code: 'ATTESTATION_EVIDENCE_INVALID'
    })
    assert.throws(() => decodeTdxEvidence(Buffer.from(JSON.stringify(TDX))), {
      code: 'ATTESTATION_EVIDENCE_NOT_CANONICAL'
    })
  })

  it('says its type before anything of it is read, unless it is too large', () => {
    assert.equal(evidenceType(canonicalBytes(TDX)), 'tdx')
    assert.equal(evidenceType(Buffer.from('{"type":"later"}')), 'later')
    for (const text of ['', '{}', 'null', '{"type":1}', '[]', '{"type":"tdx"']) {
      assert.throws(() => evidenceType(Buffer.from(text)), { code: 'ATTESTATION_EVIDENCE_INVALID' }, text)
    }
    assert.throws(() => evidenceType(new Uint8Array(LIMITS.evidenceBytes + 1)), {
      code: 'ATTESTATION_EVIDENCE_TOO_LARGE'
    })
  })
})
