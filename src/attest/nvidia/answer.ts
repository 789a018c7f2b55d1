import { verify } from 'node:crypto'
import { toHex } from '../../core/bytes.ts'
import { AttestationError } from '../../core/errors.ts'
import type { GpuDevice } from './device-chain.ts'
import type { GpuReport } from './report.ts'

/**
 * Decides whether a report is this device's answer to `nonce`: signed by its key, for this nonce, by the firmware that
 * the certificate names (older drivers' reports name none).
 *
 * @throws {AttestationError} `ATTESTATION_GPU_SIGNATURE_INVALID`, `ATTESTATION_GPU_NONCE_MISMATCH`,
 *   `ATTESTATION_GPU_FIRMWARE_ID_MISMATCH`
 */
export function expectAnswer(
  { signedBody, signature, nonce: answered, fields }: GpuReport,
  { firmwareKey, firmwareId }: Pick<GpuDevice, 'firmwareKey' | 'firmwareId'>,
  nonce: Uint8Array
): void {
  const key = { key: firmwareKey.publicKey, dsaEncoding: 'ieee-p1363' } as const
  if (firmwareKey.keyType !== 'p384' || !verify('sha384', signedBody, key, signature)) {
    throw refusal('SIGNATURE_INVALID', `${firmwareKey.subject.text} did not sign the GPU report`)
  }
  if (toHex(answered) !== toHex(nonce)) {
    throw refusal('NONCE_MISMATCH', 'The GPU report answers another nonce: it may be an old one')
  }
  if (fields.firmwareId !== undefined && toHex(fields.firmwareId) !== toHex(firmwareId)) {
    throw refusal('FIRMWARE_ID_MISMATCH', 'The GPU report names other firmware than the certificate of its key')
  }
}

function refusal(cause: string, message: string): AttestationError {
  return new AttestationError(`ATTESTATION_GPU_${cause}`, message)
}
