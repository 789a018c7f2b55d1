import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { readCollateral } from '../../../../src/attest/tdx/collateral.ts'
import { readPlatform } from '../../../../src/attest/tdx/pck.ts'
import { parseQuote } from '../../../../src/attest/tdx/quote.ts'
import { readTcbInfo } from '../../../../src/attest/tdx/tcb-info.ts'
import { matchTcbLevel, matchTdxModule } from '../../../../src/attest/tdx/tcb-level.ts'
import { tdReportOf } from '../../../../src/attest/tdx/td-report.ts'
import { verifySgxQuote, verifyTdxQuote } from '../../../../src/attest/tdx/verify.ts'
import { parseCertificate } from '../../../../src/attest/x509/certificate.ts'
import { splitPem } from '../../../../src/attest/x509/pem.ts'
import { toHex } from '../../../../src/core/bytes.ts'
import { type AttestationCase, attestationCases } from '../../../attest-diff/attestation-cases.ts'
import { ourVerdict } from '../../../attest-diff/our-verdict.ts'
import { sharedPath } from '../../../support/shared-data.ts'

const cases = attestationCases()

function caseOf(name: string): AttestationCase {
  const found = cases?.find(known => known.name === name)
  assert.ok(found, name)
  return found
}

describe('recorded and synthetic TDX evidence', () => {
  before(function () {
    if (cases === undefined) {
      this.skip()
    }
  })

  for (const given of cases ?? []) {
    it(`${given.name} gives ${given.expected}`, () => assert.equal(ourVerdict(given), given.expected))

    if (given.name.startsWith('synthetic')) {
      it(`${given.name} is refused under Intel's root`, () => {
        const { root } = caseOf('phala-tdx-v4')
        assert.match(ourVerdict({ ...given, root }), /^ATTESTATION_/)
      })
    }
  }

  it('a synthetic platform that is in order ends at a root that Intel does not know', () => {
    const { root } = caseOf('phala-tdx-v4')
    assert.equal(ourVerdict({ ...caseOf('synthetic baseline'), root }), 'ATTESTATION_CERTIFICATE_ROOT_UNKNOWN')
  })

  it('the genuine TD says who it is, and until when that may be believed', () => {
    const { quote, collateral, nowMs } = caseOf('phala-tdx-v4')
    const td = verifyTdxQuote({ quote, collateral: readCollateral(collateral), nowMs })
    assert.equal(td.quoteVersion, 4)
    assert.equal(td.fmspc, 'b0c06f000000')
    assert.equal(td.tcbDate, '2024-03-13T00:00:00Z')
    assert.deepEqual(td.advisoryIds, [])
    assert.equal(td.tcbEvaluationDataNumber, 17)
    assert.equal(new Date(td.expiresAtMs).toISOString(), '2025-07-19T10:00:35.000Z')
    assert.equal(toHex(td.mrTd), toHex(quote.subarray(184, 232)))
    assert.equal(toHex(td.reportData), toHex(quote.subarray(568, 632)))
  })

  it('the genuine SGX enclave is hardened and configured only as its advisories ask, and is no TD', () => {
    const { quote, collateral, nowMs, policy } = caseOf('phala-sgx-v3')
    const input = { quote, collateral: readCollateral(collateral), nowMs, policy }
    assert.deepEqual(verifySgxQuote(input).advisoryIds, ['INTEL-SA-00289', 'INTEL-SA-00615'])
    assert.throws(() => verifyTdxQuote(input), { code: 'ATTESTATION_QUOTE_NOT_TDX' })
    const { policy: _, ...byDefault } = input
    assert.throws(() => verifySgxQuote(byDefault), {
      code: 'ATTESTATION_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED'
    })
    assert.throws(() => verifySgxQuote({ ...input, quote: caseOf('phala-tdx-v4').quote }), {
      code: 'ATTESTATION_QUOTE_NOT_SGX'
    })
  })

  it("Google's TD is below every level also without the bytes that follow its quote", () => {
    const given = caseOf('google-tdx-v4')
    assert.equal(ourVerdict({ ...given, quote: given.quote.subarray(0, 4935) }), 'ATTESTATION_TCB_LEVEL_UNKNOWN')
  })

  it("Google's TD of 1.5 reaches the level of its platform and of its module", () => {
    const folder = sharedPath('vectors', 'attestation', 'tdx') ?? ''
    const quote = parseQuote(readFileSync(`${folder}/google-tdx-v5-td15.quote.bin`))
    const response = readFileSync(`${folder}/google-tdx-v5-td15.tcbinfo-response.json`, 'latin1')
    const info = readTcbInfo(response.slice('{"tcbInfo":'.length, response.indexOf(',"signature"')))
    const [pck, ca] = splitPem(quote.pckChain.subarray(0, -1), 3).map(parseCertificate)
    const td = tdReportOf(quote)
    assert.ok(pck && ca && td)
    const platform = readPlatform(pck, ca)
    assert.equal(platform.fmspc, info.fmspc)
    assert.equal(quote.body.kind, 'td15')
    const module = matchTdxModule(info, td)
    assert.deepEqual(
      [module?.tcb.isvsvn, module?.tcbStatus, matchTcbLevel(info, platform, td).tcbStatus],
      [6, 'UpToDate', 'UpToDate']
    )
  })

  it('no piece of collateral may be missing, and none may be added', () => {
    const { collateral, ...rest } = caseOf('phala-tdx-v4')
    for (const field of Object.keys(collateral)) {
      const { [field]: _, ...without } = collateral
      assert.equal(ourVerdict({ ...rest, collateral: without }), 'ATTESTATION_COLLATERAL_INVALID', field)
    }
    assert.equal(ourVerdict({ ...rest, collateral: { ...collateral, more: 'x' } }), 'ATTESTATION_COLLATERAL_INVALID')
  })

  it('the collateral of another platform or of another moment does not fit', () => {
    const [tdx, outdated] = [caseOf('phala-tdx-v4'), caseOf('phala-tdx-v5-td15-outdated')]
    const swapped = { ...tdx, collateral: outdated.collateral, nowMs: outdated.nowMs }
    assert.equal(ourVerdict(swapped), 'ATTESTATION_COLLATERAL_MISMATCH')
    for (const [field, code] of Object.entries({
      root_ca_crl: 'ATTESTATION_CRL_ISSUER_MISMATCH',
      pck_crl: 'ATTESTATION_CRL_ISSUER_MISMATCH',
      tcb_info: 'ATTESTATION_COLLATERAL_SIGNATURE_INVALID',
      qe_identity: 'ATTESTATION_COLLATERAL_SIGNATURE_INVALID'
    })) {
      const other = field === 'root_ca_crl' ? tdx.collateral['pck_crl'] : caseOf('phala-sgx-v3').collateral[field]
      const collateral = { ...tdx.collateral, [field]: other ?? '' }
      assert.equal(ourVerdict({ ...tdx, collateral }), code, field)
    }
  })
})
