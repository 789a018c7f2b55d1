import { verify } from 'node:crypto'
import { AttestationError } from '../../core/errors.ts'
import { type Certificate, parseCertificate } from '../x509/certificate.ts'
import { verifyChain } from '../x509/chain.ts'
import { type Crl, expectNotRevoked, parseCrl, verifyCrl } from '../x509/crl.ts'
import { splitPem } from '../x509/pem.ts'
import { intersect, type Validity } from '../x509/validity.ts'
import type { TdxCollateral } from './collateral.ts'
import type { IssueDates } from './collateral-fields.ts'
import { type QeIdentity, readQeIdentity } from './qe-identity.ts'
import { readTcbInfo, type TcbInfo } from './tcb-info.ts'

/** The subject of the certificate that signs TCB info and identities. */
const TCB_SIGNER = 'Intel SGX TCB Signing'

/** What to judge signed material by. */
export interface Trust {
  /** SHA-256 of the root's DER, lower-case hex. */
  readonly rootSha256: string
  /** Unix milliseconds. */
  readonly nowMs: number
}

/** Collateral whose signatures held. */
export interface VerifiedCollateral {
  readonly tcbInfo: TcbInfo
  readonly qeIdentity: QeIdentity
  readonly rootCrl: Crl
  readonly pckCrl: Crl
  /** The CA whose list {@link pckCrl} is. */
  readonly pckCa: Certificate
  /** When all of it is valid. */
  readonly validity: Validity
}

/**
 * Decides whether collateral is Intel's and in force: three chains to a pinned root, none of it revoked; both revocation
 * lists by the right issuers; TCB info and identity signed by the TCB signing certificate; all of it valid now.
 *
 * @throws {AttestationError} `ATTESTATION_COLLATERAL_INVALID`, `ATTESTATION_COLLATERAL_SIGNER_REFUSED`,
 *   `ATTESTATION_COLLATERAL_SIGNATURE_INVALID`, `ATTESTATION_COLLATERAL_NOT_YET_VALID`,
 *   `ATTESTATION_COLLATERAL_EXPIRED`, and the codes of certificates, lists and PEM
 * @throws {UsageError} `ATTESTATION_INPUT_INVALID` if the time is not usable
 */
export function verifyCollateral(collateral: TdxCollateral, trust: Trust): VerifiedCollateral {
  const tcbSigner = readTcbSigner(collateral.tcb_info_issuer_chain)
  const sameSigner = collateral.qe_identity_issuer_chain === collateral.tcb_info_issuer_chain
  const qeSigner = sameSigner ? tcbSigner : readTcbSigner(collateral.qe_identity_issuer_chain)
  const [pckCa, root] = expectChain(readChain(collateral.pck_crl_issuer_chain), 2)
  const rootCrl = parseCrl(Buffer.from(collateral.root_ca_crl, 'hex'))
  const pckCrl = parseCrl(Buffer.from(collateral.pck_crl, 'hex'))

  const chains: Array<[Certificate, Certificate]> = [tcbSigner, ...(sameSigner ? [] : [qeSigner]), [pckCa, root]]
  const validities = chains.map(chain => verifyTrustedChain(chain, trust))
  verifyCrl(rootCrl, root, trust.nowMs)
  for (const [issued] of chains) {
    expectNotRevoked(issued, rootCrl)
  }
  verifyCrl(pckCrl, pckCa, trust.nowMs)

  expectSigned(collateral.tcb_info, collateral.tcb_info_signature, tcbSigner[0], 'The TCB info')
  expectSigned(collateral.qe_identity, collateral.qe_identity_signature, qeSigner[0], "The quoting enclave's identity")
  const tcbInfo = readTcbInfo(collateral.tcb_info)
  const qeIdentity = readQeIdentity(collateral.qe_identity)
  expectInForce(tcbInfo, trust.nowMs, 'The TCB info')
  expectInForce(qeIdentity, trust.nowMs, "The quoting enclave's identity")
  return {
    tcbInfo,
    qeIdentity,
    rootCrl,
    pckCrl,
    pckCa,
    validity: intersect(
      ...validities,
      ...[rootCrl, pckCrl].map(crl => ({ notBeforeMs: crl.thisUpdateMs, notAfterMs: crl.nextUpdateMs - 1 })),
      ...[tcbInfo, qeIdentity].map(item => ({ notBeforeMs: item.issueDate, notAfterMs: item.nextUpdate - 1 }))
    )
  }
}

/**
 * Reads the certificates of a chain in PEM, at most three, none of them judged.
 *
 * @throws {AttestationError} the codes of certificates and PEM
 */
export function readChain(pem: string | Uint8Array): Certificate[] {
  return splitPem(pem, 3).map(parseCertificate)
}

/** The first certificate of a chain and the last. @throws {AttestationError} `ATTESTATION_CERTIFICATE_CHAIN_INVALID` */
export function expectChain(chain: readonly Certificate[], length: number): [Certificate, Certificate] {
  const [first, last] = [chain[0], chain.at(-1)]
  if (chain.length !== length || first === undefined || last === undefined) {
    throw new AttestationError(
      'ATTESTATION_CERTIFICATE_CHAIN_INVALID',
      `A chain has ${chain.length} certificates: expected ${length}`
    )
  }
  return [first, last]
}

/** {@link verifyChain} to the one root that is trusted. */
export function verifyTrustedChain(chain: readonly Certificate[], { rootSha256, nowMs }: Trust): Validity {
  return verifyChain({ chain, rootSha256: [rootSha256], nowMs })
}

function readTcbSigner(pem: string): [Certificate, Certificate] {
  const chain = readChain(pem)
  const [signer] = chain
  const maySign = signer?.keyUsage?.has('digitalSignature') !== false && signer?.basicConstraints.ca === false
  if (signer?.subject.commonName !== TCB_SIGNER || signer.keyType !== 'p256' || !maySign) {
    throw new AttestationError(
      'ATTESTATION_COLLATERAL_SIGNER_REFUSED',
      `Collateral is signed by ${signer?.subject.text}: expected ${TCB_SIGNER}`
    )
  }
  return expectChain(chain, 2)
}

function expectSigned(signed: string, signatureHex: string, signer: Certificate, what: string): void {
  const key = { key: signer.publicKey, dsaEncoding: 'ieee-p1363' } as const
  if (!verify('sha256', Buffer.from(signed), key, Buffer.from(signatureHex, 'hex'))) {
    throw new AttestationError(
      'ATTESTATION_COLLATERAL_SIGNATURE_INVALID',
      `${what} is not signed by ${signer.subject.text}`
    )
  }
}

function expectInForce({ issueDate, nextUpdate }: IssueDates, nowMs: number, what: string): void {
  if (!(nowMs >= issueDate)) {
    throw new AttestationError(
      'ATTESTATION_COLLATERAL_NOT_YET_VALID',
      `${what} is of ${new Date(issueDate).toISOString()}: check the clock`
    )
  }
  if (!(nowMs < nextUpdate)) {
    throw new AttestationError(
      'ATTESTATION_COLLATERAL_EXPIRED',
      `${what} ended at ${new Date(nextUpdate).toISOString()}: fetch a new one`
    )
  }
}
