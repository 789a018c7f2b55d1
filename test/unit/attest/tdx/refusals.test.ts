import assert from 'node:assert/strict'
import type { VerifiedTdx } from '../../../../src/attest/tdx/verifier.ts'
import { verifySgxQuote, verifyTdxQuote } from '../../../../src/attest/tdx/verify.ts'
import { int, octets, oid, seq } from '../x509/der-writer.ts'
import { MADE_UNTIL_MS, makeCertificate } from '../x509/make-certificate.ts'
import { madePlatform, NOW_MS, type PlatformInit, sgxExtension } from './made-platform.ts'

type Json = Record<string, unknown>

const verify = (init: PlatformInit): VerifiedTdx => verifyTdxQuote(madePlatform(init))
const withTcbInfo = (fields: Json): PlatformInit => ({ tcbInfo: info => ({ ...info, ...fields }) })
const withIdentity = (fields: Json): PlatformInit => ({ qeIdentity: identity => ({ ...identity, ...fields }) })
const withModule = (fields: Json): PlatformInit => ({
  tcbInfo: info => ({
    ...info,
    tdxModuleIdentities: (info['tdxModuleIdentities'] as Json[]).map(identity => ({ ...identity, ...fields }))
  })
})
const withAttributes = (bit: number, version: 4 | 5 = 4): PlatformInit => ({
  version,
  body: body => body.writeUInt8((body[120 + Math.floor(bit / 8)] ?? 0) | (1 << (bit % 8)), 120 + Math.floor(bit / 8))
})
const stranger = makeCertificate({ subject: 'Intel SGX PCK Platform CA', ca: true })

/** Every refusal of a platform that is otherwise in order, signatures included. */
const REFUSALS: Record<string, [string, PlatformInit]> = {
  'a PCK certificate of another name': ['PCK_INVALID', { certificates: { pck: { subject: 'Intel SGX Certificate' } } }],
  'a PCK CA of another name': ['PCK_INVALID', { certificates: { ca: { subject: 'Intel SGX Root CA' } } }],
  'a PCK certificate that may not sign': ['PCK_INVALID', { certificates: { pck: { keyUsage: [2] } } }],
  'a PCK certificate that is a CA': ['PCK_INVALID', { certificates: { pck: { ca: true } } }],
  'a PCK certificate without the SGX extension': ['PCK_INVALID', { certificates: { pck: { extensions: [] } } }],
  'an SGX extension with 15 components': ['PCK_INVALID', { sgxExtension: sgxExtension({ components: 15 }) }],
  'an SGX extension with a version of 256': ['PCK_INVALID', { sgxExtension: sgxExtension({ svn: 256 }) }],
  'an SGX extension with a field twice': [
    'PCK_INVALID',
    { sgxExtension: sgxExtension({ more: [seq(oid('1.2.840.113741.1.13.1.3'), octets([0, 0]))] }) }
  ],
  'an SGX extension with an FMSPC of five bytes': [
    'PCK_INVALID',
    { sgxExtension: sgxExtension({ fmspc: 'aabbccddee' }) }
  ],
  'an SGX extension of other fields': ['PCK_INVALID', { sgxExtension: seq(seq(oid('1.2.3.4'), int(1))) }],
  'a PCK certificate that ended': ['CERTIFICATE_EXPIRED', { certificates: { pck: { untilMs: NOW_MS - 1000 } } }],
  'a PCK certificate that is revoked': ['CERTIFICATE_REVOKED', { pckCrl: { revoked: [3] } }],
  'a PCK CA that is revoked where the collateral has a renewed one': [
    'CERTIFICATE_REVOKED',
    { rootCrl: { revoked: [2] }, collateralCa: 'renewed' }
  ],
  'a revocation list by another CA of the same name': ['COLLATERAL_MISMATCH', { collateralCa: 'stranger' }],
  'a PCK CA that is revoked': ['CERTIFICATE_REVOKED', { rootCrl: { revoked: [2] } }],
  'a TCB signing certificate that is revoked': ['CERTIFICATE_REVOKED', { rootCrl: { revoked: [4] } }],
  'a PCK revocation list that ended': ['CRL_EXPIRED', { pckCrl: { untilMs: NOW_MS } }],
  'a root revocation list that ended': ['CRL_EXPIRED', { rootCrl: { untilMs: NOW_MS } }],
  'a PCK revocation list of tomorrow': ['CRL_NOT_YET_VALID', { pckCrl: { fromMs: NOW_MS + 1000 } }],
  'a PCK revocation list by another of the same name': ['CRL_SIGNATURE_INVALID', { pckCrl: { signer: stranger } }],
  'a root revocation list by another': ['CRL_SIGNATURE_INVALID', { rootCrl: { signer: stranger } }],
  'a PCK revocation list that names another issuer': ['CRL_ISSUER_MISMATCH', { pckCrl: { issuerName: 'Test Root' } }],
  'a TCB signing certificate of another name': [
    'COLLATERAL_SIGNER_REFUSED',
    { certificates: { tcbSigner: { subject: 'Intel SGX Signing' } } }
  ],
  'a TCB signing certificate that is a CA': [
    'COLLATERAL_SIGNER_REFUSED',
    { certificates: { tcbSigner: { ca: true } } }
  ],
  'a TCB signing certificate that may not sign': [
    'COLLATERAL_SIGNER_REFUSED',
    { certificates: { tcbSigner: { keyUsage: [2] } } }
  ],
  'a TCB signing certificate that ended': [
    'CERTIFICATE_EXPIRED',
    { certificates: { tcbSigner: { untilMs: NOW_MS - 1000 } } }
  ],
  'TCB info that ended': ['COLLATERAL_EXPIRED', withTcbInfo({ nextUpdate: '2026-06-15T00:00:00Z' })],
  'TCB info of tomorrow': ['COLLATERAL_NOT_YET_VALID', withTcbInfo({ issueDate: '2026-06-15T00:00:01Z' })],
  'an identity that ended': ['COLLATERAL_EXPIRED', withIdentity({ nextUpdate: '2026-06-15T00:00:00Z' })],
  'an identity of tomorrow': ['COLLATERAL_NOT_YET_VALID', withIdentity({ issueDate: '2026-06-15T00:00:01Z' })],
  'TCB info of version 2': ['COLLATERAL_INVALID', withTcbInfo({ version: 2 })],
  'TCB info of another type': ['COLLATERAL_INVALID', withTcbInfo({ tcbType: 1 })],
  'TCB info with a field nobody knows': ['COLLATERAL_INVALID', withTcbInfo({ tcbExceptions: [] })],
  'TCB info without levels': ['COLLATERAL_INVALID', withTcbInfo({ tcbLevels: [] })],
  'TCB info with a date that does not exist': [
    'COLLATERAL_INVALID',
    withTcbInfo({ nextUpdate: '2026-06-31T00:00:00Z' })
  ],
  'TCB info with a field twice': [
    'COLLATERAL_INVALID',
    { tcbInfo: info => JSON.stringify(info).replace('"tcbType":0', '"tcbType":0,"tcbType":0') }
  ],
  'TCB info with a level of 15 components': [
    'COLLATERAL_INVALID',
    { tcbInfo: info => JSON.stringify(info).replace('{"svn":5},', '') }
  ],
  'TCB info with white space': ['COLLATERAL_INVALID', { tcbInfo: info => JSON.stringify(info, null, 1) }],
  'TCB info that is not JSON': ['COLLATERAL_INVALID', { tcbInfo: () => 'fmspc' }],
  'an identity of version 1': ['COLLATERAL_INVALID', withIdentity({ version: 1 })],
  'an identity with a version that is not a number': ['COLLATERAL_INVALID', withIdentity({ isvprodid: '2' })],
  'TCB info of SGX': ['COLLATERAL_MISMATCH', withTcbInfo({ id: 'SGX' })],
  'an identity of the SGX quoting enclave': ['COLLATERAL_MISMATCH', withIdentity({ id: 'QE' })],
  'TCB info of another platform': ['COLLATERAL_MISMATCH', withTcbInfo({ fmspc: 'AABBCCDDEEFE' })],
  'TCB info of another PCE': ['COLLATERAL_MISMATCH', withTcbInfo({ pceId: '0001' })],
  'a quoting enclave by another signer': ['QE_IDENTITY_MISMATCH', { qeReport: report => report.fill(0xdd, 128, 160) }],
  'a quoting enclave in debug mode': ['QE_IDENTITY_MISMATCH', { qeReport: report => report.writeUInt8(0x13, 48) }],
  'a quoting enclave with features': ['QE_IDENTITY_MISMATCH', { qeReport: report => report.writeUInt8(1, 16) }],
  'a quoting enclave of another product': [
    'QE_IDENTITY_MISMATCH',
    { qeReport: report => report.writeUInt16LE(1, 256) }
  ],
  'a quoting enclave below every level': ['TCB_LEVEL_UNKNOWN', { qeReport: report => report.writeUInt16LE(1, 258) }],
  'an old quoting enclave': ['TCB_OUT_OF_DATE', { qeReport: report => report.writeUInt16LE(2, 258) }],
  'a report that binds another key': ['QE_BINDING_INVALID', { qeReport: report => report.fill(1, 320, 352) }],
  'a report that binds something else besides': [
    'QE_BINDING_INVALID',
    { qeReport: report => report.writeUInt8(1, 383) }
  ],
  'a platform below every level by its SGX components': [
    'TCB_LEVEL_UNKNOWN',
    { sgxExtension: sgxExtension({ svn: 4 }) }
  ],
  'a platform below every level by its PCE': ['TCB_LEVEL_UNKNOWN', { sgxExtension: sgxExtension({ pceSvn: 10 }) }],
  'a platform below every level by its TDX components': ['TCB_LEVEL_UNKNOWN', { body: body => body.writeUInt8(2, 15) }],
  'a platform out of date by its TDX components': ['TCB_OUT_OF_DATE', { body: body => body.writeUInt8(4, 15) }],
  'a platform without levels of TDX': [
    'TCB_LEVEL_UNKNOWN',
    { tcbInfo: info => JSON.stringify(info).replaceAll(/,"tdxtcbcomponents":\[[^\]]*\]/g, '') }
  ],
  'an old module': ['TCB_OUT_OF_DATE', { body: body => body.writeUInt8(3, 0) }],
  'a module below every level': ['TCB_LEVEL_UNKNOWN', { body: body => body.writeUInt8(1, 0) }],
  'a module of a version nobody lists': ['TDX_MODULE_UNKNOWN', { body: body => body.writeUInt8(2, 1) }],
  'a module that is listed twice': [
    'TDX_MODULE_UNKNOWN',
    { tcbInfo: info => ({ ...info, tdxModuleIdentities: [1, 2].flatMap(() => info['tdxModuleIdentities']) }) }
  ],
  'a module of the first version below its level': [
    'TCB_LEVEL_UNKNOWN',
    { body: body => body.fill(2, 0, 1).writeUInt8(0, 1) }
  ],
  'a module by another signer': ['TDX_SEAM_SIGNER_UNKNOWN', { body: body => body.writeUInt8(1, 64) }],
  'a module by another signer that the collateral lists': [
    'TDX_SEAM_SIGNER_UNKNOWN',
    {
      body: body => body.fill(1, 64, 112),
      ...withModule({ mrsigner: '01'.repeat(48) })
    }
  ],
  'a module by Intel where the collateral lists another signer': [
    'TDX_SEAM_SIGNER_UNKNOWN',
    withModule({ mrsigner: '01'.repeat(48) })
  ],
  'a module without attributes where the collateral lists some': [
    'TDX_SEAM_ATTRIBUTES_UNKNOWN',
    withModule({ attributes: '0100000000000000' })
  ],
  'a module with attributes': ['TDX_SEAM_ATTRIBUTES_UNKNOWN', { body: body => body.writeUInt8(1, 112) }],
  'a module with attributes that the collateral ignores': [
    'TDX_SEAM_ATTRIBUTES_UNKNOWN',
    {
      body: body => body.writeUInt8(1, 119),
      ...withModule({ attributesMask: '0000000000000000' })
    }
  ],
  'a status nobody knows': [
    'TCB_STATUS_UNKNOWN',
    { tcbInfo: info => JSON.stringify(info).replace('"tcbStatus":"UpToDate"', '"tcbStatus":"Fine"') }
  ],
  'a TD in debug mode': ['TDX_DEBUG', withAttributes(0)],
  'a TD of 1.5 in debug mode': ['TDX_DEBUG', withAttributes(0, 5)],
  'a TD without SEPT_VE_DISABLE': ['TDX_SEPT_VE_ENABLED', { body: body => body.writeUInt8(0, 123) }],
  'a TD that can be migrated': ['TDX_ATTRIBUTE_REFUSED', withAttributes(29)],
  'a TD with protection keys': ['TDX_ATTRIBUTE_REFUSED', withAttributes(30)],
  'a TD with the key locker': ['TDX_ATTRIBUTE_REFUSED', withAttributes(31)],
  'a TD with performance counters': ['TDX_ATTRIBUTE_REFUSED', withAttributes(63)],
  'a TD with performance counters where only the key locker is allowed': [
    'TDX_ATTRIBUTE_REFUSED',
    { ...withAttributes(63), policy: { allowedTdAttributes: ['keyLocker'] } }
  ],
  'a TD with unknown features': ['TDX_XFAM_UNKNOWN', { body: body => body.writeUInt8(0x08, 128) }],
  'a TD with a service TD': ['TDX_SERVICE_TD', { version: 5, body: body => body.writeUInt8(1, 647) }],
  'an advisory that the policy does not list': [
    'TCB_ADVISORY_REFUSED',
    {
      body: body => body.writeUInt8(4, 15),
      policy: { acceptedTcbStatuses: ['OutOfDate'], acceptedAdvisories: ['INTEL-SA-00009'] }
    }
  ],
  'an evaluation older than the policy asks for': [
    'TCB_EVALUATION_TOO_OLD',
    { policy: { minTcbEvaluationDataNumber: 18 } }
  ],
  'an identity of an older evaluation': [
    'TCB_EVALUATION_TOO_OLD',
    { ...withIdentity({ tcbEvaluationDataNumber: 16 }), policy: { minTcbEvaluationDataNumber: 17 } }
  ],
  'a policy that accepts nothing': ['TCB_UP_TO_DATE_REFUSED', { policy: { acceptedTcbStatuses: [] } }],
  'a policy that accepts what is revoked': ['INPUT_INVALID', { policy: { acceptedTcbStatuses: ['Revoked'] } }],
  'a policy without an evaluation number': ['INPUT_INVALID', { policy: { minTcbEvaluationDataNumber: Number.NaN } }],
  'a header field that is reserved': ['QUOTE_UNSUPPORTED', { header: header => header.writeUInt8(1, 8) }],
  'another quoting enclave vendor': ['QUOTE_UNSUPPORTED', { header: header => header.writeUInt8(0, 12) }],
  'another kind of attestation key': ['QUOTE_UNSUPPORTED', { header: header => header.writeUInt16LE(3, 2) }],
  'another TEE': ['QUOTE_UNSUPPORTED', { header: header => header.writeUInt32LE(0x82, 4) }],
  'version 6': ['QUOTE_UNSUPPORTED', { header: header => header.writeUInt16LE(6, 0) }]
}

describe('a TDX platform that is otherwise in order', () => {
  it('is accepted as it is', () => {
    const four = verify({})
    assert.equal(four.tcbStatus, 'UpToDate')
    assert.equal(four.expiresAtMs, Date.UTC(2026, 6, 1))
    assert.equal(verify({ version: 5 }).quoteVersion, 5)
  })

  for (const [what, [code, init]] of Object.entries(REFUSALS)) {
    it(`is refused with ${code}: ${what}`, () => assert.throws(() => verify(init), { code: `ATTESTATION_${code}` }))
  }

  for (const bit of [...Array(27).keys()].slice(1).concat([...Array(31).keys()].map(i => i + 32))) {
    it(`is refused with the reserved attribute bit ${bit}`, () =>
      assert.throws(() => verify(withAttributes(bit)), { code: 'ATTESTATION_TDX_ATTRIBUTES_UNKNOWN' }))
  }

  const NAMED = { lass: 27, migratable: 29, pks: 30, keyLocker: 31, perfmon: 63 } as const
  for (const [name, bit] of Object.entries(NAMED)) {
    it(`is accepted with ${name} where the policy allows it`, () => {
      const allowedTdAttributes = [name as keyof typeof NAMED]
      assert.ok(verify({ ...withAttributes(bit), policy: { allowedTdAttributes } }))
    })
  }

  it('is accepted out of date where the policy says so, with the advisories of all three parts', () => {
    const { tcbStatus, advisoryIds } = verify({
      body: body => {
        body.writeUInt8(4, 15)
        body.writeUInt8(2, 0)
      },
      qeReport: report => report.writeUInt16LE(2, 258),
      policy: { acceptedTcbStatuses: ['OutOfDate'] }
    })
    assert.equal(tcbStatus, 'OutOfDate')
    assert.deepEqual(advisoryIds.toSorted(), ['INTEL-SA-00001', 'INTEL-SA-00002', 'INTEL-SA-00003'])
  })

  it('is in force from the latest begin to the earliest end', () => {
    const made = madePlatform()
    const at = (nowMs: number): VerifiedTdx => verifyTdxQuote({ ...made, nowMs })
    const { expiresAtMs } = at(NOW_MS)
    assert.ok(at(expiresAtMs - 1) && at(Date.UTC(2026, 5, 1)))
    assert.throws(() => at(expiresAtMs), { code: 'ATTESTATION_COLLATERAL_EXPIRED' })
    assert.throws(() => at(Date.UTC(2026, 5, 1) - 1), { code: 'ATTESTATION_COLLATERAL_NOT_YET_VALID' })
    assert.throws(() => at(MADE_UNTIL_MS + 1), { code: 'ATTESTATION_CERTIFICATE_EXPIRED' })
    for (const nowMs of [Number.NaN, Number.POSITIVE_INFINITY, -1, 0, 0.5]) {
      assert.throws(() => at(nowMs), { code: 'ATTESTATION_INPUT_INVALID' })
    }
  })

  it('ends with whichever piece ends first', () => {
    const untilMs = NOW_MS + 5000
    for (const init of [
      { certificates: { pck: { untilMs } } },
      { certificates: { ca: { untilMs } } },
      { certificates: { tcbSigner: { untilMs } } },
      { certificates: { root: { untilMs } } }
    ]) {
      assert.equal(verify(init).expiresAtMs, untilMs + 1)
    }
    for (const init of [{ rootCrl: { untilMs } }, { pckCrl: { untilMs } }]) {
      assert.equal(verify(init).expiresAtMs, untilMs)
    }
    const nextUpdate = new Date(untilMs).toISOString().replace('.000', '')
    assert.equal(verify(withTcbInfo({ nextUpdate })).expiresAtMs, untilMs)
    assert.equal(verify(withIdentity({ nextUpdate })).expiresAtMs, untilMs)
  })

  it('is accepted with an SGX enclave where one is asked for, unless that is in debug mode', () => {
    assert.equal(verifySgxQuote(madePlatform({ version: 3 })).tcbStatus, 'UpToDate')
    assert.throws(() => verifySgxQuote(madePlatform({ version: 3, body: report => report.writeUInt8(0x02, 48) })), {
      code: 'ATTESTATION_SGX_DEBUG'
    })
    assert.throws(() => verify({ version: 3 }), { code: 'ATTESTATION_QUOTE_NOT_TDX' })
  })

  it('is accepted with a revocation list under a renewed certificate of its CA', () => {
    assert.ok(verify({ collateralCa: 'renewed' }))
  })

  it('is refused with chains that are longer or shorter than they must be', () => {
    const { collateral, ...made } = madePlatform()
    for (const field of ['pck_crl_issuer_chain', 'tcb_info_issuer_chain', 'qe_identity_issuer_chain'] as const) {
      const [first = '', second = ''] = collateral[field].split(/(?<=-----END CERTIFICATE-----\n)/)
      for (const chain of [first, first + second + second]) {
        assert.throws(() => verifyTdxQuote({ ...made, collateral: { ...collateral, [field]: chain } }), {
          code: 'ATTESTATION_CERTIFICATE_CHAIN_INVALID'
        })
      }
    }
  })

  it('is refused with more than a mebibyte of collateral, or without any', () => {
    const { collateral, ...made } = madePlatform()
    const large = { ...collateral, pck_crl: '00'.repeat(2 ** 19) }
    assert.throws(() => verifyTdxQuote({ ...made, collateral: large }), { code: 'ATTESTATION_COLLATERAL_TOO_LARGE' })
    for (const nothing of [undefined, null, 1, [], {}]) {
      const given = { ...made, collateral: nothing as never }
      assert.throws(() => verifyTdxQuote(given), { code: 'ATTESTATION_COLLATERAL_INVALID' })
    }
  })

  it('is refused with the pieces of another platform of the same kind', () => {
    const [one, two] = [madePlatform(), madePlatform()]
    assert.throws(() => verifyTdxQuote({ ...one, collateral: two.collateral }), {
      code: 'ATTESTATION_CERTIFICATE_ROOT_UNKNOWN'
    })
    assert.throws(() => verifyTdxQuote({ ...one, quote: two.quote }), { code: 'ATTESTATION_CERTIFICATE_ROOT_UNKNOWN' })
    assert.throws(() => verifyTdxQuote({ ...one, rootSha256: 'ff' }), { code: 'ATTESTATION_INPUT_INVALID' })
  })
})
