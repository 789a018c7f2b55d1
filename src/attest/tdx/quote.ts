import { toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import { ByteReader, isZero, LayoutFault } from './byte-reader.ts'

/** Largest quote that is read, zero padding included: what Linux hands out at most. */
export const MAX_QUOTE_BYTES = 16 * 1024

const HEADER_BYTES = 48
const ECDSA_P256 = 2
const TEE_TYPE = { sgx: 0x00, tdx: 0x81 } as const
const INTEL_QE_VENDOR = '939a7233f79c4ca9940a0db3957f0607'
const ENCLAVE_REPORT_BYTES = 384
const TD_REPORT_BYTES = { td10: 584, td15: 648 } as const
/** Body types of quote version 5. */
const BODY_TYPE = { td10: 2, td15: 3 } as const
const CERTIFICATION = { pckChain: 5, qeReport: 6 } as const

/** A quote that was taken apart but not judged: nothing in it is true before its signatures held. */
export interface Quote {
  readonly version: 3 | 4 | 5
  /** What was measured: an SGX enclave, or a TD as TDX 1.0 or 1.5 reports it. */
  readonly body: { readonly kind: 'sgx' | 'td10' | 'td15'; readonly bytes: Uint8Array }
  /** What the attestation key signed: header, body descriptor (version 5) and body. */
  readonly signedBytes: Uint8Array
  /** `r ‖ s` over {@link signedBytes}, 64 bytes. */
  readonly signature: Uint8Array
  /** P-256 `x ‖ y`, 64 bytes. */
  readonly attestationKey: Uint8Array
  /** The quoting enclave's report, 384 bytes. */
  readonly qeReport: Uint8Array
  /** `r ‖ s` over {@link qeReport} by the PCK, 64 bytes. */
  readonly qeReportSignature: Uint8Array
  readonly qeAuthData: Uint8Array
  /** PEM: PCK certificate, its CA, the root. */
  readonly pckChain: Uint8Array
}

/**
 * Takes a DCAP quote apart: version 3 of SGX, version 4 and 5 of TDX (TD 1.0 and 1.5), with an ECDSA P-256 attestation
 * key of Intel's quoting enclave and the PCK chain in it (Intel TDX DCAP quoting library API, appendix 3). Sizes must
 * add up. Zero bytes may follow, since quote buffers of a fixed size are common; anything else may not.
 *
 * @throws {AttestationError} `ATTESTATION_QUOTE_TOO_LARGE`, `ATTESTATION_QUOTE_INVALID`,
 *   `ATTESTATION_QUOTE_UNSUPPORTED`, `ATTESTATION_QUOTE_TRAILING_BYTES`
 */
export function parseQuote(bytes: Uint8Array): Quote {
  if (bytes.byteLength > MAX_QUOTE_BYTES) {
    throw new AttestationError(
      'ATTESTATION_QUOTE_TOO_LARGE',
      `A quote has ${bytes.byteLength} bytes: expected at most ${MAX_QUOTE_BYTES}`
    )
  }
  try {
    // A copy: what was verified must not change under whoever reads the result.
    return readQuote(new Uint8Array(bytes))
  } catch (cause) {
    if (!(cause instanceof LayoutFault)) {
      throw cause
    }
    throw new AttestationError('ATTESTATION_QUOTE_INVALID', `A quote is not in its format: ${cause.message}`, { cause })
  }
}

function readQuote(bytes: Uint8Array): Quote {
  const reader = new ByteReader(bytes)
  const version = readHeader(reader)
  const body = version === 5 ? readDescribedBody(reader) : readBody(reader, version === 3 ? 'sgx' : 'td10')
  const signedBytes = bytes.subarray(0, reader.offset)
  const authData = new ByteReader(reader.bytes(reader.u32('The size of the signature data'), 'The signature data'))
  if (!isZero(reader.bytes(reader.left, 'The padding'))) {
    throw new AttestationError(
      'ATTESTATION_QUOTE_TRAILING_BYTES',
      `A quote of ${signedBytes.length} signed bytes is followed by bytes that belong to nothing`
    )
  }
  const signature = authData.bytes(64, 'The signature')
  const attestationKey = authData.bytes(64, 'The attestation key')
  const certification = version === 3 ? authData : readCertification(authData, CERTIFICATION.qeReport)
  const qeReport = certification.bytes(ENCLAVE_REPORT_BYTES, "The quoting enclave's report")
  const qeReportSignature = certification.bytes(64, "The signature of the quoting enclave's report")
  const qeAuthData = certification.bytes(certification.u16("The size of the quoting enclave's data"), 'That data')
  const chain = readCertification(certification, CERTIFICATION.pckChain)
  const pckChain = chain.bytes(chain.left, 'The PCK chain')
  return { version, body, signedBytes, signature, attestationKey, qeReport, qeReportSignature, qeAuthData, pckChain }
}

function readHeader(reader: ByteReader): Quote['version'] {
  const header = new ByteReader(reader.bytes(HEADER_BYTES, 'The header'))
  const version = header.u16('The version')
  const keyType = header.u16('The type of the attestation key')
  const teeType = header.u32('The type of the TEE')
  const reserved = header.u32('The reserved field')
  const vendor = toHex(header.bytes(16, 'The vendor of the quoting enclave'))
  if (version !== 3 && version !== 4 && version !== 5) {
    throw unsupported(`its version is ${version}: expected 3, 4 or 5`)
  }
  if (keyType !== ECDSA_P256) {
    throw unsupported(`its attestation key is of type ${keyType}: expected ${ECDSA_P256}, ECDSA on P-256`)
  }
  if (teeType !== (version === 3 ? TEE_TYPE.sgx : TEE_TYPE.tdx)) {
    throw unsupported(`it is of version ${version} for a TEE of type ${teeType}`)
  }
  // Version 3 has the security versions of the two enclaves there; certificates and reports say them again, signed.
  if (version !== 3 && reserved !== 0) {
    throw unsupported('a reserved field of its header is not zero')
  }
  if (vendor !== INTEL_QE_VENDOR) {
    throw unsupported(`its quoting enclave is by ${vendor}: expected Intel's`)
  }
  return version
}

function readDescribedBody(reader: ByteReader): Quote['body'] {
  const type = reader.u16('The type of the body')
  const size = reader.u32('The size of the body')
  const kind = type === BODY_TYPE.td10 ? 'td10' : type === BODY_TYPE.td15 ? 'td15' : undefined
  if (kind === undefined) {
    throw unsupported(`its body is of type ${type}: expected ${BODY_TYPE.td10} or ${BODY_TYPE.td15}`)
  }
  if (size !== TD_REPORT_BYTES[kind]) {
    throw new LayoutFault(`the body has ${size} bytes: expected ${TD_REPORT_BYTES[kind]}`)
  }
  return readBody(reader, kind)
}

function readBody(reader: ByteReader, kind: Quote['body']['kind']): Quote['body'] {
  return { kind, bytes: reader.bytes(kind === 'sgx' ? ENCLAVE_REPORT_BYTES : TD_REPORT_BYTES[kind], 'The body') }
}

/** Reads certification data of this type, which must fill what is left. */
function readCertification(reader: ByteReader, expected: number): ByteReader {
  const type = reader.u16('The type of the certification data')
  const size = reader.u32('The size of the certification data')
  if (type !== expected) {
    throw unsupported(`its certification data is of type ${type}: expected ${expected}`)
  }
  const content = new ByteReader(reader.bytes(size, 'The certification data'))
  reader.expectEnd('The certification data')
  return content
}

function unsupported(why: string): AttestationError {
  return new AttestationError('ATTESTATION_QUOTE_UNSUPPORTED', `A quote cannot be judged: ${why}`)
}
