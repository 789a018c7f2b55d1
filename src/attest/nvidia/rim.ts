import { sha256, toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import type { Validity } from '../x509/validity.ts'
import { type RimContent, readRimContent, SWID } from './rim-content.ts'
import { DSIG, verifyRimSignature } from './rim-signature.ts'
import { parseXml, XmlFault } from './xml.ts'
import { childElements } from './xml-shape.ts'

/** Largest file of golden measurements that is read, in bytes; NVIDIA's have about 20 kB. */
export const MAX_RIM_BYTES = 256 * 1024

/** Golden measurements that NVIDIA signed: one driver or one VBIOS of H100 and H200. */
export interface Rim extends RimContent {
  /** Of the signer's certificates. */
  readonly validity: Validity
  /** SHA-256 of the file, lower-case hex. */
  readonly digest: string
}

/**
 * Reads and verifies a reference integrity manifest (`.swidtag`): size, XML, signature up to NVIDIA's pinned root, then
 * content. Whether NVIDIA withdrew it is not looked up.
 *
 * @throws {AttestationError} `ATTESTATION_RIM_SIZE`, `ATTESTATION_RIM_INVALID` and those of {@link verifyRimSignature}
 */
export function verifyRim(file: Uint8Array, nowMs: number): Rim {
  if (file.byteLength > MAX_RIM_BYTES) {
    throw refusal('SIZE', `Golden measurements have ${file.byteLength} bytes: expected at most ${MAX_RIM_BYTES}`)
  }
  try {
    const root = parseXml(Buffer.from(file).toString('latin1'))
    if (root.name !== 'SoftwareIdentity' || root.namespace !== SWID) {
      throw new XmlFault(`its root is ${root.written}`)
    }
    const signature = childElements(root).at(-1)
    if (signature?.name !== 'Signature' || signature.namespace !== DSIG) {
      throw new XmlFault('it does not end with a signature')
    }
    const validity = verifyRimSignature(root, signature, nowMs)
    return { ...readRimContent(root, signature), validity, digest: toHex(sha256(file)) }
  } catch (cause) {
    if (!(cause instanceof XmlFault)) {
      throw cause
    }
    throw new AttestationError('ATTESTATION_RIM_INVALID', `Golden measurements are refused: ${cause.message}`, {
      cause
    })
  }
}

function refusal(cause: string, message: string): AttestationError {
  return new AttestationError(`ATTESTATION_RIM_${cause}`, message)
}
