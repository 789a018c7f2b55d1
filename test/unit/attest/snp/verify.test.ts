import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { DEFAULT_SNP_POLICY } from '../../../../src/attest/snp/policy.ts'
import { productOfArk } from '../../../../src/attest/snp/product.ts'
import { type SignedSnpReportInput, verifySignedSnpReport } from '../../../../src/attest/snp/signed-report.ts'
import { ANY_TCB } from '../../../../src/attest/snp/tcb.ts'
import { parseCertificate } from '../../../../src/attest/x509/certificate.ts'
import { verifyChain } from '../../../../src/attest/x509/chain.ts'
import { sha256, toHex } from '../../../../src/core/bytes.ts'
import { AttestationError } from '../../../../src/core/errors.ts'
import { flipText, sampledBits } from './bit-flips.ts'
import { flipSnpEvidence, MILAN_POLICY, NOW_MS, type SnpVectors, snpVectors } from './vectors.ts'

const SAMPLE = { flipsPerPart: 150, seed: 20_261_122 }

function refuses(input: SignedSnpReportInput, code: string): void {
  assert.throws(() => verifySignedSnpReport(input), { code })
}

// What was recorded are reports and chains: the list that says who is revoked was not, and is tested with made ones.
describe('SEV-SNP reports and their chains', () => {
  let vectors: SnpVectors

  before(function () {
    const found = snpVectors()
    if (found === undefined) {
      this.skip()
    }
    vectors = found
  })

  describe('recorded on Milan, with a policy that names Milan', () => {
    it('accepts those of virtee, Confidential Containers and Azure', () => {
      for (const name of ['virtee', 'coco', 'azure'] as const) {
        const input = vectors[name]
        const { guest: verified, validity } = verifySignedSnpReport(input)
        assert.equal(verified.product, 'milan', name)
        assert.equal(verified.signer, 'vcek')
        assert.equal(verified.vmpl, 0)
        assert.equal(verified.cloudId, undefined)
        assert.equal(toHex(verified.measurement), toHex(input.report.subarray(0x90, 0xc0)))
        assert.equal(toHex(verified.reportData), toHex(input.report.subarray(0x50, 0x90)))
        assert.equal(toHex(verified.hostData), toHex(input.report.subarray(0xc0, 0xe0)))
        assert.equal(toHex(verified.chipId), toHex(input.report.subarray(0x1a0, 0x1e0)))
        assert.deepEqual(verified.reportedTcb, { fmc: 0, bootLoader: 3, tee: 0, snp: 8, microcode: 115 })
        assert.ok(validity.notAfterMs > NOW_MS)
      }
    })

    it('reads what the guest and its policy are', () => {
      const { guest: verified, validity } = verifySignedSnpReport(vectors.coco)
      assert.equal(verified.guestSvn, 4)
      assert.equal(verified.familyId[0], 1)
      assert.deepEqual(verified.policy, {
        abiMinor: 31,
        abiMajor: 0,
        smtAllowed: true,
        migrationAgentAllowed: false,
        debugAllowed: false,
        singleSocketRequired: false,
        cxlAllowed: false,
        aes256XtsRequired: false,
        raplDisableRequired: false,
        ciphertextHidingRequired: false,
        pageSwapDisableRequired: false
      })
      assert.deepEqual([...verified.platform], ['smtEnabled'])
      assert.equal(verified.signedBodyDigest.length, 48)
      assert.equal(new Date(validity.notAfterMs).toISOString(), '2030-01-24T17:58:26.000Z')
    })

    it('accepts one signed by a VLEK while that was valid, and names its cloud', () => {
      const { guest: verified } = verifySignedSnpReport(vectors.vlek)
      assert.equal(verified.signer, 'vlek')
      assert.equal(verified.vmpl, 1)
      assert.equal(verified.cloudId, 'CN=cc-us-east-2.amazonaws.com')
      assert.deepEqual([...verified.platform], ['smtEnabled', 'tsmeEnabled', 'eccEnabled', 'aliasCheckComplete'])
      refuses({ ...vectors.vlek, nowMs: NOW_MS }, 'ATTESTATION_CERTIFICATE_EXPIRED')
    })

    it('refuses a guest that may be debugged, whatever the policy says', () => {
      refuses(vectors.debug, 'ATTESTATION_SNP_DEBUG')
    })

    it('refuses tampered certificates', () => {
      assert.equal(vectors.tamperedLeaves.length, 2)
      for (const leaf of vectors.tamperedLeaves) {
        const certificates = { ...vectors.coco.certificates, leaf }
        refuses({ ...vectors.coco, certificates }, 'ATTESTATION_CERTIFICATE_SIGNATURE_INVALID')
      }
    })

    it('keeps what it returns when the caller reuses the buffer', () => {
      const report = Uint8Array.from(vectors.virtee.report)
      const { guest: verified } = verifySignedSnpReport({ ...vectors.virtee, report })
      report.fill(0)
      assert.equal(toHex(verified.measurement), toHex(vectors.virtee.report.subarray(0x90, 0xc0)))
    })
  })

  describe('policy', () => {
    it('refuses Milan unless it is named', () => {
      refuses({ ...vectors.virtee, policy: DEFAULT_SNP_POLICY }, 'ATTESTATION_SNP_PRODUCT_REFUSED')
    })

    it('refuses a TCB below the minimum, part by part', () => {
      const reported = { fmc: 0, bootLoader: 3, tee: 0, snp: 8, microcode: 115 }
      const least = (milan: typeof ANY_TCB) => ({ ...MILAN_POLICY, minimumTcb: { milan } })
      verifySignedSnpReport({ ...vectors.virtee, policy: least(reported) })
      for (const part of Object.keys(reported) as Array<keyof typeof reported>) {
        for (const value of [reported[part] + 1, Number.NaN]) {
          refuses({ ...vectors.virtee, policy: least({ ...reported, [part]: value }) }, 'ATTESTATION_SNP_TCB_TOO_OLD')
        }
      }
    })

    it('refuses a privilege level that it does not name', () => {
      refuses({ ...vectors.vlek, policy: MILAN_POLICY }, 'ATTESTATION_SNP_VMPL_REFUSED')
      refuses({ ...vectors.virtee, policy: { ...MILAN_POLICY, vmpls: [1] } }, 'ATTESTATION_SNP_VMPL_REFUSED')
      refuses({ ...vectors.virtee, policy: { ...MILAN_POLICY, vmpls: [] } }, 'ATTESTATION_SNP_VMPL_REFUSED')
    })
  })

  describe('chain', () => {
    it('pins the roots of Milan, Genoa and Turin', () => {
      const { milan, milanVlek, genoa, turin } = vectors.issuers
      const products = [milan, milanVlek, genoa, turin].map(({ ark }) => productOfArk(toHex(sha256(ark))))
      assert.deepEqual(products, ['milan', 'milan', 'genoa', 'turin'])
      assert.equal(productOfArk(toHex(sha256(milan.ask))), undefined)
    })

    it('leads from the VCEK of a Turin to its root', () => {
      const chain = [vectors.turinLeaf, vectors.issuers.turin.ask, vectors.issuers.turin.ark].map(parseCertificate)
      verifyChain({ chain, rootSha256: [toHex(sha256(vectors.issuers.turin.ark))], nowMs: NOW_MS })
    })

    it('refuses a root that is not pinned', () => {
      const { leaf, ask } = vectors.virtee.certificates
      refuses({ ...vectors.virtee, certificates: { leaf, ask, ark: ask } }, 'ATTESTATION_CERTIFICATE_ROOT_UNKNOWN')
    })

    it('refuses the key of a cloud for a report by a chip, and the other way round', () => {
      const { vlek, coco } = vectors
      refuses({ ...vlek, report: coco.report, policy: MILAN_POLICY }, 'ATTESTATION_SNP_CHAIN_MISMATCH')
      refuses({ ...coco, report: vlek.report }, 'ATTESTATION_SNP_CHAIN_MISMATCH')
    })

    it('refuses the chain of another product', () => {
      const { leaf } = vectors.virtee.certificates
      refuses(
        { ...vectors.virtee, certificates: { leaf, ...vectors.issuers.genoa } },
        'ATTESTATION_CERTIFICATE_ISSUER_MISMATCH'
      )
    })

    it('refuses the root of one product over the signing key of another', () => {
      const { leaf, ask } = vectors.virtee.certificates
      refuses(
        { ...vectors.virtee, certificates: { leaf, ask, ark: vectors.issuers.genoa.ark } },
        'ATTESTATION_SNP_CHAIN_MISMATCH'
      )
    })

    it('refuses the certificate of another chip', () => {
      refuses({ ...vectors.virtee, certificates: vectors.coco.certificates }, 'ATTESTATION_SNP_SIGNATURE_INVALID')
    })
  })

  describe('time', () => {
    it('refuses times before and after the certificates', () => {
      refuses({ ...vectors.virtee, nowMs: Date.UTC(2021, 0, 1) }, 'ATTESTATION_CERTIFICATE_NOT_YET_VALID')
      refuses({ ...vectors.virtee, nowMs: Date.UTC(2040, 0, 1) }, 'ATTESTATION_CERTIFICATE_EXPIRED')
    })

    it('refuses what is no time', () => {
      for (const nowMs of [Number.NaN, Number.POSITIVE_INFINITY, 0, -1, NOW_MS + 0.5]) {
        refuses({ ...vectors.virtee, nowMs }, 'ATTESTATION_INPUT_INVALID')
        refuses({ ...vectors.virtee, report: new Uint8Array(0), nowMs }, 'ATTESTATION_INPUT_INVALID')
      }
    })
  })

  describe('damage', () => {
    // In a report every bit is either signed (0 to 0x29f), part of r and s, or reserved and zero (the tails of r and s
    // and all from 0x330 on). In a certificate every bit is signed, part of the signature, of DER's framing, which has
    // one form, or of the outer algorithm, which must equal the signed one. The root is pinned by its digest. So there
    // is no bit whose flip may pass.
    it('refuses every flipped bit of a seeded sample of report and certificates', function () {
      this.timeout(60_000)
      for (const input of [vectors.coco, vectors.vlek]) {
        const results = flipSnpEvidence(input, sampledBits(SAMPLE.flipsPerPart, SAMPLE.seed))
        for (const [part, result] of Object.entries(results)) {
          assert.equal(result.flips, SAMPLE.flipsPerPart)
          assert.deepEqual(result.accepted, [], flipText(part, result))
        }
      }
    })

    it('refuses every flipped bit around the signature', function () {
      this.timeout(60_000)
      const bits = [0x2a0, 0x2cf, 0x2d0, 0x2e7, 0x2e8, 0x317, 0x318, 0x32f, 0x330, 0x49f].flatMap(offset =>
        Array.from({ length: 8 }, (_, bit) => offset * 8 + bit)
      )
      const results = flipSnpEvidence(vectors.coco, length => (length === 0x4a0 ? bits : []))
      assert.equal(results['report']?.flips, 80)
      assert.deepEqual(results['report']?.accepted, [])
    })

    it('refuses cut and foreign bytes with nothing but an AttestationError', () => {
      const { report, certificates } = vectors.virtee
      const parts = [report, certificates.leaf, certificates.ask, certificates.ark]
      const damaged = fc.oneof(
        fc.uint8Array({ maxLength: 2048 }),
        fc.nat(3).chain(part => fc.nat(2000).map(length => (parts[part] ?? report).slice(0, length))),
        fc
          .tuple(fc.nat(3), fc.nat(1183), fc.uint8Array({ minLength: 1, maxLength: 64 }))
          .map(([part, offset, bytes]) => {
            const changed = Uint8Array.from(parts[part] ?? report)
            changed.set(bytes.slice(0, changed.length - offset), offset)
            return changed
          })
      )
      const genuine = parts.map(toHex)
      fc.assert(
        fc.property(damaged, fc.nat(3), (bytes, place) => {
          fc.pre(!genuine.includes(toHex(bytes)))
          const at = (index: number, value: Uint8Array): Uint8Array => (place === index ? bytes : value)
          assert.throws(
            () =>
              verifySignedSnpReport({
                ...vectors.virtee,
                report: at(0, report),
                certificates: {
                  leaf: at(1, certificates.leaf),
                  ask: at(2, certificates.ask),
                  ark: at(3, certificates.ark)
                }
              }),
            AttestationError
          )
        }),
        { numRuns: 300 }
      )
    })
  })
})
