import { toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import { type Certificate, readSerial } from './certificate.ts'
import { DerFault, type DerReader, readWhole, TAG } from './der.ts'
import { readBitStringBytes, readSmallInteger, readTime } from './der-values.ts'
import { type Extensions, readExtensionList, readExtensions } from './extensions.ts'
import { type DistinguishedName, readName, sameName } from './name.ts'
import { expectSignatureForm, type SignatureAlgorithm, signatureAlgorithm, signatureHolds } from './signature.ts'
import { expectTime } from './validity.ts'

/** Largest revocation list that is read unless the caller says less, in bytes. */
export const MAX_CRL_BYTES = 1024 * 1024

/** A revocation list that was read but not judged: nothing in it is true before {@link verifyCrl} held. */
export interface Crl {
  readonly der: Uint8Array
  /** What the issuer signed. */
  readonly tbs: Uint8Array
  readonly issuer: DistinguishedName
  readonly thisUpdateMs: number
  /** From this moment on the list says nothing any more. */
  readonly nextUpdateMs: number
  /** Content bytes of the serial numbers, lower-case hex. */
  readonly revokedSerials: ReadonlySet<string>
  readonly signatureAlgorithm: SignatureAlgorithm
  readonly signature: Uint8Array
}

/**
 * Reads a version 2 certificate revocation list (RFC 5280 §5) in strict DER that fills `der`. A list with a critical
 * extension (a delta, a part, an indirect one) is refused, as is one without an end.
 *
 * @param maxBytes - @default {@link MAX_CRL_BYTES}
 * @throws {AttestationError} `ATTESTATION_CRL_TOO_LARGE`, `ATTESTATION_CRL_INVALID`
 */
export function parseCrl(der: Uint8Array, maxBytes: number = MAX_CRL_BYTES): Crl {
  if (der.byteLength > maxBytes) {
    throw new AttestationError(
      'ATTESTATION_CRL_TOO_LARGE',
      `A revocation list has ${der.byteLength} bytes: expected at most ${maxBytes}`
    )
  }
  try {
    return readWhole(der, TAG.sequence, 'The list', list => readCrl(der, list))
  } catch (cause) {
    if (!(cause instanceof DerFault)) {
      throw cause
    }
    throw new AttestationError('ATTESTATION_CRL_INVALID', `A revocation list is not in its format: ${cause.message}`, {
      cause
    })
  }
}

/**
 * Decides whether a list is its issuer's and in force. `issuer` must have passed {@link verifyChain}.
 *
 * @throws {AttestationError} `ATTESTATION_CRL_ISSUER_MISMATCH`, `ATTESTATION_CRL_SIGNATURE_INVALID`,
 *   `ATTESTATION_CRL_NOT_YET_VALID`, `ATTESTATION_CRL_EXPIRED`
 * @throws {UsageError} `ATTESTATION_INPUT_INVALID` if `nowMs` is not usable
 */
export function verifyCrl(crl: Crl, issuer: Certificate, nowMs: number): void {
  expectTime(nowMs)
  const maySign = issuer.basicConstraints.ca && issuer.keyUsage?.has('cRLSign') !== false
  if (!maySign || !sameName(crl.issuer, issuer.subject)) {
    throw refusal('ISSUER_MISMATCH', `A revocation list is by ${crl.issuer.text}: expected ${issuer.subject.text}`)
  }
  if (!signatureHolds(crl.signatureAlgorithm, issuer, crl.tbs, crl.signature)) {
    throw refusal('SIGNATURE_INVALID', `A revocation list is not signed by ${issuer.subject.text}`)
  }
  if (!(nowMs >= crl.thisUpdateMs)) {
    throw refusal(
      'NOT_YET_VALID',
      `The revocation list of ${crl.issuer.text} is of ${new Date(crl.thisUpdateMs).toISOString()}: check the clock`
    )
  }
  if (!(nowMs < crl.nextUpdateMs)) {
    throw refusal(
      'EXPIRED',
      `The revocation list of ${crl.issuer.text} ended at ${new Date(crl.nextUpdateMs).toISOString()}: fetch a new one`
    )
  }
}

/**
 * @throws {AttestationError} `ATTESTATION_CERTIFICATE_REVOKED` if a verified list names the certificate,
 *   `ATTESTATION_CRL_ISSUER_MISMATCH` if the list is not by the certificate's issuer
 */
export function expectNotRevoked(certificate: Certificate, crl: Crl): void {
  if (!sameName(certificate.issuer, crl.issuer)) {
    throw refusal('ISSUER_MISMATCH', `A revocation list is by ${crl.issuer.text}: expected ${certificate.issuer.text}`)
  }
  const serial = toHex(certificate.serial)
  if (crl.revokedSerials.has(serial)) {
    throw new AttestationError(
      'ATTESTATION_CERTIFICATE_REVOKED',
      `The certificate ${serial} of ${certificate.subject.text} is revoked`
    )
  }
}

function readCrl(der: Uint8Array, list: DerReader): Crl {
  const tbs = list.read(TAG.sequence, 'tbsCertList').raw
  const outerAlgorithm = list.read(TAG.sequence, 'signatureAlgorithm').raw
  const signature = readBitStringBytes(list, 'The signature')
  return readWhole(tbs, TAG.sequence, 'tbsCertList', fields => {
    if (readSmallInteger(fields, 'version') !== 1) {
      throw new DerFault('it is not of version 2')
    }
    const innerAlgorithm = fields.read(TAG.sequence, 'signature').raw
    const issuer = readName(fields, 'The issuer')
    const thisUpdateMs = readTime(fields, 'thisUpdate')
    const nextUpdateMs = readTime(fields, 'nextUpdate')
    const revokedSerials = fields.nextTag === TAG.sequence ? readRevoked(fields) : new Set<string>()
    expectNoneCritical(readExtensions(fields, 0, 'crlExtensions'))
    const algorithm = signatureAlgorithm(outerAlgorithm)
    if (algorithm === undefined || toHex(innerAlgorithm) !== toHex(outerAlgorithm)) {
      throw new DerFault('its signature algorithm is not known, or named twice')
    }
    expectSignatureForm(algorithm, signature)
    return { der, tbs, issuer, thisUpdateMs, nextUpdateMs, revokedSerials, signatureAlgorithm: algorithm, signature }
  })
}

function readRevoked(fields: DerReader): ReadonlySet<string> {
  return fields.nested(TAG.sequence, 'revokedCertificates', entries => {
    const serials = new Set<string>()
    // RFC 5280 §5.1.2.6 leaves a list of none out; written out it says the same.
    while (!entries.atEnd) {
      entries.nested(TAG.sequence, 'A revoked certificate', entry => {
        serials.add(toHex(readSerial(entry)))
        readTime(entry, 'revocationDate')
        if (!entry.atEnd) {
          expectNoneCritical(readExtensionList(entry, 'crlEntryExtensions'))
        }
      })
    }
    return serials
  })
}

function expectNoneCritical(extensions: Extensions): void {
  for (const [oid, { critical }] of extensions) {
    if (critical) {
      throw new DerFault(`it has the critical extension ${oid}`)
    }
  }
}

function refusal(cause: string, message: string): AttestationError {
  return new AttestationError(`ATTESTATION_CRL_${cause}`, message)
}
