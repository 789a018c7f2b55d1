import { AttestationError } from '../../core/errors.ts'
import { type Certificate, parseCertificate } from '../x509/certificate.ts'
import { verifyChain } from '../x509/chain.ts'
import { splitPem } from '../x509/pem.ts'
import type { Validity } from '../x509/validity.ts'
import { readFirmwareId } from './firmware-id.ts'

/** NVIDIA Device Identity CA: SHA-256 of its DER. Nothing else is trusted. */
const DEVICE_ROOT = '102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48'

/** Key of this boot's firmware, key of the chip, NVIDIA's provisioner, the architecture, the root. */
const CHAIN_LENGTH = 5
/** H100 and H200. The same root also has NVSwitches and other architectures, whose reports mean other things. */
const ARCHITECTURE = 'NVIDIA GH100 Identity'
const FIRMWARE_KEY = /^GH100 [A-Z]\d{2} GSP FMC LF$/

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
 * @throws {AttestationError} `ATTESTATION_GPU_CHAIN_MISMATCH` and those of {@link splitPem}, {@link parseCertificate},
 *   {@link verifyChain} and {@link readFirmwareId}
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

/** NVIDIA's driver hands the certificates out with no line end between them, which is not PEM. */
function separate(chainPem: string | Uint8Array): string {
  const text = typeof chainPem === 'string' ? chainPem : Buffer.from(chainPem).toString('latin1')
  return text.replaceAll('-----END CERTIFICATE----------BEGIN ', '-----END CERTIFICATE-----\n-----BEGIN ')
}
