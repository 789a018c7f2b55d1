import { AttestationError } from '../../core/errors.ts'

/** What the owner of a guest allowed its host, measured at launch (SEV-SNP Firmware ABI §4.3). */
export interface SnpGuestPolicy {
  /** The least firmware ABI that may run the guest. */
  readonly abiMajor: number
  readonly abiMinor: number
  readonly smtAllowed: boolean
  readonly migrationAgentAllowed: boolean
  readonly debugAllowed: boolean
  readonly singleSocketRequired: boolean
  readonly cxlAllowed: boolean
  readonly aes256XtsRequired: boolean
  readonly raplDisableRequired: boolean
  readonly ciphertextHidingRequired: boolean
  readonly pageSwapDisableRequired: boolean
}

const RESERVED_ONE = 1n << 17n
const FIRST_UNKNOWN_BIT = 26n

/**
 * Reads the 64 bits of POLICY.
 *
 * @throws {AttestationError} `ATTESTATION_SNP_POLICY_INVALID` if reserved bit 17 is 0 or an unknown one is 1
 */
export function parseGuestPolicy(bits: bigint): SnpGuestPolicy {
  if ((bits & RESERVED_ONE) === 0n || bits >> FIRST_UNKNOWN_BIT !== 0n) {
    throw new AttestationError(
      'ATTESTATION_SNP_POLICY_INVALID',
      `The guest policy is 0x${bits.toString(16)}: expected bit 17 set and none from bit ${FIRST_UNKNOWN_BIT} on`
    )
  }
  const bit = (index: bigint): boolean => ((bits >> index) & 1n) === 1n
  return {
    abiMinor: Number(bits & 0xffn),
    abiMajor: Number((bits >> 8n) & 0xffn),
    smtAllowed: bit(16n),
    migrationAgentAllowed: bit(18n),
    debugAllowed: bit(19n),
    singleSocketRequired: bit(20n),
    cxlAllowed: bit(21n),
    aes256XtsRequired: bit(22n),
    raplDisableRequired: bit(23n),
    ciphertextHidingRequired: bit(24n),
    pageSwapDisableRequired: bit(25n)
  }
}
