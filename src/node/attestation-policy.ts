import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type AttestationPolicy, DEFAULT_POLICY, withSimulated } from '../attest/index.ts'
import { type PolicySettings, parseAttestationPolicy } from '../config/index.ts'
import { type AbortOptions, throwIfAborted } from '../core/abort.ts'
import { EnvironmentError, errorCode } from '../core/errors.ts'

/** More than any policy needs. */
const MAX_FILE_BYTES = 4 * 1024 * 1024

/** What decides which enclaves a home's client trusts. */
export interface PolicyChoice {
  /** Policy file, relative to `homePath` or absolute; the default policy without one. */
  file: string | undefined
  homePath: string
  allowSimulated: boolean
}

/**
 * The policy that a client judges enclaves by.
 *
 * @throws {EnvironmentError} `POLICY_NOT_READABLE`
 * @throws {UsageError} `POLICY_UNKNOWN_KEY`, `POLICY_INVALID`
 */
export async function loadAttestationPolicy(
  { file, homePath, allowSimulated }: PolicyChoice,
  options: AbortOptions = {}
): Promise<AttestationPolicy> {
  const policy = file === undefined ? DEFAULT_POLICY : await readPolicy(resolve(homePath, file), options)
  return allowSimulated ? withSimulated(policy) : policy
}

async function readPolicy(path: string, { signal }: AbortOptions): Promise<AttestationPolicy> {
  let text: string
  try {
    text = await readFile(path, { encoding: 'utf8', ...(signal && { signal }) })
  } catch (cause) {
    throwIfAborted(signal)
    throw new EnvironmentError(
      'POLICY_NOT_READABLE',
      `The attestation policy ${path} cannot be read (${errorCode(cause) ?? 'unknown'}): check the path, of --policy or of client.attestationPolicy`,
      { cause }
    )
  }
  if (text.length > MAX_FILE_BYTES) {
    throw new EnvironmentError('POLICY_NOT_READABLE', `The attestation policy ${path} is larger than 4 MiB`)
  }
  return policyOf(parseAttestationPolicy(text, path))
}

/** What a policy file says, as verifiers take it. */
export function policyOf(settings: PolicySettings): AttestationPolicy {
  const { version: _, maxStatementAgeMinutes, clockSkewSeconds, snp, tdx, gpu, ...rest } = settings
  const { minimumTcb, ...snpRest } = snp
  const { acceptedAdvisories, ...tdxRest } = tdx
  const { driverVersions, vbiosVersions } = gpu
  const { milan, genoa, turin } = minimumTcb
  return {
    ...rest,
    tdx: { ...tdxRest, ...(acceptedAdvisories && { acceptedAdvisories }) },
    snp: { ...snpRest, minimumTcb: { ...(milan && { milan }), ...(genoa && { genoa }), ...(turin && { turin }) } },
    gpu: { ...(driverVersions && { driverVersions }), ...(vbiosVersions && { vbiosVersions }) },
    maxStatementAgeMs: maxStatementAgeMinutes * 60_000,
    clockSkewMs: clockSkewSeconds * 1_000
  }
}
