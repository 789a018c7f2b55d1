import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULT_TDX_POLICY, type TdxPolicy } from '../../src/attest/tdx/policy.ts'
import { sharedPath } from '../support/shared-data.ts'

/** A quote with its collateral as JSON has it, the moment to judge it at, and what must come out. */
export interface AttestationCase {
  readonly name: string
  readonly kind: 'tdx' | 'sgx'
  readonly quote: Uint8Array
  readonly collateral: Readonly<Record<string, string>>
  readonly nowMs: number
  /** DER of the root to trust. */
  readonly root: Uint8Array
  readonly policy: TdxPolicy
  /** A TCB status, or the code of the refusal. */
  readonly expected: string
}

/** What each synthetic case must be refused with; the folder's index may hold no other. */
const SYNTHETIC_EXPECTED: Readonly<Record<string, string>> = {
  baseline: 'UpToDate',
  'perfmon-attribute': 'ATTESTATION_TDX_ATTRIBUTE_REFUSED',
  'debug-td': 'ATTESTATION_TDX_DEBUG',
  'tcb-outofdate': 'ATTESTATION_TCB_OUT_OF_DATE',
  'tcb-swhardeningneeded': 'ATTESTATION_TCB_SW_HARDENING_NEEDED',
  'tcb-revoked': 'ATTESTATION_TCB_REVOKED',
  'tcb-bogus': 'ATTESTATION_TCB_STATUS_UNKNOWN',
  'foreign-seam-signer': 'ATTESTATION_TDX_SEAM_SIGNER_UNKNOWN',
  'non-ca-intermediate': 'ATTESTATION_CERTIFICATE_NOT_CA',
  'pck-revoked': 'ATTESTATION_CERTIFICATE_REVOKED',
  'crl-signed-by-wrong-key': 'ATTESTATION_CRL_SIGNATURE_INVALID',
  'crl-garbage': 'ATTESTATION_CRL_INVALID',
  'tcb-info-signed-by-pck-leaf': 'ATTESTATION_COLLATERAL_SIGNER_REFUSED'
}

const RECORDED: ReadonlyArray<Pick<AttestationCase, 'name' | 'kind' | 'nowMs' | 'expected'> & { collateral?: string }> =
  [
    { name: 'phala-tdx-v4', kind: 'tdx', nowMs: 1_750_332_747_000, expected: 'UpToDate' },
    {
      name: 'phala-tdx-v5-td15-outdated',
      kind: 'tdx',
      nowMs: 1_771_500_000_000,
      expected: 'ATTESTATION_TCB_LEVEL_UNKNOWN'
    },
    { name: 'phala-sgx-v3', kind: 'sgx', nowMs: 1_750_334_171_000, expected: 'ConfigurationAndSWHardeningNeeded' },
    {
      name: 'google-tdx-v4',
      kind: 'tdx',
      nowMs: Date.UTC(2023, 5, 20),
      expected: 'ATTESTATION_QUOTE_TRAILING_BYTES',
      collateral: 'google-tdx-v4.collateral.assembled.json'
    }
  ]

/** The recorded and the synthetic cases of TDX and SGX, or undefined where the data does not lie beside the project. */
export function attestationCases(): readonly AttestationCase[] | undefined {
  const folder = sharedPath('vectors', 'attestation')
  if (folder === undefined) {
    return undefined
  }
  const intel = read(folder, 'tdx', 'intel-sgx-root-ca.der')
  const recorded = RECORDED.map(({ collateral, ...known }) => ({
    ...known,
    quote: read(folder, 'tdx', `${known.name}.quote.bin`),
    collateral: readJson(folder, 'tdx', collateral ?? `${known.name}.collateral.json`) as Record<string, string>,
    root: intel,
    // The SGX quote's status is its result; a client would refuse it.
    policy: known.kind === 'tdx' ? DEFAULT_TDX_POLICY : accepting('ConfigurationAndSWHardeningNeeded')
  }))
  const root = read(folder, 'synthetic', 'synthetic-root.der')
  const names = readJson(folder, 'synthetic', 'index.json') as string[]
  const synthetic = names.map(name => {
    const made = readJson(folder, 'synthetic', `${name}.json`) as {
      now: number
      quote: string
      collateral: Record<string, string>
    }
    return {
      name: `synthetic ${name}`,
      kind: 'tdx' as const,
      quote: new Uint8Array(Buffer.from(made.quote, 'base64')),
      collateral: made.collateral,
      nowMs: made.now * 1000,
      root,
      policy: DEFAULT_TDX_POLICY,
      expected: SYNTHETIC_EXPECTED[name] ?? `nothing is known of ${name}`
    }
  })
  return [...recorded, ...synthetic]
}

export function accepting(...acceptedTcbStatuses: TdxPolicy['acceptedTcbStatuses']): TdxPolicy {
  return { ...DEFAULT_TDX_POLICY, acceptedTcbStatuses }
}

function read(...path: string[]): Uint8Array {
  return new Uint8Array(readFileSync(join(...path)))
}

function readJson(...path: string[]): unknown {
  return JSON.parse(readFileSync(join(...path), 'utf8'))
}
