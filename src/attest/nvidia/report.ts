import { AttestationError } from '../../core/errors.ts'
import { type GpuFields, parseOpaqueData } from './opaque-data.ts'

/** Bytes of the nonce that the asker chose. */
export const GPU_NONCE_BYTES = 32

const MAX_REPORT_BYTES = 16 * 1024
const REQUEST_BYTES = 37
const RESPONSE_HEADER_BYTES = 8
const SIGNATURE_BYTES = 96
/** DSP0274 (SPDM 1.1) §10.11: all measurements, signed. */
const REQUEST_HEADER = '11e001ff'
const RESPONSE_HEADER = '11600000'
const SLOT = 0
const BLOCK_HEADER_BYTES = 7
const DMTF_SPECIFICATION = 1
/** DSP0274 table 46: the digest of mutable firmware, which is how NVIDIA marks every block. */
const FIRMWARE_DIGEST = 1
const MEASUREMENT_BYTES = 48

/** What a GPU reported, before its signature is checked. */
export interface GpuReport {
  /** Of the request, 32 bytes. */
  readonly nonce: Uint8Array
  /** 48 bytes each; measurement `i` is SPDM's block `i + 1`, and index `i` of the golden measurements. */
  readonly measurements: readonly Uint8Array[]
  readonly fields: GpuFields
  /** Request and response: what was signed. */
  readonly signedBody: Uint8Array
  /** ECDSA over P-384, `r ‖ s` big-endian, 96 bytes. */
  readonly signature: Uint8Array
}

/**
 * Takes a report apart: `GET_MEASUREMENTS` ‖ `MEASUREMENTS` of SPDM 1.1, whose last 96 bytes are the signature.
 *
 * @throws {AttestationError} `ATTESTATION_GPU_REPORT_SIZE`, `ATTESTATION_GPU_REPORT_INVALID`,
 *   `ATTESTATION_GPU_FIELD_UNKNOWN`
 */
export function parseGpuReport(input: Uint8Array): GpuReport {
  const least = REQUEST_BYTES + RESPONSE_HEADER_BYTES + GPU_NONCE_BYTES + 2 + SIGNATURE_BYTES
  if (input.byteLength < least || input.byteLength > MAX_REPORT_BYTES) {
    throw refusal('SIZE', `The GPU report has ${input.byteLength} bytes: expected ${least} to ${MAX_REPORT_BYTES}`)
  }
  // A copy: what is returned must not change with the caller's buffer.
  const bytes = Buffer.from(input)
  expectHeader('request', bytes.toString('hex', 0, 4), REQUEST_HEADER)
  const slot = bytes.readUInt8(REQUEST_BYTES - 1)
  if (slot !== SLOT) {
    throw refusal('INVALID', `The GPU signed with the key of slot ${slot}: expected ${SLOT}`)
  }
  expectHeader('response', bytes.toString('hex', REQUEST_BYTES, REQUEST_BYTES + 4), RESPONSE_HEADER)
  const blocks = bytes.readUInt8(REQUEST_BYTES + 4)
  const recordBytes = bytes.readUIntLE(REQUEST_BYTES + 5, 3)
  const recordEnd = REQUEST_BYTES + RESPONSE_HEADER_BYTES + recordBytes
  const opaqueFrom = recordEnd + GPU_NONCE_BYTES + 2
  if (opaqueFrom > bytes.length - SIGNATURE_BYTES) {
    throw refusal('INVALID', `The GPU report says ${recordBytes} bytes of measurements, more than it holds`)
  }
  const opaqueBytes = bytes.readUInt16LE(opaqueFrom - 2)
  const signatureFrom = opaqueFrom + opaqueBytes
  if (signatureFrom !== bytes.length - SIGNATURE_BYTES) {
    throw refusal('INVALID', `The GPU report says ${opaqueBytes} bytes of fields, which does not fit its size`)
  }
  return {
    nonce: bytes.subarray(4, 4 + GPU_NONCE_BYTES),
    measurements: parseBlocks(bytes.subarray(REQUEST_BYTES + RESPONSE_HEADER_BYTES, recordEnd), blocks),
    fields: parseOpaqueData(bytes.subarray(opaqueFrom, signatureFrom)),
    signedBody: bytes.subarray(0, signatureFrom),
    signature: bytes.subarray(signatureFrom)
  }
}

function parseBlocks(record: Buffer, blocks: number): Uint8Array[] {
  const blockBytes = BLOCK_HEADER_BYTES + MEASUREMENT_BYTES
  if (blocks === 0 || record.length !== blocks * blockBytes) {
    throw refusal(
      'INVALID',
      `The GPU report has ${blocks} measurements in ${record.length} bytes: expected ${blockBytes} each`
    )
  }
  return Array.from({ length: blocks }, (_, i) => {
    const block = record.subarray(i * blockBytes, (i + 1) * blockBytes)
    const fits =
      block.readUInt8(0) === i + 1 &&
      block.readUInt8(1) === DMTF_SPECIFICATION &&
      block.readUInt16LE(2) === blockBytes - 4 &&
      block.readUInt8(4) === FIRMWARE_DIGEST &&
      block.readUInt16LE(5) === MEASUREMENT_BYTES
    if (!fits) {
      throw refusal(
        'INVALID',
        `Measurement ${i} of the GPU report is not a digest of ${MEASUREMENT_BYTES} bytes in its place`
      )
    }
    return block.subarray(BLOCK_HEADER_BYTES)
  })
}

function expectHeader(what: string, found: string, expected: string): void {
  if (found !== expected) {
    throw refusal('INVALID', `The ${what} in the GPU report begins with ${found}: expected ${expected}`)
  }
}

function refusal(cause: string, message: string): AttestationError {
  return new AttestationError(`ATTESTATION_GPU_REPORT_${cause}`, message)
}
