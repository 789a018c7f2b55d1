import { KEY_BYTES } from './aes-gcm.ts'
import { NONCE_BYTES } from './counter-nonce.ts'
import { HASH_BYTES, type LabeledHkdf, labeledHkdf, uint16 } from './labeled-hkdf.ts'
import { wipe } from './wipe.ts'

// RFC 9180 §7.2 and §7.3: HKDF-SHA256 and AES-256-GCM.
const KDF_ID = 0x0001
const AEAD_ID = 0x0002
const MODE_BASE = 0x00

const NONE = new Uint8Array(0)

/** What an HPKE context works with (RFC 9180 §5.1). */
export interface ScheduledKeys {
  readonly key: Uint8Array
  readonly baseNonce: Uint8Array
  readonly exporterSecret: Uint8Array
}

/**
 * HKDF-SHA256 with the labels of one suite.
 *
 * @param aeadId another one only where vectors of another AEAD are all there is; its sizes must be those of ours
 */
export function suiteHkdf(kemId: number, aeadId = AEAD_ID): LabeledHkdf {
  return labeledHkdf(Buffer.concat([Buffer.from('HPKE'), uint16(kemId), uint16(KDF_ID), uint16(aeadId)]))
}

/** RFC 9180 §5.1 KeySchedule in base mode. Wipes the shared secret. */
export function scheduleKeys(hkdf: LabeledHkdf, sharedSecret: Uint8Array, info: Uint8Array): ScheduledKeys {
  // The default psk and psk_id of base mode are empty.
  const pskIdHash = hkdf.extract(NONE, 'psk_id_hash', NONE)
  const infoHash = hkdf.extract(NONE, 'info_hash', info)
  const context = Buffer.concat([Uint8Array.of(MODE_BASE), pskIdHash, infoHash])
  const secret = hkdf.extract(sharedSecret, 'secret', NONE)
  try {
    return {
      key: hkdf.expand(secret, 'key', context, KEY_BYTES),
      baseNonce: hkdf.expand(secret, 'base_nonce', context, NONCE_BYTES),
      exporterSecret: hkdf.expand(secret, 'exp', context, HASH_BYTES)
    }
  } finally {
    wipe(secret, sharedSecret)
  }
}

/** RFC 9180 §5.3. */
export function exportFrom(
  hkdf: LabeledHkdf,
  { exporterSecret }: ScheduledKeys,
  context: Uint8Array,
  length: number
): Uint8Array {
  return hkdf.expand(exporterSecret, 'sec', context, length)
}
