import { sha256, toHex } from '../../core/bytes.ts'
import { AttestationError, errorMessage } from '../../core/errors.ts'
import { hex, object, type Reader, text } from '../document.ts'

/** Largest collateral that is read, in bytes of all its texts together. */
export const MAX_COLLATERAL_BYTES = 1024 * 1024

/**
 * What Intel publishes about a platform, as its Provisioning Certification Service (API v4) serves it. Everything in it
 * is signed; nothing is believed before {@link verifyCollateral} held.
 */
export interface TdxCollateral {
  /** PEM: the CA of the PCK certificate, the root. */
  readonly pck_crl_issuer_chain: string
  /** Hex of DER. */
  readonly root_ca_crl: string
  /** Hex of DER. */
  readonly pck_crl: string
  /** PEM: the TCB signing certificate, the root. */
  readonly tcb_info_issuer_chain: string
  /** The exact text that was signed. */
  readonly tcb_info: string
  /** Hex of `r ‖ s`. */
  readonly tcb_info_signature: string
  /** PEM: the TCB signing certificate, the root. */
  readonly qe_identity_issuer_chain: string
  /** The exact text that was signed. */
  readonly qe_identity: string
  /** Hex of `r ‖ s`. */
  readonly qe_identity_signature: string
}

const asciiText: Reader<string> = text(/^[\x20-\x7e\r\n]+$/, 'printable text')
const hexText: Reader<string> = text(/^(?:[0-9a-f]{2})+$/, 'lower-case hex')
const signatureText: Reader<string> = hex(64)

const readFields = object<TdxCollateral>({
  pck_crl_issuer_chain: asciiText,
  root_ca_crl: hexText,
  pck_crl: hexText,
  tcb_info_issuer_chain: asciiText,
  tcb_info: asciiText,
  tcb_info_signature: signatureText,
  qe_identity_issuer_chain: asciiText,
  qe_identity: asciiText,
  qe_identity_signature: signatureText
})

/**
 * Reads the shape of collateral from a value that came out of JSON; exactly these fields. What was read before is given
 * back as it is.
 *
 * @throws {AttestationError} `ATTESTATION_COLLATERAL_INVALID`, `ATTESTATION_COLLATERAL_TOO_LARGE`
 */
export function readCollateral(value: unknown): TdxCollateral {
  if (isRead(value)) {
    return value
  }
  const sizeBytes =
    typeof value === 'object' && value !== null
      ? Object.values(value).reduce<number>((sum, field) => sum + (typeof field === 'string' ? field.length : 0), 0)
      : 0
  if (sizeBytes > MAX_COLLATERAL_BYTES) {
    throw new AttestationError(
      'ATTESTATION_COLLATERAL_TOO_LARGE',
      `Collateral has ${sizeBytes} bytes: expected at most ${MAX_COLLATERAL_BYTES}`
    )
  }
  try {
    const collateral = Object.freeze(readFields(value, 'Collateral'))
    DIGESTS.set(collateral, computeDigest(collateral))
    return collateral
  } catch (cause) {
    throw new AttestationError('ATTESTATION_COLLATERAL_INVALID', errorMessage(cause), { cause })
  }
}

const FIELDS: ReadonlyArray<keyof TdxCollateral> = [
  'pck_crl_issuer_chain',
  'root_ca_crl',
  'pck_crl',
  'tcb_info_issuer_chain',
  'tcb_info',
  'tcb_info_signature',
  'qe_identity_issuer_chain',
  'qe_identity',
  'qe_identity_signature'
]

/** Of those made here, which are frozen: their digest is computed once. */
const DIGESTS = new WeakMap<object, string>()

function isRead(value: unknown): value is TdxCollateral {
  return typeof value === 'object' && value !== null && DIGESTS.has(value)
}

/** SHA-256 of collateral as it is written, lower-case hex: names it in a cache. */
export function collateralDigest(collateral: TdxCollateral): string {
  return DIGESTS.get(collateral) ?? computeDigest(collateral)
}

function computeDigest(collateral: TdxCollateral): string {
  const lengths = FIELDS.map(field => collateral[field].length)
  return toHex(sha256(`${lengths.join()}:${FIELDS.map(field => collateral[field]).join('')}`))
}
