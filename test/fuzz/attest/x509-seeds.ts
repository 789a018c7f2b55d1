import { readFileSync } from 'node:fs'
import { type Certificate, parseCertificate } from '../../../src/attest/x509/certificate.ts'
import { splitPem } from '../../../src/attest/x509/pem.ts'
import { fromHex, toHex } from '../../../src/core/bytes.ts'
import { sharedPath } from '../../support/shared-data.ts'
import { type DerDocument, readDerDocument } from '../mutate-der.ts'
import type { SeededPlatform } from './seeded-platform.ts'

/** A list, and the certificate of who signed it. */
export interface SeedList {
  readonly der: Uint8Array
  readonly issuer: Certificate
  readonly nowMs: number
}

/** Chains in PEM, the leaf first, with the moment they are valid at. */
export interface SeedChain {
  readonly pem: string
  readonly nowMs: number
}

export const MADE_NOW_MS = Date.UTC(2026, 5, 15)
const INTEL_NOW_MS = 1_750_332_747_000
const AMD_NOW_MS = Date.UTC(2026, 0, 10)
const NVIDIA_NOW_MS = Date.UTC(2024, 5, 1)

/** Genuine certificates, chains and lists: recorded ones where they are at hand, made ones always. */
export class X509Seeds {
  readonly chains: readonly SeedChain[]
  readonly lists: readonly SeedList[]
  readonly certificates: readonly DerDocument[]
  readonly crls: readonly DerDocument[]
  /** What genuine issuers signed, hex: no other may ever be found signed. */
  readonly genuine: ReadonlySet<string>

  constructor(platform: SeededPlatform) {
    const { ca, root, tcbSigner } = platform.certificates
    const madeLists = [
      platform.crl('root'),
      platform.crl('root', { revoked: [7, 8], entryExtensions: [{ oid: '2.5.29.21', value: fromHex('0a0101', 3) }] })
    ]
    const recorded = recordedChains()
    this.chains = [
      { pem: platform.pckChain, nowMs: MADE_NOW_MS },
      { pem: tcbSigner.pem + root.pem, nowMs: MADE_NOW_MS },
      ...recorded
    ]
    this.lists = [
      ...madeLists.map(der => ({ der, issuer: root.parsed(), nowMs: MADE_NOW_MS })),
      { der: platform.crl('ca'), issuer: ca.parsed(), nowMs: MADE_NOW_MS },
      ...recordedLists()
    ]
    const ders = new Map(this.chains.flatMap(({ pem }) => splitPem(pem, 8)).map(der => [toHex(der), der]))
    this.certificates = [...ders.values()].map(readDerDocument)
    this.crls = this.lists.map(({ der }) => readDerDocument(der))
    this.genuine = new Set(
      [...this.certificates, ...this.crls].map(({ nodes }) => toHex(nodes[0]?.children[0]?.raw ?? new Uint8Array()))
    )
  }
}

function recordedChains(): SeedChain[] {
  const folder = sharedPath('vectors', 'attestation')
  if (folder === undefined) {
    return []
  }
  const text = (...path: string[]): string =>
    readFileSync([folder, ...path].join('/'), 'latin1').replaceAll(
      '-----END CERTIFICATE----------BEGIN',
      '-----END CERTIFICATE-----\n-----BEGIN'
    )
  const collateral = JSON.parse(text('tdx', 'phala-tdx-v4.collateral.json')) as Record<string, string>
  return [
    { pem: text('snp', 'azure-milan.vcek-chain.pem'), nowMs: AMD_NOW_MS },
    { pem: text('snp', 'amd-ask-ark-genoa.pem'), nowMs: AMD_NOW_MS },
    { pem: text('snp', 'amd-ask-ark-turin.pem'), nowMs: AMD_NOW_MS },
    { pem: text('nvidia', 'gonvtrust-h100.chain.pem'), nowMs: NVIDIA_NOW_MS },
    { pem: collateral['pck_crl_issuer_chain'] ?? '', nowMs: INTEL_NOW_MS },
    { pem: collateral['tcb_info_issuer_chain'] ?? '', nowMs: INTEL_NOW_MS }
  ]
}

function recordedLists(): SeedList[] {
  const path = sharedPath('vectors', 'attestation', 'tdx', 'phala-tdx-v4.collateral.json')
  if (path === undefined) {
    return []
  }
  const collateral = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>
  const [ca, root] = splitPem(collateral['pck_crl_issuer_chain'] ?? '', 2).map(parseCertificate)
  if (ca === undefined || root === undefined) {
    throw new RangeError('The recorded collateral does not hold its CA and the root')
  }
  const list = (field: string, issuer: Certificate): SeedList => ({
    der: new Uint8Array(Buffer.from(collateral[field] ?? '', 'hex')),
    issuer,
    nowMs: INTEL_NOW_MS
  })
  return [list('root_ca_crl', root), list('pck_crl', ca)]
}
