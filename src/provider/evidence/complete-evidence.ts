import { canonicalBytes } from '../../attest/document.ts'
import {
  decodeSnpEvidence,
  decodeTdxEvidence,
  decodeTdxGpuEvidence,
  type SnpEvidence,
  type TdxEvidence,
  type TdxGpuEvidence,
  type TdxProof
} from '../../attest/evidence.ts'
import { decodeRawEvidence, type RawSnpEvidence, type RawTdxProof } from '../../attest/raw-evidence.ts'
import type { TdxCollateral } from '../../attest/tdx/collateral.ts'
import { verifyEventLog } from '../../attest/tdx/event-log.ts'
import { parseQuote } from '../../attest/tdx/quote.ts'
import { quotePlatform } from '../../attest/tdx/quote-platform.ts'
import { tdReportOf } from '../../attest/tdx/td-report.ts'
import type { AbortOptions } from '../../core/abort.ts'
import { toBase64 } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import type { SnpEndorsements } from './amd-certificates.ts'
import type { CollateralSubject } from './intel-collateral.ts'

/** Where the vendors' part of evidence comes from. */
export interface CompleteEvidenceComponents {
  readonly intel: { collateral(subject: CollateralSubject, options?: AbortOptions): Promise<TdxCollateral> }
  readonly amd: {
    certificates(report: Uint8Array, table: Uint8Array | undefined, options?: AbortOptions): Promise<SnpEndorsements>
  }
  /** Told when the firmware's log had to be left out, every time. */
  readonly onEventLogDropped?: (why: string) => void
}

/**
 * Adds to an enclave's raw evidence what clients need to judge it, all of it signed by Intel or AMD. The firmware's event
 * log, which proves nothing that the registers do not, is left out where it would have clients refuse the whole: if it
 * does not give the quote's registers, or does not fit. Evidence that is complete already is given back as it is.
 *
 * @throws {AttestationError} `ATTESTATION_EVIDENCE_TOO_LARGE`, `ATTESTATION_EVIDENCE_INVALID`, and those of a quote or a
 *   report that no client could read
 * @throws those of the components: `COLLATERAL_…`
 */
export async function completeEvidence(
  raw: Uint8Array,
  components: CompleteEvidenceComponents,
  options: AbortOptions = {}
): Promise<Uint8Array> {
  const evidence = decodeRawEvidence(raw)
  switch (evidence?.type) {
    case undefined:
      return raw
    case 'snp':
      return completeSnp(evidence, components, options)
    case 'tdx':
      return completeTdx(evidence, components, options, proof =>
        encode<TdxEvidence>({ type: 'tdx', version: 1, ...proof }, decodeTdxEvidence)
      )
    case 'tdx+gpu': {
      const { gpus, rims } = evidence
      return completeTdx(evidence.cpu, components, options, cpu =>
        encode<TdxGpuEvidence>({ type: 'tdx+gpu', version: 1, cpu, gpus, rims }, decodeTdxGpuEvidence)
      )
    }
  }
}

async function completeTdx(
  { quote, eventLog }: RawTdxProof,
  { intel, onEventLogDropped = () => undefined }: CompleteEvidenceComponents,
  options: AbortOptions,
  write: (proof: TdxProof) => Uint8Array
): Promise<Uint8Array> {
  const bytes = fromBase64(quote)
  const { fmspc, ca } = quotePlatform(bytes)
  const collateral = await intel.collateral({ fmspc, ca }, options)
  if (eventLog === undefined) {
    return write({ quote, collateral })
  }
  const fault = eventLogFault(fromBase64(eventLog), bytes)
  if (fault !== undefined) {
    onEventLogDropped(fault)
    return write({ quote, collateral })
  }
  try {
    return write({ quote, collateral, eventLog })
  } catch (cause) {
    if (!(cause instanceof AttestationError) || cause.code !== 'ATTESTATION_EVIDENCE_TOO_LARGE') {
      throw cause
    }
    onEventLogDropped(cause.message)
    return write({ quote, collateral })
  }
}

function eventLogFault(log: Uint8Array, quote: Uint8Array): string | undefined {
  const td = tdReportOf(parseQuote(quote))
  try {
    return td === undefined ? 'the quote is of no TD' : void verifyEventLog(log, td)
  } catch (cause) {
    if (!(cause instanceof AttestationError)) {
      throw cause
    }
    return cause.message
  }
}

async function completeSnp(
  { report, table }: RawSnpEvidence,
  { amd }: CompleteEvidenceComponents,
  options: AbortOptions
): Promise<Uint8Array> {
  const found = await amd.certificates(fromBase64(report), table === undefined ? undefined : fromBase64(table), options)
  const { leaf, ask, ark, crl } = found
  const parts = { leaf: toBase64(leaf), ask: toBase64(ask), ark: toBase64(ark), crl: toBase64(crl) }
  return encode<SnpEvidence>({ type: 'snp', version: 1, report, ...parts }, decodeSnpEvidence)
}

/** Read back as a client does; that also holds it against the largest size. */
function encode<T extends object>(evidence: T, decode: (bytes: Uint8Array) => T): Uint8Array {
  const bytes = canonicalBytes(evidence)
  decode(bytes)
  return bytes
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'))
}
