import { AttestationError } from '../../core/errors.ts'

/** What the firmware says of the machine (PLATFORM_INFO), by the number of its bit. */
const PLATFORM_BITS = {
  smtEnabled: 0n,
  tsmeEnabled: 1n,
  eccEnabled: 2n,
  raplDisabled: 3n,
  ciphertextHiding: 4n,
  /** No two addresses reach the same memory (the defence against BadRAM); reports of version 2 never say so. */
  aliasCheckComplete: 5n,
  trustedIo: 7n
} as const

export type SnpPlatformFlag = keyof typeof PLATFORM_BITS

/**
 * The flags that are set.
 *
 * @throws {AttestationError} `ATTESTATION_SNP_PLATFORM_UNKNOWN` if another bit is set
 */
export function parsePlatformInfo(bits: bigint): ReadonlySet<SnpPlatformFlag> {
  const flags = new Set<SnpPlatformFlag>()
  let unknown = bits
  for (const flag of Object.keys(PLATFORM_BITS) as SnpPlatformFlag[]) {
    const mask = 1n << PLATFORM_BITS[flag]
    if ((bits & mask) !== 0n) {
      flags.add(flag)
    }
    unknown &= ~mask
  }
  if (unknown !== 0n) {
    throw new AttestationError(
      'ATTESTATION_SNP_PLATFORM_UNKNOWN',
      `The platform reports 0x${unknown.toString(16)}, bits that this version does not know`
    )
  }
  return flags
}
