import { AttestationError } from '../../core/errors.ts'

/** The fields of a report that this project reads; NVIDIA puts them into SPDM's opaque data. */
export interface GpuFields {
  /** E.g. `550.90.07`. */
  readonly driverVersion: string
  /** E.g. `96.00.5E.00.01`. */
  readonly vbiosVersion: string
  /** These three name the golden measurements of the VBIOS. */
  readonly project: string
  readonly projectSku: string
  readonly chipSku: string
  /** Digest of the firmware that holds the key, 48 bytes; older drivers leave it out. */
  readonly firmwareId: Uint8Array | undefined
}

const FIELD = { driverVersion: 3, vbiosVersion: 6, chipSku: 15, project: 17, projectSku: 18, firmwareId: 20 } as const

/** Fields that NVIDIA's own verifier knows: names of issuer, keys, boards and links, counters, states of engines. */
const KNOWN: ReadonlySet<number> = new Set([...Array.from({ length: 25 }, (_, i) => i + 1), 32])

const MAX_TEXT_BYTES = 32
const VBIOS_BYTES = 8
const FIRMWARE_ID_BYTES = 48

/**
 * Reads `(type:uint16 ‖ size:uint16 ‖ value)*`, little-endian. Every type once, none that is unknown.
 *
 * @throws {AttestationError} `ATTESTATION_GPU_REPORT_INVALID`, `ATTESTATION_GPU_FIELD_UNKNOWN`
 */
export function parseOpaqueData(bytes: Buffer): GpuFields {
  const fields = split(bytes)
  const take = (type: number): Buffer => {
    const value = fields.get(type)
    if (value === undefined) {
      throw invalid(`field ${type} is missing`)
    }
    return value
  }
  const firmwareId = fields.get(FIELD.firmwareId)
  if (firmwareId !== undefined && firmwareId.length !== FIRMWARE_ID_BYTES) {
    throw invalid(`its firmware id has ${firmwareId.length} bytes: expected ${FIRMWARE_ID_BYTES}`)
  }
  return {
    driverVersion: text(take(FIELD.driverVersion)),
    vbiosVersion: vbios(take(FIELD.vbiosVersion)),
    project: text(take(FIELD.project)),
    projectSku: text(take(FIELD.projectSku)),
    chipSku: text(take(FIELD.chipSku)),
    firmwareId
  }
}

function split(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const fields = new Map<number, Buffer>()
  for (let offset = 0; offset < bytes.length; ) {
    const size = offset + 4 <= bytes.length ? bytes.readUInt16LE(offset + 2) : bytes.length
    const end = offset + 4 + size
    if (end > bytes.length) {
      throw invalid('a field is cut off')
    }
    const type = bytes.readUInt16LE(offset)
    if (!KNOWN.has(type)) {
      throw new AttestationError(
        'ATTESTATION_GPU_FIELD_UNKNOWN',
        `The GPU report has a field of type ${type}, which this version does not know`
      )
    }
    if (fields.has(type)) {
      throw invalid(`field ${type} stands twice`)
    }
    fields.set(type, bytes.subarray(offset + 4, end))
    offset = end
  }
  return fields
}

// ASCII, then zeros up to a size that differs between drivers.
function text(value: Buffer): string {
  const found = /^([0-9A-Za-z.]+)\0+$/.exec(value.toString('latin1'))?.[1]
  if (found === undefined || value.length > MAX_TEXT_BYTES) {
    throw invalid('a text in it is not short and closed')
  }
  return found
}

// 96.00.5E.00.01 is kept as 00 5e 00 96 01, then zeros.
function vbios(value: Buffer): string {
  if (value.length !== VBIOS_BYTES || value.subarray(5).some(byte => byte !== 0)) {
    throw invalid(`its VBIOS version is not one of ${VBIOS_BYTES} bytes`)
  }
  return [3, 2, 1, 0, 4].map(index => value.toString('hex', index, index + 1).toUpperCase()).join('.')
}

function invalid(why: string): AttestationError {
  return new AttestationError('ATTESTATION_GPU_REPORT_INVALID', `The fields of the GPU report are refused: ${why}`)
}
