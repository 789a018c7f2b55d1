import { createHash, verify as verifySignature } from 'node:crypto'
import { sha256, toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import { type Certificate, parseCertificate } from '../x509/certificate.ts'
import { verifyChain } from '../x509/chain.ts'
import { expectTime, type Validity } from '../x509/validity.ts'
import { appraiseSnpReport, type SnpTcbs } from './appraise.ts'
import { chainNames, readEndorsement } from './endorsement.ts'
import type { SnpGuestPolicy } from './guest-policy.ts'
import type { SnpPlatformFlag } from './platform-info.ts'
import type { SnpPolicy } from './policy.ts'
import { AMD_ROOTS, productOfArk, type SnpProduct, type SnpRoots } from './product.ts'
import { parseSnpReport, type SnpReport, type SnpSigner } from './report.ts'
import type { SnpTcb } from './tcb.ts'

export interface SignedSnpReportInput {
  /** 1,184 bytes. */
  readonly report: Uint8Array
  /** DER: the chip's or cloud's key (VCEK, VLEK), AMD's key above it (ASK, ASVK), AMD's root (ARK). */
  readonly certificates: { readonly leaf: Uint8Array; readonly ask: Uint8Array; readonly ark: Uint8Array }
  /** Unix milliseconds to judge validity at. */
  readonly nowMs: number
  readonly policy: SnpPolicy
  /** For tests. @default {@link AMD_ROOTS} */
  readonly roots?: SnpRoots
}

/** What a report says of its guest and its machine. Says nothing of when that was. */
export interface SnpGuest {
  /** What was loaded at launch, 48 bytes. */
  readonly measurement: Uint8Array
  /** 64 bytes, the guest's own. */
  readonly reportData: Uint8Array
  /** 32 bytes, the host's. */
  readonly hostData: Uint8Array
  /** 16 bytes. */
  readonly familyId: Uint8Array
  /** 16 bytes. */
  readonly imageId: Uint8Array
  /** 48 bytes, zero without an ID block. */
  readonly idKeyDigest: Uint8Array
  /** 48 bytes, zero unless an author key signed the ID key. */
  readonly authorKeyDigest: Uint8Array
  readonly guestSvn: number
  readonly policy: SnpGuestPolicy
  readonly platform: ReadonlySet<SnpPlatformFlag>
  readonly vmpl: number
  /** 64 bytes; zero if the host masks it, which only a VLEK allows. Certified only by a VCEK. */
  readonly chipId: Uint8Array
  readonly reportedTcb: SnpTcb
  readonly launchTcb: SnpTcb
  readonly product: SnpProduct
  readonly signer: SnpSigner
  /** Who AMD gave the VLEK to; undefined for a VCEK. */
  readonly cloudId: string | undefined
  /** SHA-384 of what was signed, 48 bytes: names this report whatever form its signature has. */
  readonly signedBodyDigest: Uint8Array
}

/** A report that its chain signed. Whether that chain was revoked is not asked yet: see {@link verifySnpReport}. */
export interface SignedSnpReport {
  readonly guest: SnpGuest
  readonly chain: { readonly leaf: Certificate; readonly ask: Certificate; readonly ark: Certificate }
  /** When the whole chain is valid. */
  readonly validity: Validity
}

/**
 * All of {@link verifySnpReport} but revocation, for whoever fetches the list that it needs: the report's shape; the chain
 * to AMD's pinned root; the signature; what the certificate says of chip and TCB against what the report says; the policy.
 *
 * @throws {AttestationError} `ATTESTATION_CERTIFICATE_ROOT_UNKNOWN`, `ATTESTATION_SNP_CHAIN_MISMATCH`,
 *   `ATTESTATION_SNP_SIGNATURE_INVALID` and those of {@link parseSnpReport}, {@link parseCertificate}, {@link verifyChain},
 *   {@link readEndorsement} and {@link appraiseSnpReport}
 * @throws {UsageError} `ATTESTATION_INPUT_INVALID` if `nowMs` is not usable
 */
export function verifySignedSnpReport(input: SignedSnpReportInput): SignedSnpReport {
  const { report: bytes, certificates, nowMs, policy, roots = AMD_ROOTS } = input
  expectTime(nowMs)
  const report = parseSnpReport(bytes)
  const leaf = parseCertificate(certificates.leaf)
  const ask = parseCertificate(certificates.ask)
  const ark = parseCertificate(certificates.ark)
  const arkDigest = toHex(sha256(ark.der))
  const product = productOfArk(arkDigest, roots)
  if (product === undefined) {
    throw new AttestationError(
      'ATTESTATION_CERTIFICATE_ROOT_UNKNOWN',
      `The chain ends at ${ark.subject.text} (${arkDigest}), which is no root of AMD's`
    )
  }
  expectNames(product, report.signer, leaf, ask)
  const validity = verifyChain({ chain: [leaf, ask, ark], rootSha256: [arkDigest], nowMs })
  expectReportSignature(report, leaf)

  const endorsement = readEndorsement(leaf, product, report.signer)
  const tcbs = appraiseSnpReport(report, product, endorsement, policy)

  const guest = guestOf(report, { product, cloudId: endorsement.cloudId, tcbs })
  return { guest, chain: { leaf, ask, ark }, validity }
}

function guestOf(
  report: SnpReport,
  { product, cloudId, tcbs }: Pick<SnpGuest, 'product' | 'cloudId'> & { readonly tcbs: SnpTcbs }
): SnpGuest {
  const { measurement, reportData, hostData, familyId, imageId, idKeyDigest, authorKeyDigest } = report
  return {
    measurement,
    reportData,
    hostData,
    familyId,
    imageId,
    idKeyDigest,
    authorKeyDigest,
    guestSvn: report.guestSvn,
    policy: report.policy,
    platform: report.platform,
    vmpl: report.vmpl,
    chipId: report.chipId,
    reportedTcb: tcbs.reported,
    launchTcb: tcbs.launch,
    product,
    signer: report.signer,
    cloudId,
    signedBodyDigest: new Uint8Array(createHash('sha384').update(report.signedBody).digest())
  }
}

// VCEK and VLEK have one root: only the names between keep a cloud's key from speaking for a chip.
function expectNames(product: SnpProduct, signer: SnpSigner, leaf: Certificate, ask: Certificate): void {
  const names = chainNames(product, signer)
  if (leaf.subject.commonName !== names.leaf || ask.subject.commonName !== names.issuer) {
    throw refusal(
      'CHAIN_MISMATCH',
      `The chain is ${leaf.subject.text} under ${ask.subject.text}: expected ${names.leaf} under ${names.issuer}`
    )
  }
}

function expectReportSignature({ signature, signedBody }: SnpReport, leaf: Certificate): void {
  const key = { key: leaf.publicKey, dsaEncoding: 'ieee-p1363' } as const
  if (leaf.keyType !== 'p384' || !verifySignature('sha384', signedBody, key, signature)) {
    throw refusal('SIGNATURE_INVALID', `${leaf.subject.text} did not sign the report`)
  }
}

function refusal(cause: string, message: string): AttestationError {
  return new AttestationError(`ATTESTATION_SNP_${cause}`, message)
}
