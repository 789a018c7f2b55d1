import { toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import { type Certificate, parseCertificate } from '../x509/certificate.ts'
import { verifyChain } from '../x509/chain.ts'
import { DerFault, readWhole, TAG } from '../x509/der.ts'
import { readOctets, readOid, readSmallInteger } from '../x509/der-values.ts'
import { splitPem } from '../x509/pem.ts'
import type { Validity } from '../x509/validity.ts'

/** NVIDIA Device Identity CA: SHA-256 of its DER. Nothing else is trusted. */
const DEVICE_ROOT = '102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48'

/** Key of this boot's firmware, key of the chip, NVIDIA's provisioner, the architecture, the root. */
const CHAIN_LENGTH = 5
/** H100 and H200. The same root also has NVSwitches and other architectures, whose reports mean other things. */
const ARCHITECTURE = 'NVIDIA GH100 Identity'
const FIRMWARE_KEY = /^GH100 [A-Z]\d{2} GSP FMC LF$/
const FIRMWARE_ID_OID = '2.23.133.5.4.1'
const SHA384_OID = '2.16.840.1.101.3.4.2.2'
const FIRMWARE_ID_BYTES = 48

export interface GpuDevice {
  /** The key that signs reports. */
  readonly firmwareKey: Certificate
  /** The chip's own key: its subject names the chip. */
  readonly chip: Certificate
  /** Digest of the firmware that the chip gave the key to, 48 bytes. */
  readonly firmwareId: Uint8Array
  readonly validity: Validity
}

/**
 * Verifies the certificates of a GPU up to NVIDIA's pinned root, and reads which firmware has the key.
 *
 * @param chainPem five certificates, the leaf first
 * @throws {AttestationError} `ATTESTATION_GPU_CHAIN_MISMATCH`, `ATTESTATION_GPU_FIRMWARE_ID_INVALID` and those of
 *   {@link splitPem}, {@link parseCertificate} and {@link verifyChain}
 */
export function verifyDeviceChain(chainPem: string | Uint8Array, nowMs: number): GpuDevice {
  const chain = splitPem(separate(chainPem), CHAIN_LENGTH).map(der => parseCertificate(der))
  const [firmwareKey, chip, , architecture] = chain
  if (
    firmwareKey === undefined ||
    chip === undefined ||
    chain.length !== CHAIN_LENGTH ||
    architecture?.subject.commonName !== ARCHITECTURE ||
    !FIRMWARE_KEY.test(firmwareKey.subject.commonName ?? '') ||
    firmwareKey.basicConstraints.ca ||
    firmwareKey.keyUsage?.has('digitalSignature') !== true
  ) {
    throw new AttestationError(
      'ATTESTATION_GPU_CHAIN_MISMATCH',
      `The ${chain.length} certificates of ${firmwareKey?.subject.text} are not those of an H100 or H200`
    )
  }
  const validity = verifyChain({ chain, rootSha256: [DEVICE_ROOT], nowMs })
  return { firmwareKey, chip, firmwareId: readFirmwareId(firmwareKey, chip), validity }
}

/**
 * Holds the firmware id that a report names, if it does, against the certified one.
 *
 * @throws {AttestationError} `ATTESTATION_GPU_FIRMWARE_ID_MISMATCH`
 */
export function expectFirmwareId(reported: Uint8Array | undefined, certified: Uint8Array): void {
  if (reported !== undefined && toHex(reported) !== toHex(certified)) {
    throw new AttestationError(
      'ATTESTATION_GPU_FIRMWARE_ID_MISMATCH',
      'The GPU report names other firmware than the certificate of its key'
    )
  }
}

/** NVIDIA's driver hands the certificates out with no line end between them, which is not PEM. */
function separate(chainPem: string | Uint8Array): string {
  const text = typeof chainPem === 'string' ? chainPem : Buffer.from(chainPem).toString('latin1')
  return text.replaceAll('-----END CERTIFICATE----------BEGIN ', '-----END CERTIFICATE-----\n-----BEGIN ')
}

/** TCG DICE's CompositeDeviceID: `SEQUENCE { 1, the chip's key, SEQUENCE { SHA-384, digest } }`. */
function readFirmwareId(firmwareKey: Certificate, chip: Certificate): Uint8Array {
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
