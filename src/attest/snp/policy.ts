import { AttestationError } from '../../core/errors.ts'
import type { SnpPlatformFlag } from './platform-info.ts'
import { PRODUCT_NAMES, type SnpProduct } from './product.ts'
import type { SnpReport } from './report.ts'
import { ANY_TCB, type SnpTcb, tcbReaches, tcbText } from './tcb.ts'

/** What a verifier asks of an SEV-SNP guest and its machine. Debugging is never accepted, whatever stands here. */
export interface SnpPolicy {
  /**
   * Products to accept, each with the least TCB that the guest may run on and may have been launched on. A product that
   * is not named is refused. AMD's security bulletins say which versions a processor needs; they differ within a product.
   */
  readonly minimumTcb: Readonly<Partial<Record<SnpProduct, SnpTcb>>>
  /** Privilege levels whose reports are accepted. */
  readonly vmpls: readonly number[]
  /** Least firmware ABI that the guest itself demands, as `[major, minor]`. */
  readonly minimumAbi: readonly [number, number]
  /** Guests whose vCPUs may share a core with somebody else's thread. */
  readonly allowSmt: boolean
  /** Guests that a migration agent may move, or whose association allows it: the agent can read them. */
  readonly allowMigrationAgent: boolean
  /** Guests whose memory may lie outside the socket, behind a CXL link. */
  readonly allowCxl: boolean
  /** What the firmware must say of the machine. */
  readonly requiredPlatform: readonly SnpPlatformFlag[]
}

/**
 * Genoa and Turin at any version. Milan is refused: its root secret was extracted by software alone (arXiv 2605.12990),
 * so that anyone with such a machine can sign any report. Name the products with your own minimum to be stricter.
 */
export const DEFAULT_SNP_POLICY: SnpPolicy = {
  minimumTcb: { genoa: ANY_TCB, turin: ANY_TCB },
  vmpls: [0],
  minimumAbi: [0, 0],
  allowSmt: true,
  allowMigrationAgent: false,
  allowCxl: false,
  requiredPlatform: []
}

/**
 * Holds a report whose signature held against the policy.
 *
 * @throws {AttestationError} `ATTESTATION_SNP_DEBUG`, `ATTESTATION_SNP_VMPL_REFUSED`,
 *   `ATTESTATION_SNP_ABI_REFUSED`, `ATTESTATION_SNP_SMT_REFUSED`, `ATTESTATION_SNP_MIGRATION_REFUSED`,
 *   `ATTESTATION_SNP_CXL_REFUSED`, `ATTESTATION_SNP_PLATFORM_REFUSED`
 */
export function expectGuestAccepted(report: SnpReport, policy: SnpPolicy): void {
  const { policy: guest, vmpl, platform } = report
  if (guest.debugAllowed) {
    throw refusal('DEBUG', 'The guest may be debugged: its host can read everything in it')
  }
  if (!policy.vmpls.includes(vmpl)) {
    throw refusal('VMPL_REFUSED', `The report was asked for at VMPL ${vmpl}: the policy accepts ${list(policy.vmpls)}`)
  }
  const [major, minor] = policy.minimumAbi
  if (!(guest.abiMajor > major || (guest.abiMajor === major && guest.abiMinor >= minor))) {
    throw refusal(
      'ABI_REFUSED',
      `The guest runs on any firmware from ABI ${guest.abiMajor}.${guest.abiMinor} on: expected ${major}.${minor}`
    )
  }
  if (guest.smtAllowed && !policy.allowSmt) {
    throw refusal('SMT_REFUSED', 'The guest may share cores with other threads, which the policy refuses')
  }
  if ((guest.migrationAgentAllowed || report.hasMigrationAgent) && !policy.allowMigrationAgent) {
    throw refusal('MIGRATION_REFUSED', 'The guest may be moved by a migration agent, which the policy refuses')
  }
  if (guest.cxlAllowed && !policy.allowCxl) {
    throw refusal('CXL_REFUSED', 'The guest may lie in CXL memory, which the policy refuses')
  }
  const missing = policy.requiredPlatform.filter(flag => !platform.has(flag))
  if (missing.length > 0) {
    throw refusal('PLATFORM_REFUSED', `The platform does not report ${list(missing)}, which the policy requires`)
  }
}

/**
 * @returns the least TCB the policy asks of this product
 * @throws {AttestationError} `ATTESTATION_SNP_PRODUCT_REFUSED`
 */
export function expectProductAccepted(product: SnpProduct, policy: SnpPolicy): SnpTcb {
  const minimum = policy.minimumTcb[product]
  if (minimum === undefined) {
    const why = product === 'milan' ? ': the root secret of its chips can be extracted in software' : ''
    throw refusal('PRODUCT_REFUSED', `The policy does not accept EPYC ${PRODUCT_NAMES[product]}${why}`)
  }
  return minimum
}

/** @throws {AttestationError} `ATTESTATION_SNP_TCB_TOO_OLD` */
export function expectTcb(which: string, tcb: SnpTcb, minimum: SnpTcb): void {
  if (!tcbReaches(tcb, minimum)) {
    throw refusal('TCB_TOO_OLD', `The ${which} TCB is ${tcbText(tcb)}: the policy asks for ${tcbText(minimum)}`)
  }
}

function list(values: readonly unknown[]): string {
  return values.length === 0 ? 'none' : values.join(', ')
}

function refusal(cause: string, message: string): AttestationError {
  return new AttestationError(`ATTESTATION_SNP_${cause}`, message)
}
