import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { type Certificate, parseCertificate } from '../../../../src/attest/x509/certificate.ts'
import { bits, bool, der, int, name, octets, oid, seq, time } from './der-writer.ts'

/** Begin and end of what tests make, unless they say otherwise. */
export const MADE_FROM_MS = Date.UTC(2026, 0, 1)
export const MADE_UNTIL_MS = Date.UTC(2027, 0, 1)

const ECDSA_SHA256 = seq(oid('1.2.840.10045.4.3.2'))

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

/** Makes an X.509 certificate on P-256, signed for real. */
export function makeCertificate(init: CertificateInit): MadeCertificate {
  const keys = init.keys ?? generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { publicKey, privateKey } = keys
  const issuerName = init.issuerName ?? init.issuer?.subject ?? init.subject
  const fields = [
    der(0xa0, int(2)),
    int(init.serial ?? 1),
    ECDSA_SHA256,
    name(issuerName),
    seq(time(init.fromMs ?? MADE_FROM_MS), time(init.untilMs ?? MADE_UNTIL_MS)),
    name(init.subject),
    new Uint8Array(publicKey.export({ format: 'der', type: 'spki' })),
    der(0xa3, seq(...extensionsOf(init).map(writeExtension)))
  ]
  const tbs = seq(...(init.fields?.(fields) ?? fields))
  const encoded = seq(
    tbs,
    init.outerAlgorithm ?? ECDSA_SHA256,
    bits(sign('sha256', tbs, init.issuer?.privateKey ?? privateKey))
  )
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
  readonly extensions?: readonly MadeExtension[]
  readonly entryExtensions?: readonly MadeExtension[]
}

/** Makes a revocation list, signed for real. */
export function makeCrl(init: CrlInit): Uint8Array {
  const fromMs = init.fromMs ?? MADE_FROM_MS
  const entries = (init.revoked ?? []).map(serial =>
    seq(int(serial), time(fromMs), ...(init.entryExtensions ? [seq(...init.entryExtensions.map(writeExtension))] : []))
  )
  const tbs = seq(
    int(1),
    ECDSA_SHA256,
    name(init.issuerName ?? init.issuer.subject),
    time(fromMs),
    time(init.untilMs ?? MADE_UNTIL_MS),
    ...(entries.length > 0 ? [seq(...entries)] : []),
    ...(init.extensions ? [der(0xa0, seq(...init.extensions.map(writeExtension)))] : [])
  )
  return seq(tbs, ECDSA_SHA256, bits(sign('sha256', tbs, (init.signer ?? init.issuer).privateKey)))
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
