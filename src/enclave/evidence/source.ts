import { encodeRawEvidence, type RawTdxProof } from '../../attest/raw-evidence.ts'
import { REPORT_DATA_BYTES } from '../../attest/report-data.ts'
import { makeSimulatedEvidence } from '../../attest/simulated-evidence.ts'
import { parseSnpReport } from '../../attest/snp/report.ts'
import { parseQuote } from '../../attest/tdx/quote.ts'
import { tdReportOf } from '../../attest/tdx/td-report.ts'
import type { Tier } from '../../attest/tier.ts'
import type { AbortOptions } from '../../core/abort.ts'
import { toBase64, toHex } from '../../core/bytes.ts'
import { EnvironmentError, errorMessage, UsageError } from '../../core/errors.ts'
import { EVENT_LOG_PATH, readEventLogFile } from './event-log-file.ts'
import { type GpuProofs, runGpuCommand } from './gpu-command.ts'
import { findGuestSign } from './guest-signs.ts'
import {
  hasTsm,
  readTsmReport,
  TSM_REPORT_ROOT,
  type TsmOptions,
  type TsmProvider,
  type TsmReport
} from './tsm-report.ts'

/** What may be asked for; `auto` takes what the machine is. */
export const EVIDENCE_KINDS = ['auto', 'tdx', 'snp', 'simulated'] as const

export type EvidenceKind = (typeof EVIDENCE_KINDS)[number]

export interface EvidenceSourceInit {
  /** `auto`: the TEE that the kernel offers; simulated only where nothing says that this is a guest of one. */
  readonly kind: EvidenceKind
  /** SHA-256 of the enclave program, 32 bytes; what simulated evidence measures. */
  readonly bundleDigest: Uint8Array
  /** @default {@link TSM_REPORT_ROOT} */
  readonly tsmRoot?: string
  /**
   * Where `auto` looks for signs of a TEE whose interface is missing.
   *
   * @default '/'
   */
  readonly machineRoot?: string
  /**
   * Of a TD's firmware; false leaves it out.
   *
   * @default {@link EVENT_LOG_PATH}
   */
  readonly eventLogPath?: string | false
  /** Absolute path of the command that asks the GPUs of a TD; with one the tier is `tdx+gpu`. */
  readonly gpuCommand?: string
  /** As in {@link TsmOptions}. */
  readonly makeEntry?: NonNullable<TsmOptions['makeEntry']>
}

/** Where an enclave's evidence comes from. */
export interface EvidenceSource {
  /** Does not change as long as the program runs. */
  readonly tier: Tier
  /**
   * Only in the tier `tdx+gpu`: asks the GPUs. `nonce` is `gpuNonce` of the statement, which then names the digests.
   *
   * @throws {EnvironmentError} `EVIDENCE_GPU_…`
   */
  readonly gpuProofs?: (nonce: Uint8Array, options?: AbortOptions) => Promise<GpuProofs>
  /**
   * Evidence that binds `reportData` (64 bytes), as the host gets it: raw on hardware, complete if simulated.
   *
   * @param gpuProofs those that the statement names; needed in the tier `tdx+gpu`
   * @throws {EnvironmentError} `EVIDENCE_UNAVAILABLE`, `EVIDENCE_FAILED`
   * @throws {UsageError} `EVIDENCE_INPUT_INVALID` if the caller lacks report data or proofs
   */
  make(reportData: Uint8Array, gpuProofs?: GpuProofs, options?: AbortOptions): Promise<Uint8Array>
}

const PROVIDER_KINDS: Readonly<Record<TsmProvider, 'tdx' | 'snp'>> = { tdx_guest: 'tdx', sev_guest: 'snp' }

/**
 * Finds out what this machine can prove, by having it prove something: a source that opened has made a report. Hardware
 * that is there and fails is an error, never a reason to simulate.
 *
 * @throws {EnvironmentError} `EVIDENCE_UNAVAILABLE`, `EVIDENCE_FAILED`, `EVIDENCE_KIND_MISMATCH`,
 *   `EVIDENCE_EVENT_LOG_UNREADABLE`, `EVIDENCE_GPU_UNSUPPORTED`
 */
export async function openEvidenceSource(
  init: EvidenceSourceInit,
  options: AbortOptions = {}
): Promise<EvidenceSource> {
  const { kind, bundleDigest, tsmRoot = TSM_REPORT_ROOT, gpuCommand } = init
  if (kind === 'simulated' || (kind === 'auto' && !(await hasTsm(tsmRoot)))) {
    if (kind === 'auto') {
      await expectNoGuest(tsmRoot, init.machineRoot)
    }
    expectNoGpus(gpuCommand, 'simulated')
    return {
      tier: 'simulated',
      make: async reportData => makeSimulatedEvidence({ bundleDigest, reportData: expectReportData(reportData) })
    }
  }
  const tsm: TsmOptions = { root: tsmRoot, ...(init.makeEntry && { makeEntry: init.makeEntry }) }
  const probe = await report(new Uint8Array(REPORT_DATA_BYTES), { ...tsm, ...options })
  const found = PROVIDER_KINDS[probe.provider]
  if (kind !== 'auto' && kind !== found) {
    throw new EnvironmentError('EVIDENCE_KIND_MISMATCH', `This machine is a guest of ${found}: expected ${kind}`)
  }
  if (found === 'snp') {
    expectNoGpus(gpuCommand, 'snp')
    return { tier: 'snp', make: (reportData, _, opts) => makeSnp(reportData, probe.provider, { ...tsm, ...opts }) }
  }
  const { eventLogPath = EVENT_LOG_PATH } = init
  const log = eventLogPath === false ? undefined : await readEventLogFile(eventLogPath, options)
  const eventLog = log && toBase64(log)
  const prove = async (reportData: Uint8Array, opts?: AbortOptions): Promise<RawTdxProof> => {
    const { outblob } = await sameReport(reportData, probe.provider, { ...tsm, ...opts })
    return { quote: toBase64(outblob), ...(eventLog !== undefined && { eventLog }) }
  }
  if (gpuCommand === undefined) {
    return {
      tier: 'tdx',
      make: async (reportData, _, opts) =>
        encodeRawEvidence({ type: 'tdx', version: 1, ...(await prove(reportData, opts)) })
    }
  }
  return {
    tier: 'tdx+gpu',
    gpuProofs: (nonce, opts) => runGpuCommand(gpuCommand, nonce, opts),
    make: async (reportData, gpuProofs, opts) => {
      if (gpuProofs === undefined) {
        throw new UsageError('EVIDENCE_INPUT_INVALID', 'Evidence of the tier tdx+gpu needs what the GPUs answered')
      }
      const { gpus, rims } = gpuProofs
      return encodeRawEvidence({ type: 'tdx+gpu', version: 1, cpu: await prove(reportData, opts), gpus, rims })
    }
  }
}

async function makeSnp(reportData: Uint8Array, provider: TsmProvider, options: TsmOptions): Promise<Uint8Array> {
  const { outblob, auxblob } = await sameReport(reportData, provider, options)
  return encodeRawEvidence({
    type: 'snp',
    version: 1,
    report: toBase64(outblob),
    ...(auxblob && { table: toBase64(auxblob) })
  })
}

/** As {@link report}, by the platform that was there at the start: the tier stands in statements. */
async function sameReport(reportData: Uint8Array, provider: TsmProvider, options: TsmOptions): Promise<TsmReport> {
  const made = await report(expectReportData(reportData), options)
  if (made.provider !== provider) {
    throw failed(`it is by ${made.provider}, at the start it was ${provider}`)
  }
  return made
}

/** A report that was read back: it binds what it was asked to bind. */
async function report(reportData: Uint8Array, options: TsmOptions): Promise<TsmReport> {
  const made = await readTsmReport(reportData, options)
  if (toHex(boundBy(made)) !== toHex(reportData)) {
    throw failed('it binds other data than it was asked to')
  }
  return made
}

function boundBy({ provider, outblob }: TsmReport): Uint8Array {
  try {
    return provider === 'sev_guest'
      ? parseSnpReport(outblob).reportData
      : (tdReportOf(parseQuote(outblob))?.reportData ?? new Uint8Array())
  } catch (cause) {
    throw failed(errorMessage(cause), cause)
  }
}

async function expectNoGuest(tsmRoot: string, machineRoot: string | undefined): Promise<void> {
  const sign = await findGuestSign(machineRoot)
  if (sign !== undefined) {
    throw new EnvironmentError(
      'EVIDENCE_UNAVAILABLE',
      `This is a guest of ${sign.guest} (${sign.path}) without ${tsmRoot}: mount configfs (mount -t configfs none /sys/kernel/config) and load the module tdx_guest or sev-guest, or set provider.evidence to simulated`
    )
  }
}

function expectNoGpus(gpuCommand: string | undefined, tier: Tier): void {
  if (gpuCommand !== undefined) {
    throw new EnvironmentError(
      'EVIDENCE_GPU_UNSUPPORTED',
      `A GPU command is set, but the evidence here is ${tier}: only a TDX guest can vouch for GPUs. Remove the setting`
    )
  }
}

function expectReportData(reportData: Uint8Array): Uint8Array {
  if (reportData.byteLength !== REPORT_DATA_BYTES) {
    throw new UsageError(
      'EVIDENCE_INPUT_INVALID',
      `Report data has ${reportData.byteLength} bytes: expected ${REPORT_DATA_BYTES}`
    )
  }
  return reportData
}

function failed(why: string, cause?: unknown): EnvironmentError {
  return new EnvironmentError('EVIDENCE_FAILED', `The platform's report cannot be used: ${why}`, { cause })
}
