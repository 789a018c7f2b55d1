import { toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import type { Certificate } from '../x509/certificate.ts'
import { DerFault, readWhole, TAG } from '../x509/der.ts'
import { readOctets, readOid, readSmallInteger } from '../x509/der-values.ts'

const FIRMWARE_ID_OID = '2.23.133.5.4.1'
const SHA384_OID = '2.16.840.1.101.3.4.2.2'
const FIRMWARE_ID_BYTES = 48

/**
 * Which firmware a chip gave the key to (TCG DICE's CompositeDeviceID): `SEQUENCE { 1, the chip's key, SEQUENCE { SHA-384,
 * digest } }`.
 *
 * @returns the digest, 48 bytes
 * @throws {AttestationError} `ATTESTATION_GPU_FIRMWARE_ID_INVALID`
 */
export function readFirmwareId(firmwareKey: Certificate, chip: Certificate): Uint8Array {
  try {
    const extension = firmwareKey.extensions.get(FIRMWARE_ID_OID)
    if (extension === undefined) {
      throw new DerFault('it is missing')
    }
    return readWhole(extension.value, TAG.sequence, 'it', fields => {
      const version = readSmallInteger(fields, 'its version')
      const key = fields.read(TAG.sequence, 'its key').raw
      if (version !== 1 || toHex(key) !== toHex(chip.spki)) {
        throw new DerFault('it is not of version 1 or names another chip')
      }
      return fields.nested(TAG.sequence, 'its digest', digest => {
        const algorithm = readOid(digest, 'its algorithm')
        const value = readOctets(digest, 'its digest')
        if (algorithm !== SHA384_OID || value.length !== FIRMWARE_ID_BYTES) {
          throw new DerFault('its digest is not of SHA-384')
        }
        return value
      })
    })
  } catch (cause) {
    if (!(cause instanceof DerFault)) {
      throw cause
    }
    throw new AttestationError(
      'ATTESTATION_GPU_FIRMWARE_ID_INVALID',
      `The firmware id in the certificate of ${firmwareKey.subject.text} is refused: ${cause.message}`,
      { cause }
    )
  }
}
