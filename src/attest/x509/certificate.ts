import type { KeyObject } from 'node:crypto'
import { toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import { contextTag, DerFault, type DerReader, readWhole, TAG } from './der.ts'
import { readBitStringBytes, readInteger, readTime } from './der-values.ts'
import {
  type BasicConstraints,
  type Extensions,
  type KeyUsage,
  readBasicConstraints,
  readExtensions,
  readKeyUsage
} from './extensions.ts'
import { type DistinguishedName, readName } from './name.ts'
import {
  expectSignatureForm,
  type KeyType,
  readPublicKey,
  type SignatureAlgorithm,
  signatureAlgorithm,
  signatureHolds
} from './signature.ts'

/** Largest certificate that is read, in bytes. */
export const MAX_CERTIFICATE_BYTES = 8192

const MAX_SERIAL_BYTES = 21

/** A certificate that was read but not judged: nothing in it is true before {@link verifyChain} held. */
export interface Certificate {
  readonly der: Uint8Array
  /** What the issuer signed. */
  readonly tbs: Uint8Array
  /** Content bytes of the serial number: shortest form, not negative. */
  readonly serial: Uint8Array
  readonly issuer: DistinguishedName
  readonly subject: DistinguishedName
  readonly notBeforeMs: number
  /** The last moment of validity, inclusive (RFC 5280 §4.1.2.5). */
  readonly notAfterMs: number
  readonly keyType: KeyType
  readonly publicKey: KeyObject
  /** SubjectPublicKeyInfo. */
  readonly spki: Uint8Array
  readonly signatureAlgorithm: SignatureAlgorithm
  readonly signature: Uint8Array
  /** By object identifier in dotted form. */
  readonly extensions: Extensions
  readonly basicConstraints: BasicConstraints
  readonly keyUsage: KeyUsage | undefined
}

/**
 * Reads an X.509 v3 certificate (RFC 5280 §4.1) in strict DER that fills `der`: keys on P-256 or P-384, or RSA of 2048
 * to 8192 bits; ECDSA with SHA-256 or SHA-384, or RSA-PSS with SHA-384.
 *
 * @throws {AttestationError} `ATTESTATION_CERTIFICATE_TOO_LARGE`, `ATTESTATION_CERTIFICATE_INVALID`,
 *   `ATTESTATION_CERTIFICATE_UNSUPPORTED`
 */
export function parseCertificate(der: Uint8Array): Certificate {
  if (der.byteLength > MAX_CERTIFICATE_BYTES) {
    throw new AttestationError(
      'ATTESTATION_CERTIFICATE_TOO_LARGE',
      `A certificate has ${der.byteLength} bytes: expected at most ${MAX_CERTIFICATE_BYTES}`
    )
  }
  try {
    return readWhole(der, TAG.sequence, 'The certificate', certificate => readCertificate(der, certificate))
  } catch (cause) {
    if (!(cause instanceof DerFault)) {
      throw cause
    }
    throw new AttestationError(
      'ATTESTATION_CERTIFICATE_INVALID',
      `A certificate is not an X.509 certificate in DER: ${cause.message}`,
      { cause }
    )
  }
}

/** @throws {AttestationError} `ATTESTATION_CERTIFICATE_SIGNATURE_INVALID` unless the key of `issuer` signed `certificate` */
export function verifyCertificateSignature(certificate: Certificate, issuer: Certificate): void {
  if (!signatureHolds(certificate.signatureAlgorithm, issuer, certificate.tbs, certificate.signature)) {
    throw new AttestationError(
      'ATTESTATION_CERTIFICATE_SIGNATURE_INVALID',
      `The certificate of ${certificate.subject.text} is not signed by ${issuer.subject.text}`
    )
  }
}

function readCertificate(der: Uint8Array, certificate: DerReader): Certificate {
  const tbs = certificate.read(TAG.sequence, 'tbsCertificate').raw
  const outerAlgorithm = certificate.read(TAG.sequence, 'signatureAlgorithm').raw
  const signature = readBitStringBytes(certificate, 'The signature')
  return readWhole(tbs, TAG.sequence, 'tbsCertificate', fields => {
    const version = fields.readIf(contextTag(0), 'version')
    // Version 3, written out: RFC 5280 §4.1.2.1.
    if (version === undefined || toHex(version.content) !== '020102') {
      throw unsupported('it is not of version 3')
    }
    const serial = readSerial(fields)
    const innerAlgorithm = fields.read(TAG.sequence, 'signature').raw
    const issuer = readName(fields, 'The issuer')
    const [notBeforeMs, notAfterMs] = fields.nested(TAG.sequence, 'The validity', times => [
      readTime(times, 'notBefore'),
      readTime(times, 'notAfter')
    ])
    const subject = readName(fields, 'The subject')
    const spki = fields.read(TAG.sequence, 'The public key').raw
    const extensions = readExtensions(fields, 3, 'The extensions')
    if (toHex(innerAlgorithm) !== toHex(outerAlgorithm)) {
      throw new DerFault('it names two signature algorithms')
    }
    const algorithm = signatureAlgorithm(outerAlgorithm)
    const key = readPublicKey(spki)
    if (algorithm === undefined || key === undefined) {
      throw unsupported(`its ${key === undefined ? 'key' : 'signature algorithm'} is of a kind that is not known`)
    }
    expectSignatureForm(algorithm, signature)
    return {
      der,
      tbs,
      serial,
      issuer,
      subject,
      notBeforeMs,
      notAfterMs,
      ...key,
      spki,
      signatureAlgorithm: algorithm,
      signature,
      extensions,
      basicConstraints: readBasicConstraints(extensions),
      keyUsage: readKeyUsage(extensions)
    }
  })
}

/** A serial number: at most 20 bytes and not negative (RFC 5280 §4.1.2.2; AMD's are zero). */
export function readSerial(reader: DerReader): Uint8Array {
  const serial = readInteger(reader, 'The serial number')
  if (serial.length > MAX_SERIAL_BYTES || (serial[0] ?? 0) >= 0x80) {
    throw new DerFault('The serial number is out of range')
  }
  return serial
}

function unsupported(why: string): AttestationError {
  return new AttestationError('ATTESTATION_CERTIFICATE_UNSUPPORTED', `A certificate cannot be judged: ${why}`)
}
