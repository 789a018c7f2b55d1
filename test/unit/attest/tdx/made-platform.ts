import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { readCollateral, type TdxCollateral } from '../../../../src/attest/tdx/collateral.ts'
import { type VerifyTdxInput } from '../../../../src/attest/tdx/verifier.ts'
import { sha256, toHex } from '../../../../src/core/bytes.ts'
import { int, octets, oid, seq } from '../x509/der-writer.ts'
import {
  type CertificateInit,
  type CrlInit,
  type MadeCertificate,
  makeCertificate,
  makeCrl
} from '../x509/make-certificate.ts'

export const NOW_MS = Date.UTC(2026, 5, 15)

const SGX = '1.2.840.113741.1.13.1'
const INTEL_QE_VENDOR = '939a7233f79c4ca9940a0db3957f0607'
const QE_SIGNER = 'dc'.repeat(32)

type Json = Record<string, unknown>

/** What a test changes about a platform that is otherwise in order; every signature is made after the change. */
export interface PlatformInit {
  readonly certificates?: Partial<Record<'root' | 'ca' | 'pck' | 'tcbSigner', Partial<CertificateInit>>>
  /** The PCK CA as the collateral has it, where it is not the quote's: with the same key, or with another. */
  readonly collateralCa?: 'renewed' | 'stranger'
  readonly sgxExtension?: Uint8Array
  readonly rootCrl?: Partial<CrlInit>
  readonly pckCrl?: Partial<CrlInit>
  readonly tcbInfo?: (info: Json) => Json | string
  readonly qeIdentity?: (identity: Json) => Json | string
  /** Changes the body of the TD: 584 bytes, or 648 with `version` 5. */
  readonly body?: (body: Buffer) => void
  readonly header?: (header: Buffer) => void
  readonly qeReport?: (report: Buffer) => void
  /** 3 is of an SGX enclave, whose report `body` changes. */
  readonly version?: 3 | 4 | 5
  readonly policy?: Partial<NonNullable<VerifyTdxInput['policy']>>
}

/** A platform with an own root, its collateral and a quote: accepted unless `init` says otherwise. */
export function madePlatform(
  init: PlatformInit = {}
): VerifyTdxInput & { collateral: TdxCollateral; rootSha256: string } {
  const certificates = makeCertificates(init)
  const { root, ca, pck, tcbSigner } = certificates
  const signedBy = (text: string): string =>
    sign('sha256', Buffer.from(text), { key: tcbSigner.privateKey, dsaEncoding: 'ieee-p1363' }).toString('hex')
  const tcbInfo = json(init.tcbInfo?.(tcbInfoOf(init)) ?? tcbInfoOf(init))
  const qeIdentity = json(init.qeIdentity?.(qeIdentityOf(init)) ?? qeIdentityOf(init))
  const crlCa = collateralCa(init, ca, root)
  const collateral = readCollateral({
    pck_crl_issuer_chain: crlCa.pem + root.pem,
    root_ca_crl: toHex(makeCrl({ issuer: root, ...init.rootCrl })),
    pck_crl: toHex(makeCrl({ issuer: crlCa, ...init.pckCrl })),
    tcb_info_issuer_chain: tcbSigner.pem + root.pem,
    tcb_info: tcbInfo,
    tcb_info_signature: signedBy(tcbInfo),
    qe_identity_issuer_chain: tcbSigner.pem + root.pem,
    qe_identity: qeIdentity,
    qe_identity_signature: signedBy(qeIdentity)
  })
  return {
    quote: makeQuote(init, pck.pem + ca.pem + root.pem, pck.privateKey),
    collateral,
    nowMs: NOW_MS,
    rootSha256: toHex(sha256(root.der)),
    policy: {
      acceptedTcbStatuses: ['UpToDate'],
      allowedTdAttributes: [],
      minTcbEvaluationDataNumber: 0,
      ...init.policy
    }
  }
}

export function makeCertificates(init: PlatformInit): Record<'root' | 'ca' | 'pck' | 'tcbSigner', MadeCertificate> {
  const own = init.certificates ?? {}
  const root = makeCertificate({ subject: 'Test Root', ca: true, keyUsage: [5, 6], ...own.root })
  const ca = makeCertificate({
    subject: 'Intel SGX PCK Platform CA',
    issuer: root,
    serial: 2,
    ca: true,
    pathLength: 0,
    keyUsage: [5, 6],
    ...own.ca
  })
  const pck = makeCertificate({
    subject: 'Intel SGX PCK Certificate',
    issuer: ca,
    serial: 3,
    keyUsage: [0, 1],
    extensions: [{ oid: SGX, value: init.sgxExtension ?? sgxExtension() }],
    ...own.pck
  })
  const tcbSigner = makeCertificate({
    subject: 'Intel SGX TCB Signing',
    issuer: root,
    serial: 4,
    keyUsage: [0, 1],
    ...own.tcbSigner
  })
  return { root, ca, pck, tcbSigner }
}

function collateralCa(
  { collateralCa: kind }: PlatformInit,
  ca: MadeCertificate,
  root: MadeCertificate
): MadeCertificate {
  const keys = kind === 'renewed' ? { keys: ca.keys } : {}
  return kind === undefined
    ? ca
    : makeCertificate({ subject: ca.subject, issuer: root, serial: 22, ca: true, keyUsage: [5, 6], ...keys })
}

/** The SGX extension of a PCK certificate, every component at version 5. */
export function sgxExtension({
  fmspc = 'aabbccddeeff',
  components = 16,
  svn = 5,
  pceSvn = 11,
  more = [] as Uint8Array[]
} = {}): Uint8Array {
  const field = (path: string, value: Uint8Array): Uint8Array => seq(oid(`${SGX}.${path}`), value)
  const versions = Array.from({ length: components }, (_, i) => field(`2.${i + 1}`, int(svn)))
  return seq(
    field('1', octets(new Uint8Array(16))),
    field('2', seq(...versions, field('2.17', int(pceSvn)), field('2.18', octets(new Uint8Array(16))))),
    field('3', octets([0, 0])),
    field('4', octets(Buffer.from(fmspc, 'hex'))),
    field('5', int(1, 0x0a)),
    ...more
  )
}

export function tcbInfoOf({ version }: PlatformInit = {}): Json {
  const identity = { mrsigner: '00'.repeat(48), attributes: '0000000000000000', attributesMask: 'FFFFFFFFFFFFFFFF' }
  const level = (tdx: number, tcbStatus: string, advisoryIDs?: string[]): Json => ({
    tcb: {
      sgxtcbcomponents: Array.from({ length: 16 }, () => ({ svn: 5 })),
      pcesvn: 11,
      tdxtcbcomponents: Array.from({ length: 16 }, () => ({ svn: tdx }))
    },
    tcbDate: '2026-01-01T00:00:00Z',
    tcbStatus,
    ...(advisoryIDs && { advisoryIDs })
  })
  return {
    id: version === 3 ? 'SGX' : 'TDX',
    version: 3,
    issueDate: '2026-06-01T00:00:00Z',
    nextUpdate: '2026-07-01T00:00:00Z',
    fmspc: 'AABBCCDDEEFF',
    pceId: '0000',
    tcbType: 0,
    tcbEvaluationDataNumber: 17,
    tdxModule: identity,
    tdxModuleIdentities: [
      {
        id: 'TDX_01',
        ...identity,
        tcbLevels: [
          { tcb: { isvsvn: 4 }, tcbDate: '2026-01-01T00:00:00Z', tcbStatus: 'UpToDate' },
          {
            tcb: { isvsvn: 2 },
            tcbDate: '2025-01-01T00:00:00Z',
            tcbStatus: 'OutOfDate',
            advisoryIDs: ['INTEL-SA-00002']
          }
        ]
      }
    ],
    tcbLevels: [level(5, 'UpToDate'), level(3, 'OutOfDate', ['INTEL-SA-00001'])]
  }
}

export function qeIdentityOf({ version }: PlatformInit = {}): Json {
  return {
    id: version === 3 ? 'QE' : 'TD_QE',
    version: 2,
    issueDate: '2026-06-01T00:00:00Z',
    nextUpdate: '2026-07-02T00:00:00Z',
    tcbEvaluationDataNumber: 17,
    miscselect: '00000000',
    miscselectMask: 'FFFFFFFF',
    attributes: '11000000000000000000000000000000',
    attributesMask: 'FBFFFFFFFFFFFFFF0000000000000000',
    mrsigner: QE_SIGNER.toUpperCase(),
    isvprodid: 2,
    tcbLevels: [
      { tcb: { isvsvn: 4 }, tcbDate: '2026-01-01T00:00:00Z', tcbStatus: 'UpToDate' },
      { tcb: { isvsvn: 2 }, tcbDate: '2025-01-01T00:00:00Z', tcbStatus: 'OutOfDate', advisoryIDs: ['INTEL-SA-00003'] }
    ]
  }
}

export function makeQuote(init: PlatformInit, pckChain: string, pckKey: KeyObject): Uint8Array {
  const { version = 4 } = init
  const header = Buffer.alloc(48)
  header.writeUInt16LE(version, 0)
  header.writeUInt16LE(2, 2)
  header.writeUInt32LE(version === 3 ? 0 : 0x81, 4)
  header.write(INTEL_QE_VENDOR, 12, 'hex')
  init.header?.(header)
  const body = Buffer.alloc({ 3: 384, 4: 584, 5: 648 }[version])
  if (version !== 3) {
    // Module 1.5 and every other TDX component at 5; SEPT_VE_DISABLE.
    body.fill(5, 0, 16).writeUInt8(1, 1)
    body.writeUInt8(0x10, 123)
    body.write('report data', 520)
  }
  init.body?.(body)
  const descriptor = Buffer.alloc(version === 5 ? 6 : 0)
  if (version === 5) {
    descriptor.writeUInt16LE(3, 0)
    descriptor.writeUInt32LE(body.length, 2)
  }

  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const attestationKey = publicKey.export({ format: 'der', type: 'spki' }).subarray(-64)
  const authData = Buffer.from('authentication data of the QE..!')
  const report = Buffer.alloc(384)
  report.writeUInt8(0x11, 48)
  report.write(QE_SIGNER, 128, 'hex')
  report.writeUInt16LE(2, 256)
  report.writeUInt16LE(4, 258)
  createHash('sha256').update(attestationKey).update(authData).digest().copy(report, 320)
  init.qeReport?.(report)

  const signed = Buffer.concat([header, descriptor, body])
  const certification = Buffer.concat([
    report,
    rawSignature(report, pckKey),
    sized16(authData),
    typed(5, Buffer.from(`${pckChain}\0`))
  ])
  const signatureData = Buffer.concat([
    rawSignature(signed, privateKey),
    attestationKey,
    version === 3 ? certification : typed(6, certification)
  ])
  return new Uint8Array(Buffer.concat([signed, sized32(signatureData)]))
}

function rawSignature(message: Buffer, key: KeyObject): Buffer {
  return sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' })
}

function sized16(content: Buffer): Buffer {
  const size = Buffer.alloc(2)
  size.writeUInt16LE(content.length)
  return Buffer.concat([size, content])
}

function sized32(content: Buffer): Buffer {
  const size = Buffer.alloc(4)
  size.writeUInt32LE(content.length)
  return Buffer.concat([size, content])
}

function typed(type: number, content: Buffer): Buffer {
  const tag = Buffer.alloc(2)
  tag.writeUInt16LE(type)
  return Buffer.concat([tag, sized32(content)])
}

function json(value: Json | string): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
