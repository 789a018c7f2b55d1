import { AttestationError, errorMessage } from '../core/errors.ts'
import { LIMITS } from '../wire/limits.ts'
import { DocumentFault, parseJson } from './document.ts'

/** How evidence is named and limited; every type is canonical JSON with a `type` field. */
export const EVIDENCE_KIND = {
  name: 'Evidence',
  codePrefix: 'ATTESTATION_EVIDENCE',
  maxBytes: LIMITS.evidenceBytes
} as const

/** What any verifier of evidence hands back once the signatures held. */
export interface VerifiedEvidence {
  /** Lower-case hex of what was measured. */
  readonly measurement: string
  /** 64 bytes. */
  readonly reportData: Uint8Array
}

/**
 * The `type` of evidence, before anything else in it is believed.
 *
 * @throws {AttestationError} `ATTESTATION_EVIDENCE_TOO_LARGE`, `ATTESTATION_EVIDENCE_INVALID`
 */
export function evidenceType(bytes: Uint8Array): string {
  if (bytes.byteLength > EVIDENCE_KIND.maxBytes) {
    throw new AttestationError(
      'ATTESTATION_EVIDENCE_TOO_LARGE',
      `Evidence has ${bytes.byteLength} bytes: expected at most ${EVIDENCE_KIND.maxBytes}`
    )
  }
  try {
    const value = parseJson(bytes)
    if (typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string') {
      return value.type
    }
    throw new DocumentFault('Evidence has no type')
  } catch (cause) {
    throw new AttestationError('ATTESTATION_EVIDENCE_INVALID', errorMessage(cause), { cause })
  }
}
