import { AttestationError, errorMessage } from '../core/errors.ts'
import { LIMITS } from '../wire/limits.ts'
import {
  base64,
  DocumentFault,
  type DocumentKind,
  decodeDocument,
  integer,
  list,
  object,
  oneOf,
  optional,
  parseJson,
  type Reader
} from './document.ts'
import { readCollateral, type TdxCollateral } from './tdx/collateral.ts'

/** How evidence is named and limited; every type is canonical JSON with a `type` field. */
export const EVIDENCE_KIND = {
  name: 'Evidence',
  codePrefix: 'ATTESTATION_EVIDENCE',
  maxBytes: LIMITS.evidenceBytes
} as const

const MAX_RIMS = 4
const MAX_RIM_INDEX = MAX_RIMS - 1

/** A TDX quote with what is needed to judge it. Bytes are in base64. */
export interface TdxProof {
  quote: string
  collateral: TdxCollateral
  /** The firmware's log of what it measured into RTMR 0 to 3 (CCEL); says how they came about. */
  eventLog?: string
}

/** Evidence of the tier `tdx`. */
export interface TdxEvidence extends TdxProof {
  type: 'tdx'
  version: 1
}

/** Evidence of the tier `snp`: report, certificates and revocation list (DER) in base64. */
export interface SnpEvidence {
  type: 'snp'
  version: 1
  report: string
  /** VCEK or VLEK. */
  leaf: string
  /** ASK or ASVK. */
  ask: string
  ark: string
  /** The ARK's. */
  crl: string
}

/** What one GPU says. */
export interface GpuProof {
  /** SPDM request, response and signature, base64. */
  report: string
  /** Its five certificates in PEM, base64. */
  chain: string
  /** Where in `rims` the golden measurements of its driver and its VBIOS stand. */
  driverRim: number
  vbiosRim: number
}

/** Evidence of the tier `tdx+gpu`. */
export interface TdxGpuEvidence {
  type: 'tdx+gpu'
  version: 1
  cpu: TdxProof
  gpus: GpuProof[]
  /** NVIDIA's golden measurements (`.swidtag`), base64. */
  rims: string[]
}

const collateral: Reader<TdxCollateral> = value => readCollateral(value)

const proof = {
  quote: base64(),
  collateral,
  eventLog: optional(base64()) as Reader<string>
}

const readTdx: Reader<TdxEvidence> = object<TdxEvidence>({ type: oneOf(['tdx']), version: oneOf([1]), ...proof })

const readSnp: Reader<SnpEvidence> = object<SnpEvidence>({
  type: oneOf(['snp']),
  version: oneOf([1]),
  report: base64(),
  leaf: base64(),
  ask: base64(),
  ark: base64(),
  crl: base64()
})

/** What an enclave's GPUs say, and NVIDIA's golden measurements; complete as the enclave hands it out. */
export const gpuFields: { gpus: Reader<GpuProof[]>; rims: Reader<string[]> } = {
  gpus: list(
    object<GpuProof>({
      report: base64(),
      chain: base64(),
      driverRim: integer(0, MAX_RIM_INDEX),
      vbiosRim: integer(0, MAX_RIM_INDEX)
    }),
    LIMITS.gpus
  ),
  rims: list(base64(), MAX_RIMS)
}

const readTdxGpu: Reader<TdxGpuEvidence> = object<TdxGpuEvidence>({
  type: oneOf(['tdx+gpu']),
  version: oneOf([1]),
  cpu: object<TdxProof>(proof),
  ...gpuFields
})

/** @throws {AttestationError} `ATTESTATION_EVIDENCE_…` and those of {@link readCollateral} */
export function decodeTdxEvidence(bytes: Uint8Array): TdxEvidence {
  return decodeDocument(EVIDENCE_KIND, bytes, readTdx)
}

/** @throws {AttestationError} `ATTESTATION_EVIDENCE_…` */
export function decodeSnpEvidence(bytes: Uint8Array): SnpEvidence {
  return decodeDocument(EVIDENCE_KIND, bytes, readSnp)
}

/** @throws {AttestationError} `ATTESTATION_EVIDENCE_…` and those of {@link readCollateral} */
export function decodeTdxGpuEvidence(bytes: Uint8Array): TdxGpuEvidence {
  return decodeDocument(EVIDENCE_KIND, bytes, readTdxGpu)
}

/**
 * The `type` of evidence, before anything else in it is believed.
 *
 * @throws {AttestationError} `ATTESTATION_EVIDENCE_TOO_LARGE`, `ATTESTATION_EVIDENCE_INVALID`
 */
export function evidenceType(bytes: Uint8Array, { name, maxBytes }: DocumentKind = EVIDENCE_KIND): string {
  if (bytes.byteLength > maxBytes) {
    throw new AttestationError(
      'ATTESTATION_EVIDENCE_TOO_LARGE',
      `${name} has ${bytes.byteLength} bytes: expected at most ${maxBytes}`
    )
  }
  try {
    const value = parseJson(bytes)
    if (typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string') {
      return value.type
    }
    throw new DocumentFault('Evidence has no type')
  } catch (cause) {
    throw new AttestationError('ATTESTATION_EVIDENCE_INVALID', errorMessage(cause), { cause })
  }
}
