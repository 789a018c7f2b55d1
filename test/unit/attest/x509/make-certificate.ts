import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { type Certificate, parseCertificate } from '../../../../src/attest/x509/certificate.ts'
import { bits, bool, der, int, name, octets, oid, seq, time } from './der-writer.ts'

/** Begin and end of what tests make, unless they say otherwise. */
export const MADE_FROM_MS = Date.UTC(2026, 0, 1)
export const MADE_UNTIL_MS = Date.UTC(2027, 0, 1)

const ECDSA_SHA256 = seq(oid('1.2.840.10045.4.3.2'))
const SHA384 = seq(oid('2.16.840.1.101.3.4.2.2'), der(0x05))
/** RSASSA-PSS with SHA-384 and a salt of 48 bytes, as AMD writes it. */
const RSA_PSS_SHA384 = seq(
  oid('1.2.840.113549.1.1.10'),
  seq(der(0xa0, SHA384), der(0xa1, seq(oid('1.2.840.113549.1.1.8'), SHA384)), der(0xa2, int(48)), der(0xa3, int(1)))
)

export interface MadeExtension {
  readonly oid: string
  readonly critical?: boolean
  readonly value: Uint8Array
}

export interface CertificateInit {
  readonly subject: string
  /** @default a new pair */
  readonly keys?: { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
  /** @default signs itself */
  readonly issuer?: MadeCertificate
  /** @default the issuer's subject */
  readonly issuerName?: string
  readonly serial?: number
  readonly fromMs?: number
  readonly untilMs?: number
  /** @default false */
  readonly ca?: boolean
  readonly pathLength?: number
  /** Bits of keyUsage by number; none: no such extension. */
  readonly keyUsage?: readonly number[]
  readonly extensions?: readonly MadeExtension[]
  /** Changes the fields of tbsCertificate before they are signed. */
  readonly fields?: (fields: Uint8Array[]) => Uint8Array[]
  /** Algorithm outside of what is signed. */
  readonly outerAlgorithm?: Uint8Array
}

/** A certificate of a test's own, and its key. */
export interface MadeCertificate {
  readonly der: Uint8Array
  readonly subject: string
  readonly privateKey: KeyObject
  readonly keys: NonNullable<CertificateInit['keys']>
  readonly pem: string
  readonly parsed: () => Certificate
}

/** Makes an X.509 certificate, signed for real by a key on P-256 or an RSA key. */
export function makeCertificate(init: CertificateInit): MadeCertificate {
  const keys = init.keys ?? generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { publicKey, privateKey } = keys
  const signer = init.issuer?.privateKey ?? privateKey
  const algorithm = algorithmOf(signer)
  const issuerName = init.issuerName ?? init.issuer?.subject ?? init.subject
  const fields = [
    der(0xa0, int(2)),
    int(init.serial ?? 1),
    algorithm,
    name(issuerName),
    seq(time(init.fromMs ?? MADE_FROM_MS), time(init.untilMs ?? MADE_UNTIL_MS)),
    name(init.subject),
    new Uint8Array(publicKey.export({ format: 'der', type: 'spki' })),
    der(0xa3, seq(...extensionsOf(init).map(writeExtension)))
  ]
  const tbs = seq(...(init.fields?.(fields) ?? fields))
  const encoded = seq(tbs, init.outerAlgorithm ?? algorithm, bits(signed(tbs, signer)))
  return {
    der: encoded,
    subject: init.subject,
    privateKey,
    keys,
    pem: pemOf(encoded),
    parsed: () => parseCertificate(encoded)
  }
}

export interface CrlInit {
  readonly issuer: MadeCertificate
  readonly issuerName?: string
  readonly signer?: MadeCertificate
  readonly fromMs?: number
  readonly untilMs?: number
  readonly revoked?: readonly number[]
  /** Whether a list of none is written out. @default false */
  readonly writesNone?: boolean
  readonly extensions?: readonly MadeExtension[]
  readonly entryExtensions?: readonly MadeExtension[]
}

/** Makes a revocation list, signed for real. */
export function makeCrl(init: CrlInit): Uint8Array {
  const fromMs = init.fromMs ?? MADE_FROM_MS
  const signer = (init.signer ?? init.issuer).privateKey
  const algorithm = algorithmOf(signer)
  const entries = (init.revoked ?? []).map(serial =>
    seq(int(serial), time(fromMs), ...(init.entryExtensions ? [seq(...init.entryExtensions.map(writeExtension))] : []))
  )
  const tbs = seq(
    int(1),
    algorithm,
    name(init.issuerName ?? init.issuer.subject),
    time(fromMs),
    time(init.untilMs ?? MADE_UNTIL_MS),
    ...(entries.length > 0 || init.writesNone === true ? [seq(...entries)] : []),
    ...(init.extensions ? [der(0xa0, seq(...init.extensions.map(writeExtension)))] : [])
  )
  return seq(tbs, algorithm, bits(signed(tbs, signer)))
}

function algorithmOf({ asymmetricKeyType }: KeyObject): Uint8Array {
  return asymmetricKeyType === 'rsa' ? RSA_PSS_SHA384 : ECDSA_SHA256
}

function signed(message: Uint8Array, key: KeyObject): Uint8Array {
  return key.asymmetricKeyType === 'rsa'
    ? sign('sha384', message, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 })
    : sign('sha256', message, key)
}

export function pemOf(encoded: Uint8Array): string {
  const lines = Buffer.from(encoded)
    .toString('base64')
    .replace(/(.{64})(?=.)/g, '$1\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}

function extensionsOf(init: CertificateInit): readonly MadeExtension[] {
  const limit = init.pathLength === undefined ? [] : [int(init.pathLength)]
  const basic = { oid: '2.5.29.19', critical: true, value: seq(...(init.ca === true ? [bool(true), ...limit] : [])) }
  const usage = init.keyUsage?.reduce((byte, bit) => byte | (0x80 >> bit), 0)
  const unused = usage === undefined ? 0 : Math.log2(usage & -usage)
  return [
    basic,
    ...(usage === undefined ? [] : [{ oid: '2.5.29.15', critical: true, value: bits([usage], unused) }]),
    ...(init.extensions ?? [])
  ]
}

function writeExtension({ oid: id, critical = false, value }: MadeExtension): Uint8Array {
  return seq(oid(id), ...(critical ? [bool(true)] : []), octets(value))
}
