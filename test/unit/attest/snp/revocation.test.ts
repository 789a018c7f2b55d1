import assert from 'node:assert/strict'
import { MAX_SNP_CRL_BYTES, verifySnpCrl } from '../../../../src/attest/snp/revocation.ts'
import { type VerifySnpReportInput, verifySnpReport } from '../../../../src/attest/snp/verify.ts'
import { seq } from '../x509/der-writer.ts'
import { type CrlInit, MADE_FROM_MS, MADE_UNTIL_MS } from '../x509/make-certificate.ts'
import { everyBit, flipBits, flipText, sampledBits } from './bit-flips.ts'
import { MADE_SERIALS, MADE_SNP_NOW_MS, MadeSnpPlatform } from './made-snp-platform.ts'
import { flipSnpEvidence, snpVectors } from './vectors.ts'

const DAY_MS = 24 * 60 * 60_000

describe('SEV-SNP reports of a made platform, with the revocation list of its root', () => {
  const platform = new MadeSnpPlatform()
  const cloud = new MadeSnpPlatform({ signer: 'vlek' })

  const refuses = (changes: Partial<VerifySnpReportInput>, code: string): void => {
    assert.throws(() => verifySnpReport(platform.input(changes)), { code: `ATTESTATION_${code}` })
  }
  const listed = (init: Partial<CrlInit>): Partial<VerifySnpReportInput> => ({ crl: platform.crl(init) })

  it('are accepted, of a chip and of a cloud, and say what they showed', () => {
    const chip = verifySnpReport(platform.input())
    assert.equal(chip.product, 'genoa')
    assert.equal(chip.signer, 'vcek')
    assert.deepEqual(chip.reportedTcb, { fmc: 0, bootLoader: 9, tee: 0, snp: 21, microcode: 72 })
    assert.equal(verifySnpReport(cloud.input()).cloudId, 'CN=a cloud of the tests')
  })

  it('are never accepted under the roots of AMD', () => {
    const { roots: _, ...input } = platform.input()
    assert.throws(() => verifySnpReport(input), { code: 'ATTESTATION_CERTIFICATE_ROOT_UNKNOWN' })
  })

  it('are to be judged again when the list ends, or the chain if that is sooner', () => {
    const untilMs = MADE_SNP_NOW_MS + 40 * DAY_MS
    const until = (atMs: number) => verifySnpReport(platform.input(listed({ untilMs: atMs }))).expiresAtMs
    assert.equal(until(untilMs), untilMs)
    assert.equal(until(MADE_UNTIL_MS + 40 * DAY_MS), MADE_UNTIL_MS + 1)
  })

  describe('whose list names', () => {
    it('the key above theirs are refused', () => {
      refuses(listed({ revoked: [MADE_SERIALS.ask] }), 'CERTIFICATE_REVOKED')
      refuses(listed({ revoked: [1, MADE_SERIALS.ask - 1, MADE_SERIALS.ask] }), 'CERTIFICATE_REVOKED')
      const crl = cloud.crl({ revoked: [MADE_SERIALS.ask] })
      assert.throws(() => verifySnpReport(cloud.input({ crl })), { code: 'ATTESTATION_CERTIFICATE_REVOKED' })
    })

    it('the root itself are refused', () => refuses(listed({ revoked: [MADE_SERIALS.ark] }), 'CERTIFICATE_REVOKED'))

    it('others are accepted, as AMD has revoked an older key of Genoa', () => {
      verifySnpReport(platform.input(listed({ revoked: [MADE_SERIALS.ask - 1] })))
    })

    it('the serial number of their own key are refused only if the root signed that key', () => {
      const own = listed({ revoked: [MADE_SERIALS.leaf] })
      verifySnpReport(platform.input(own))
      // The root has the name of the key above: then its list is that of the leaf's issuer too.
      const flat = new MadeSnpPlatform({ certificates: { ark: { subject: 'SEV-Genoa' } } })
      verifySnpReport(flat.input())
      const crl = flat.crl({ revoked: [MADE_SERIALS.leaf] })
      assert.throws(() => verifySnpReport(flat.input({ crl })), { code: 'ATTESTATION_CERTIFICATE_REVOKED' })
    })
  })

  describe('are refused with a list', () => {
    const cases: Record<string, [string, () => Partial<VerifySnpReportInput>]> = {
      'that is missing': ['CRL_INVALID', () => ({ crl: new Uint8Array() })],
      'of another name': ['CRL_ISSUER_MISMATCH', () => listed({ issuerName: 'ARK-Milan' })],
      'by the key between root and leaf': ['CRL_ISSUER_MISMATCH', () => listed({ issuer: platform.made.ask })],
      'in the name of the root by another key': ['CRL_SIGNATURE_INVALID', () => listed({ signer: platform.made.ask })],
      'by a key on another curve': ['CRL_SIGNATURE_INVALID', () => listed({ signer: platform.made.leaf })],
      'that is past its end': ['CRL_EXPIRED', () => listed({ untilMs: MADE_SNP_NOW_MS })],
      'of tomorrow': ['CRL_NOT_YET_VALID', () => listed({ fromMs: MADE_SNP_NOW_MS + DAY_MS })],
      'with a critical extension': [
        'CRL_INVALID',
        () => listed({ extensions: [{ oid: '2.5.29.28', critical: true, value: seq() }] })
      ],
      'with entries of other issuers': [
        'CRL_INVALID',
        () => listed({ revoked: [9], entryExtensions: [{ oid: '2.5.29.29', critical: true, value: seq() }] })
      ],
      'that is longer than any of AMD’s': ['CRL_TOO_LARGE', () => ({ crl: new Uint8Array(MAX_SNP_CRL_BYTES + 1) })]
    }
    for (const [what, [code, changes]] of Object.entries(cases)) {
      it(`${what}: ${code}`, () => refuses(changes(), code))
    }
  })

  it('are accepted from the first moment of their list to its last', () => {
    const crl = platform.crl({ untilMs: MADE_UNTIL_MS - DAY_MS })
    verifySnpReport(platform.input({ crl, nowMs: MADE_FROM_MS }))
    verifySnpReport(platform.input({ crl, nowMs: MADE_UNTIL_MS - DAY_MS - 1 }))
    refuses({ crl, nowMs: MADE_UNTIL_MS - DAY_MS }, 'CRL_EXPIRED')
  })

  it('of recorded machines are refused with the list of a made root', function () {
    const vectors = snpVectors()
    if (vectors === undefined) {
      this.skip()
    }
    for (const name of ['coco', 'virtee', 'azure', 'vlek'] as const) {
      assert.throws(() => verifySnpReport({ ...vectors[name], crl: platform.crl() }), {
        code: /^ATTESTATION_CRL_(ISSUER_MISMATCH|EXPIRED|NOT_YET_VALID)$/
      })
    }
  })

  describe('damage', () => {
    // Every bit of a list is signed, part of the signature, of DER's framing, which has one form, or of the outer
    // algorithm, which must equal the signed one: none may be flipped.
    it('refuses every flipped bit of a list', () => {
      const ark = platform.made.ark.parsed()
      const crl = platform.crl({
        revoked: [MADE_SERIALS.ask - 1],
        extensions: [{ oid: '2.5.29.20', value: Uint8Array.of(2, 1, 4) }]
      })
      verifySnpCrl(crl, ark, MADE_SNP_NOW_MS)
      const result = flipBits(crl, everyBit(crl.length), flipped => verifySnpCrl(flipped, ark, MADE_SNP_NOW_MS))
      assert.equal(result.flips, crl.length * 8)
      assert.deepEqual(result.accepted, [], flipText('crl', result))
    })

    it('refuses every flipped bit of a seeded sample of the whole', function () {
      this.timeout(60_000)
      const results = flipSnpEvidence(platform.input(), sampledBits(100, 20_261_122))
      assert.deepEqual(Object.keys(results), ['report', 'leaf', 'ask', 'ark', 'crl'])
      for (const [part, result] of Object.entries(results)) {
        assert.equal(result.flips, 100)
        assert.deepEqual(result.accepted, [], flipText(part, result))
      }
    })
  })
})
