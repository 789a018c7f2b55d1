import assert from 'node:assert/strict'
import { expectNotRevoked, parseCrl, verifyCrl } from '../../../../src/attest/x509/crl.ts'
import { seq } from './der-writer.ts'
import { type CrlInit, MADE_FROM_MS, MADE_UNTIL_MS, makeCertificate, makeCrl } from './make-certificate.ts'

const NOW_MS = Date.UTC(2026, 5, 1)
const ca = makeCertificate({ subject: 'ca', ca: true, keyUsage: [5, 6] })
const other = makeCertificate({ subject: 'ca', ca: true })
const leaf = makeCertificate({ subject: 'leaf', issuer: ca, serial: 0xabcdef })

function judge(init: Partial<CrlInit> = {}, nowMs = NOW_MS): void {
  const crl = parseCrl(makeCrl({ issuer: ca, ...init }))
  verifyCrl(crl, ca.parsed(), nowMs)
  expectNotRevoked(leaf.parsed(), crl)
}

describe('revocation lists', () => {
  it('let pass what they do not name', () => {
    judge()
    judge({ revoked: [1, 0xabcdee], entryExtensions: [{ oid: '2.5.29.21', value: Uint8Array.of(10, 1, 1) }] })
    judge({ writesNone: true })
    judge({}, MADE_FROM_MS)
    judge({}, MADE_UNTIL_MS - 1)
  })

  it('refuse what they name', () =>
    assert.throws(() => judge({ revoked: [1, 0xabcdef, 3] }), { code: 'ATTESTATION_CERTIFICATE_REVOKED' }))

  describe('are refused with', () => {
    const cases: Record<string, [string, () => unknown]> = {
      'another name': ['CRL_ISSUER_MISMATCH', () => judge({ issuerName: 'CA' })],
      'a certificate of another issuer': [
        'CRL_ISSUER_MISMATCH',
        () => expectNotRevoked(makeCertificate({ subject: 'x' }).parsed(), parseCrl(makeCrl({ issuer: ca })))
      ],
      'another signer of the same name': ['CRL_SIGNATURE_INVALID', () => judge({ signer: other })],
      'an issuer whose key may not sign lists': [
        'CRL_ISSUER_MISMATCH',
        () => {
          const issuer = makeCertificate({ subject: 'ca', ca: true, keyUsage: [5] })
          verifyCrl(parseCrl(makeCrl({ issuer })), issuer.parsed(), NOW_MS)
        }
      ],
      'an issuer that is no CA': [
        'CRL_ISSUER_MISMATCH',
        () => {
          const issuer = makeCertificate({ subject: 'ca' })
          verifyCrl(parseCrl(makeCrl({ issuer })), issuer.parsed(), NOW_MS)
        }
      ],
      'an end that has come': ['CRL_EXPIRED', () => judge({}, MADE_UNTIL_MS)],
      'a begin that has not': ['CRL_NOT_YET_VALID', () => judge({}, MADE_FROM_MS - 1)],
      'no time': ['INPUT_INVALID', () => judge({}, Number.NaN)],
      'a critical extension': [
        'CRL_INVALID',
        () => judge({ extensions: [{ oid: '2.5.29.28', critical: true, value: seq() }] })
      ],
      'a critical extension of an entry': [
        'CRL_INVALID',
        () => judge({ revoked: [9], entryExtensions: [{ oid: '2.5.29.29', critical: true, value: seq() }] })
      ],
      'a byte after its end': ['CRL_INVALID', () => parseCrl(Uint8Array.from([...makeCrl({ issuer: ca }), 0]))],
      'more than a mebibyte': ['CRL_TOO_LARGE', () => parseCrl(new Uint8Array(2 ** 20 + 1))]
    }
    for (const [what, [code, attempt]] of Object.entries(cases)) {
      it(`${code}: ${what}`, () => assert.throws(attempt, { code: `ATTESTATION_${code}` }))
    }
  })
})
