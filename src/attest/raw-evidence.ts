import {
  base64,
  canonicalBytes,
  type DocumentKind,
  decodeDocument,
  object,
  oneOf,
  optional,
  type Reader
} from './document.ts'
import { EVIDENCE_KIND, evidenceType, type GpuProof, gpuFields } from './evidence.ts'

/** Names and limits it; the event log is cut out by the host where the whole would not fit into evidence. */
const RAW_KIND: DocumentKind = { ...EVIDENCE_KIND, name: 'Raw evidence', maxBytes: 1024 * 1024 }

/** A TDX quote without what Intel publishes about its platform. Bytes are in base64. */
export interface RawTdxProof {
  quote: string
  /** The firmware's log (CCEL), without the erased memory behind it. */
  eventLog?: string
}

export interface RawTdxEvidence extends RawTdxProof {
  type: 'tdx'
  version: 1
}

export interface RawTdxGpuEvidence {
  type: 'tdx+gpu'
  version: 1
  cpu: RawTdxProof
  gpus: GpuProof[]
  rims: string[]
}

/** An SEV-SNP report without AMD's certificates, unless its host keeps some, and without its revocation list. */
export interface RawSnpEvidence {
  type: 'snp'
  version: 1
  report: string
  /** The host's table of certificates, as the kernel hands it out. */
  table?: string
}

/**
 * What an enclave hands its host instead of evidence: all that only the hardware can say. The host adds what vendors
 * publish, which they signed, so that nobody has to believe the host. Simulated evidence is complete already.
 */
export type RawEvidence = RawTdxEvidence | RawTdxGpuEvidence | RawSnpEvidence

const rawProof = { quote: base64(), eventLog: optional(base64()) as Reader<string> }

const READERS: { [T in RawEvidence['type']]: Reader<RawEvidence> } = {
  tdx: object<RawTdxEvidence>({ type: oneOf(['tdx']), version: oneOf([1]), ...rawProof }),
  'tdx+gpu': object<RawTdxGpuEvidence>({
    type: oneOf(['tdx+gpu']),
    version: oneOf([1]),
    cpu: object<RawTdxProof>(rawProof),
    ...gpuFields
  }),
  snp: object<RawSnpEvidence>({
    type: oneOf(['snp']),
    version: oneOf([1]),
    report: base64(),
    table: optional(base64()) as Reader<string>
  })
}

/**
 * RFC 8785 bytes of raw evidence, read back before they are handed out.
 *
 * @throws {AttestationError} as {@link decodeRawEvidence}
 */
export function encodeRawEvidence(raw: RawEvidence): Uint8Array {
  const bytes = canonicalBytes(raw)
  decodeDocument(RAW_KIND, bytes, READERS[raw.type])
  return bytes
}

/**
 * Undefined for evidence that an enclave hands out complete, which is not judged here.
 *
 * @throws {AttestationError} `ATTESTATION_EVIDENCE_TOO_LARGE`, `ATTESTATION_EVIDENCE_INVALID`,
 *   `ATTESTATION_EVIDENCE_NOT_CANONICAL`
 */
export function decodeRawEvidence(bytes: Uint8Array): RawEvidence | undefined {
  const type = evidenceType(bytes, RAW_KIND)
  return Object.hasOwn(READERS, type)
    ? decodeDocument(RAW_KIND, bytes, READERS[type as RawEvidence['type']])
    : undefined
}
