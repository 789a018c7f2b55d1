import { AttestationError } from '../../core/errors.ts'

/** What Intel says about a TCB level, best first; `Revoked` can never be accepted. */
export const TCB_STATUSES = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
  'Revoked'
] as const

export type TcbStatus = (typeof TCB_STATUSES)[number]

/** A code for each status that a policy does not accept. */
const REFUSALS: Readonly<Record<TcbStatus, string>> = {
  UpToDate: 'ATTESTATION_TCB_UP_TO_DATE_REFUSED',
  SWHardeningNeeded: 'ATTESTATION_TCB_SW_HARDENING_NEEDED',
  ConfigurationNeeded: 'ATTESTATION_TCB_CONFIGURATION_NEEDED',
  ConfigurationAndSWHardeningNeeded: 'ATTESTATION_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED',
  OutOfDate: 'ATTESTATION_TCB_OUT_OF_DATE',
  OutOfDateConfigurationNeeded: 'ATTESTATION_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED',
  Revoked: 'ATTESTATION_TCB_REVOKED'
}

/** @throws {AttestationError} `ATTESTATION_TCB_STATUS_UNKNOWN` */
export function readTcbStatus(text: string): TcbStatus {
  const status = TCB_STATUSES.find(known => known === text)
  if (status === undefined) {
    throw new AttestationError(
      'ATTESTATION_TCB_STATUS_UNKNOWN',
      `The platform has the TCB status ${JSON.stringify(text.slice(0, 40))}, which this version does not know`
    )
  }
  return status
}

/**
 * The status of a platform together with that of a part of it, the quoting enclave or the TDX module: never better than
 * either (Intel DCAP QVL, `convergeTcbStatus`).
 */
export function convergeStatus(platform: TcbStatus, part: TcbStatus): TcbStatus {
  if (part === 'UpToDate' || platform === 'Revoked') {
    return platform
  }
  if (part === 'OutOfDate') {
    const configure = platform === 'ConfigurationNeeded' || platform === 'ConfigurationAndSWHardeningNeeded'
    return configure || platform === 'OutOfDateConfigurationNeeded' ? 'OutOfDateConfigurationNeeded' : 'OutOfDate'
  }
  // Intel gives parts no other status; should it, the worse one counts.
  return TCB_STATUSES.indexOf(part) > TCB_STATUSES.indexOf(platform) ? part : platform
}

/**
 * @throws {AttestationError} a code per status: `ATTESTATION_TCB_SW_HARDENING_NEEDED`,
 *   `ATTESTATION_TCB_CONFIGURATION_NEEDED`, `ATTESTATION_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED`,
 *   `ATTESTATION_TCB_OUT_OF_DATE`, `ATTESTATION_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED`, `ATTESTATION_TCB_REVOKED`, and
 *   `ATTESTATION_TCB_UP_TO_DATE_REFUSED` where the policy accepts nothing
 */
export function expectStatus(
  status: TcbStatus,
  accepted: readonly TcbStatus[],
  advisoryIds: readonly string[] = []
): void {
  if (status === 'Revoked' || !accepted.includes(status)) {
    const advisories = advisoryIds.length === 0 ? '' : ` (${advisoryIds.join(', ')})`
    throw new AttestationError(
      REFUSALS[status],
      `The platform's TCB status is ${status}${advisories}: the policy accepts ${accepted.join(', ') || 'none'}`
    )
  }
}
