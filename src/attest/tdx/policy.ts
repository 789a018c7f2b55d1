import { UsageError } from '../../core/errors.ts'
import { TCB_STATUSES, type TcbStatus } from './tcb-status.ts'
import type { TdAttribute } from './td-policy.ts'

/** What a client accepts of a platform. Lists allow: what is not listed is refused. */
export interface TdxPolicy {
  /**
   * `Revoked` cannot be accepted; an empty list denies every platform.
   *
   * @default only UpToDate
   */
  readonly acceptedTcbStatuses: readonly TcbStatus[]
  /**
   * Advisories of Intel's that may stand against the platform; undefined accepts any that an accepted status brings.
   *
   * @default any
   */
  readonly acceptedAdvisories?: readonly string[]
  /**
   * Attributes that a TD may set besides SEPT_VE_DISABLE.
   *
   * @default none
   */
  readonly allowedTdAttributes: readonly TdAttribute[]
  /**
   * Collateral of an older evaluation is refused even if it is still in force: Intel counts its TCB recoveries.
   *
   * @default 0, any
   */
  readonly minTcbEvaluationDataNumber: number
}

export const DEFAULT_TDX_POLICY: TdxPolicy = {
  acceptedTcbStatuses: ['UpToDate'],
  allowedTdAttributes: [],
  minTcbEvaluationDataNumber: 0
}

/**
 * A number that is NaN would pass the comparison.
 *
 * @throws {UsageError} `ATTESTATION_INPUT_INVALID` if a field cannot be meant
 */
export function expectTdxPolicy(policy: TdxPolicy): void {
  const { acceptedTcbStatuses, minTcbEvaluationDataNumber } = policy
  if (!Number.isSafeInteger(minTcbEvaluationDataNumber) || minTcbEvaluationDataNumber < 0) {
    throw new UsageError(
      'ATTESTATION_INPUT_INVALID',
      `The smallest evaluation number ${minTcbEvaluationDataNumber} is not usable: expected an integer from 0`
    )
  }
  const unknown = acceptedTcbStatuses.find(status => status === 'Revoked' || !TCB_STATUSES.includes(status))
  if (unknown !== undefined) {
    throw new UsageError('ATTESTATION_INPUT_INVALID', `The TCB status ${JSON.stringify(unknown)} cannot be accepted`)
  }
}

/** One text per policy, for cache keys. */
export function policyText(policy: TdxPolicy): string {
  const { acceptedTcbStatuses, acceptedAdvisories, allowedTdAttributes, minTcbEvaluationDataNumber } = policy
  return JSON.stringify([
    acceptedTcbStatuses,
    acceptedAdvisories ?? null,
    allowedTdAttributes,
    minTcbEvaluationDataNumber
  ])
}
