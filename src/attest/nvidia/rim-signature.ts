import { createHash, verify } from 'node:crypto'

import { AttestationError } from '../../core/errors.ts'
import { type Certificate, parseCertificate } from '../x509/certificate.ts'
import { verifyChain } from '../x509/chain.ts'
import type { Validity } from '../x509/validity.ts'
import { canonicalXml } from './canonical-xml.ts'
import type { XmlElement } from './xml.ts'
import { base64, childElements, exactChildren, expectAttributes, onlyText } from './xml-shape.ts'

/** NVIDIA CoRIM signing Root CA: SHA-256 of its DER. Nothing else is trusted. */
const RIM_ROOT = '12977b5115acb0381179279fffeb5a8c4d264971ebb32298023a465fa41df5d1'
/** Signers of golden measurements for H100 and H200; the same root has those of other products. */
const RIM_AUTHORITY = 'NVIDIA Reference Value GH100 CA'
const CHAIN_LENGTH = 4
const SIGNATURE_BYTES = 96

/** Namespace of XML signatures. */
export const DSIG = 'http://www.w3.org/2000/09/xmldsig#'

const C14N11 = 'http://www.w3.org/2006/12/xml-c14n11'
const ECDSA_SHA384 = 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384'
const SHA384 = 'http://www.w3.org/2001/04/xmldsig-more#sha384'
const ENVELOPED = `${DSIG}enveloped-signature`

/**
 * Verifies the XML signature that `root` holds as its child `signature`: over the whole document but itself, in the one
 * form that NVIDIA writes, by a chain to NVIDIA's pinned root.
 *
 * @throws {XmlFault} if the signature is of another form
 * @throws {AttestationError} `ATTESTATION_RIM_DIGEST_MISMATCH`, `ATTESTATION_RIM_SIGNATURE_INVALID`,
 *   `ATTESTATION_RIM_SIGNER_UNKNOWN` and those of {@link parseCertificate} and {@link verifyChain}
 */
export function verifyRimSignature(root: XmlElement, signature: XmlElement, nowMs: number): Validity {
  expectAttributes(signature, {})
  const [info, value, keyInfo] = exactChildren(signature, DSIG, ['SignedInfo', 'SignatureValue', 'KeyInfo'])
  const digest = createHash('sha384')
    .update(canonicalXml(root, undefined, signature))
    .digest('base64')
  if (readDigest(info) !== digest) {
    throw refusal('DIGEST_MISMATCH', 'Golden measurements are not those that were signed')
  }
  const chain = readChain(keyInfo)
  const signer = expectSigner(chain)
  const validity = verifyChain({ chain, rootSha256: [RIM_ROOT], nowMs })
  const scope = new Map([...root.declarations, ...signature.declarations])
  const key = { key: signer.publicKey, dsaEncoding: 'ieee-p1363' } as const
  const bytes = base64(plain(value))
  if (
    bytes.length !== SIGNATURE_BYTES ||
    signer.keyType !== 'p384' ||
    !verify('sha384', Buffer.from(canonicalXml(info, scope)), key, bytes)
  ) {
    throw refusal('SIGNATURE_INVALID', `${signer.subject.text} did not sign the golden measurements`)
  }
  return validity
}

/** The digest that SignedInfo names, in base64; all else in it must be what NVIDIA writes. */
function readDigest(info: XmlElement): string {
  expectAttributes(info, {})
  const [canonicalization, method, reference] = exactChildren(info, DSIG, [
    'CanonicalizationMethod',
    'SignatureMethod',
    'Reference'
  ])
  expectAlgorithm(canonicalization, C14N11)
  expectAlgorithm(method, ECDSA_SHA384)
  // The whole document: a reference to a part could leave out what is read from it.
  expectAttributes(reference, { URI: '' })
  const [transforms, digestMethod, digestValue] = exactChildren(reference, DSIG, [
    'Transforms',
    'DigestMethod',
    'DigestValue'
  ])
  expectAttributes(transforms, {})
  const [enveloped, canonical] = exactChildren(transforms, DSIG, ['Transform', 'Transform'])
  expectAlgorithm(enveloped, ENVELOPED)
  expectAlgorithm(canonical, C14N11)
  expectAlgorithm(digestMethod, SHA384)
  return plain(digestValue)
}

function readChain(keyInfo: XmlElement): Certificate[] {
  expectAttributes(keyInfo, {})
  const [data] = exactChildren(keyInfo, DSIG, ['X509Data'])
  expectAttributes(data, {})
  const count = Math.min(childElements(data).length, CHAIN_LENGTH)
  const certificates = exactChildren(
    data,
    DSIG,
    Array.from({ length: count }, () => 'X509Certificate')
  )
  return certificates.map(element => parseCertificate(base64(plain(element))))
}

function expectSigner(chain: readonly Certificate[]): Certificate {
  const [signer, , authority] = chain
  const known =
    chain.length === CHAIN_LENGTH &&
    authority?.subject.commonName === RIM_AUTHORITY &&
    signer?.basicConstraints.ca === false &&
    signer.keyUsage?.has('digitalSignature') === true
  if (signer === undefined || !known) {
    throw refusal(
      'SIGNER_UNKNOWN',
      `Golden measurements are signed by ${signer?.subject.text}, which is no signer of them for H100 or H200`
    )
  }
  return signer
}

function expectAlgorithm(element: XmlElement, algorithm: string): void {
  expectAttributes(element, { Algorithm: algorithm })
  exactChildren(element, DSIG, [])
}

function plain(element: XmlElement): string {
  expectAttributes(element, {})
  return onlyText(element)
}

function refusal(cause: string, message: string): AttestationError {
  return new AttestationError(`ATTESTATION_RIM_${cause}`, message)
}
