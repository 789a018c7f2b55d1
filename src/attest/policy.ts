import { AttestationError } from '../core/errors.ts'
import type { Tier } from './tier.ts'

/** What a client asks of an enclave before it seals anything to it. Lists allow: what is not listed is refused. */
export interface AttestationPolicy {
  /** An empty list denies every enclave. */
  readonly acceptedTiers: readonly Tier[]
  /**
   * Measurements to accept, lower-case hex; an empty list denies every enclave.
   *
   * @default any measurement that fits the statement's software
   */
  readonly measurements?: readonly string[]
  /** A statement older than this is refused even if it says it is still valid. */
  readonly maxStatementAgeMs: number
  /** How far the enclave's clock may run ahead of ours. Lengthens neither age nor validity. */
  readonly clockSkewMs: number
}

/** What every client starts with: real hardware only. */
export const DEFAULT_POLICY: AttestationPolicy = {
  acceptedTiers: ['tdx+gpu', 'tdx', 'snp'],
  maxStatementAgeMs: 2 * 60 * 60 * 1000,
  clockSkewMs: 60 * 1000
}

/** For a simnet or an explicit opt-in: also enclaves that are none. */
export const SIMNET_POLICY: AttestationPolicy = {
  ...DEFAULT_POLICY,
  acceptedTiers: [...DEFAULT_POLICY.acceptedTiers, 'simulated']
}

/** @throws {AttestationError} `ATTESTATION_TIER_REFUSED` */
export function expectTier(policy: AttestationPolicy, tier: Tier): void {
  if (!policy.acceptedTiers.includes(tier)) {
    const accepted = policy.acceptedTiers.length === 0 ? 'nothing' : policy.acceptedTiers.join(', ')
    const warning = tier === 'simulated' ? ', in which the owner of the machine can read everything' : ''
    throw new AttestationError(
      'ATTESTATION_TIER_REFUSED',
      `The enclave is ${tier}${warning}: the policy accepts ${accepted}`
    )
  }
}

/** @throws {AttestationError} `ATTESTATION_MEASUREMENT_REFUSED` */
export function expectMeasurement(policy: AttestationPolicy, measurement: string): void {
  if (policy.measurements !== undefined && !policy.measurements.includes(measurement)) {
    throw new AttestationError(
      'ATTESTATION_MEASUREMENT_REFUSED',
      `The enclave runs software measured as ${measurement.slice(0, 16)}…, which the policy does not list`
    )
  }
}
