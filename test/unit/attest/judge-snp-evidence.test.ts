import assert from 'node:assert/strict'
import { canonicalBytes } from '../../../src/attest/document.ts'
import type { SnpEvidence } from '../../../src/attest/evidence.ts'
import {
  type AttestationPolicy,
  DEFAULT_POLICY,
  encodeStatement,
  verifyAttestation
} from '../../../src/attest/index.ts'
import { type JudgedEvidence, judgeEvidence } from '../../../src/attest/judge-evidence.ts'
import type { SignedSnpReportInput } from '../../../src/attest/snp/signed-report.ts'
import { TdxVerifier } from '../../../src/attest/tdx/verifier.ts'
import { toHex } from '../../../src/core/bytes.ts'
import { cosign, PEER_ID, STATEMENT, NOW_MS as STATEMENT_NOW_MS, verifyPeerSignature } from './fixtures.ts'
import { MADE_SERIALS, MADE_SNP_NOW_MS, MadeSnpPlatform } from './snp/made-snp-platform.ts'
import { MILAN_POLICY, snpVectors } from './snp/vectors.ts'

const { bundleDigest } = STATEMENT.software
const DAY_MS = 24 * 60 * 60_000
const statement = { ...STATEMENT, tier: 'snp' } as const
const tdx = new TdxVerifier()

function evidenceOf(
  report: Uint8Array,
  certificates: SignedSnpReportInput['certificates'],
  crl: Uint8Array
): SnpEvidence {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
  const { leaf, ask, ark } = certificates
  const parts = { report: text(report), leaf: text(leaf), ask: text(ask), ark: text(ark), crl: text(crl) }
  return { type: 'snp', version: 1, ...parts }
}

describe('evidence of an SEV-SNP guest, in real formats under a root of the test', () => {
  const platform = new MadeSnpPlatform()
  const report = platform.report(new Uint8Array(64).fill(7))
  const image = { tier: 'snp', measurement: '3e'.repeat(48), name: 'made guest', bundleDigest } as const
  const policy: AttestationPolicy = { ...DEFAULT_POLICY, images: [image] }
  const evidence = (crl = platform.crl()): SnpEvidence => evidenceOf(report, platform.certificates, crl)
  const judge = (shown: object = evidence(), changes: Partial<AttestationPolicy> = {}): JudgedEvidence =>
    judgeEvidence({
      statement,
      evidence: canonicalBytes(shown),
      policy: { ...policy, ...changes },
      nowMs: MADE_SNP_NOW_MS,
      tdx,
      snpRoots: platform.roots
    })

  it('fits the image that the policy lists, and binds what its guest asked for', () => {
    const judged = judge()
    assert.equal(judged.platform.tier, 'snp')
    assert.equal(judged.image?.name, 'made guest')
    assert.equal(toHex(judged.reportData), '07'.repeat(64))
  })

  it('is relied on until its revocation list ends', () => {
    const untilMs = MADE_SNP_NOW_MS + DAY_MS
    assert.equal(judge(evidence(platform.crl({ untilMs }))).expiresAtMs, untilMs)
  })

  it('is refused without that image, and by a policy that names another processor', () => {
    assert.throws(() => judge(evidence(), { images: [] }), { code: 'ATTESTATION_MEASUREMENT_REFUSED' })
    const other = { ...image, measurement: '3f'.repeat(48) }
    assert.throws(() => judge(evidence(), { images: [other] }), { code: 'ATTESTATION_MEASUREMENT_REFUSED' })
    assert.throws(() => judge(evidence(), { snp: MILAN_POLICY }), { code: 'ATTESTATION_SNP_PRODUCT_REFUSED' })
  })

  it('is refused without a revocation list, and with one that names its key or is past its end', () => {
    const { crl: _, ...without } = evidence()
    assert.throws(() => judge(without), { code: 'ATTESTATION_EVIDENCE_INVALID' })
    assert.throws(() => judge({ ...evidence(), crl: '' }), { code: /^ATTESTATION_(CRL|EVIDENCE)_INVALID$/ })
    const revoked = platform.crl({ revoked: [MADE_SERIALS.ask] })
    assert.throws(() => judge(evidence(revoked)), { code: 'ATTESTATION_CERTIFICATE_REVOKED' })
    const ended = platform.crl({ untilMs: MADE_SNP_NOW_MS })
    assert.throws(() => judge(evidence(ended)), { code: 'ATTESTATION_CRL_EXPIRED' })
  })

  it('is never accepted under the roots of AMD', async () => {
    const bytes = encodeStatement(statement)
    const input = {
      statement: bytes,
      evidence: canonicalBytes(evidence()),
      peerSignature: cosign(bytes),
      expectedPeerId: PEER_ID,
      verifyPeerSignature,
      policy,
      nowMs: STATEMENT_NOW_MS
    }
    await assert.rejects(verifyAttestation(input), { code: 'ATTESTATION_CERTIFICATE_ROOT_UNKNOWN' })
  })

  it('that was recorded on hardware is refused, since no list of its root was recorded with it', function () {
    const vectors = snpVectors()
    if (vectors === undefined) {
      this.skip()
    }
    const { coco } = vectors
    const shown = evidenceOf(coco.report, coco.certificates, platform.crl())
    const input = { statement, evidence: canonicalBytes(shown), nowMs: coco.nowMs, tdx }
    const named = { ...policy, snp: MILAN_POLICY }
    assert.throws(() => judgeEvidence({ ...input, policy: named }), { code: 'ATTESTATION_CRL_ISSUER_MISMATCH' })
    // The default policy knows what Milan is worth.
    assert.throws(() => judgeEvidence({ ...input, policy }), { code: 'ATTESTATION_SNP_PRODUCT_REFUSED' })
  })
})
