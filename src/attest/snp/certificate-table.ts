import { AttestationError } from '../../core/errors.ts'

/** GUIDs of the table that a host hands its guests (SEV-ES Guest-Hypervisor Communication Block, extended guest request). */
const NAMES = new Map([
  ['63da758d-e664-4564-adc5-f4b93be8accd', 'vcek'],
  ['a8074bc2-a25a-483e-aae6-39c045a0b8a1', 'vlek'],
  ['4ab7b379-bbac-4fe4-a02f-05aef327c782', 'ask'],
  ['c0b406a4-a803-4952-9743-3fb6014cd0ae', 'ark']
] as const)

const ENTRY_BYTES = 24
const MAX_ENTRIES = 16
const END = '00000000-0000-0000-0000-000000000000'

export type SnpCertificateName = 'vcek' | 'vlek' | 'ask' | 'ark'

/**
 * Reads the certificates of a host's table: entries of a GUID, an offset and a length (32 bits, little-endian) up to one of
 * zeros, each pointing to DER behind them. Certificates of other names are passed over. Nothing of it is believed: it is
 * the host's.
 *
 * @throws {AttestationError} `ATTESTATION_SNP_CERTIFICATE_TABLE_INVALID`
 */
export function parseCertificateTable(bytes: Uint8Array): Map<SnpCertificateName, Uint8Array> {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const found = new Map<SnpCertificateName, Uint8Array>()
  for (let index = 0; ; index++) {
    const at = index * ENTRY_BYTES
    if (index >= MAX_ENTRIES || at + ENTRY_BYTES > view.byteLength) {
      throw invalid('it has no end')
    }
    const guid = guidText(view.subarray(at, at + 16))
    const offset = view.readUInt32LE(at + 16)
    const length = view.readUInt32LE(at + 20)
    if (guid === END) {
      return found
    }
    if (offset + length > view.byteLength) {
      throw invalid(`its entry ${index} lies outside`)
    }
    const name = NAMES.get(guid as never)
    if (name !== undefined) {
      if (found.has(name)) {
        throw invalid(`it has two certificates for ${name}`)
      }
      found.set(name, new Uint8Array(view.subarray(offset, offset + length)))
    }
  }
}

/** The text of a GUID as it lies in the table: all of its bytes in order. */
function guidText(bytes: Buffer): string {
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

function invalid(why: string): AttestationError {
  return new AttestationError(
    'ATTESTATION_SNP_CERTIFICATE_TABLE_INVALID',
    `The host's table of certificates cannot be read: ${why}`
  )
}
