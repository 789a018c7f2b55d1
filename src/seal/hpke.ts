import { CocoonError, PeerError } from '../core/errors.ts'
import { aesGcmOpen, aesGcmSeal, KEY_BYTES } from './aes-gcm.ts'
import { counterNonce, NONCE_BYTES } from './counter-nonce.ts'
import { HASH_BYTES, labeledHkdf, MAX_EXPAND_BYTES, uint16 } from './labeled-hkdf.ts'
import { wipe } from './wipe.ts'
import {
  decapsulate,
  deriveHpkeKeyPair,
  encapsulate,
  generateHpkeKeyPair,
  type HpkeKeyPair,
  KEM_ID
} from './x25519-kem.ts'

// RFC 9180 §7.2 and §7.3: HKDF-SHA256 and AES-256-GCM.
const KDF_ID = 0x0001
const AEAD_ID = 0x0002
const MODE_BASE = 0x00

const NONE = new Uint8Array(0)
const hkdf = labeledHkdf(Buffer.concat([Buffer.from('HPKE'), uint16(KEM_ID), uint16(KDF_ID), uint16(AEAD_ID)]))

/** What both ends of an HPKE context can do. */
export interface HpkeContext {
  /**
   * RFC 9180 §5.3: a secret both ends can derive, independent of the messages.
   *
   * @param length bytes, at most 8,160
   */
  exportSecret(context: Uint8Array, length: number): Uint8Array
  /** Overwrites this context's keys; any later call throws `SEAL_KEY_WIPED`. */
  wipe(): void
}

/** The sender's end (RFC 9180 §5.2). */
export interface SenderContext extends HpkeContext {
  /** Encapsulated key to hand to the recipient, 32 bytes. */
  readonly enc: Uint8Array
  /** Seals the next message: ciphertext and a 16-byte tag. */
  seal(aad: Uint8Array, plaintext: Uint8Array): Uint8Array
}

/** The recipient's end (RFC 9180 §5.2). */
export interface RecipientContext extends HpkeContext {
  /**
   * Opens the next message. After a failure the context still waits for that same message.
   *
   * @throws {PeerError} `SEAL_OPEN_FAILED` if anything differs from what was sealed
   */
  open(aad: Uint8Array, ciphertext: Uint8Array): Uint8Array
}

/** Settings of {@link setupSender}. */
export interface SenderInit {
  /**
   * Secret seed of the ephemeral key pair, 32 bytes, used once: only for tests and for injected randomness.
   *
   * @default a fresh key pair from the system's randomness
   */
  ephemeralSeed?: Uint8Array
}

/**
 * RFC 9180 §5.1.1 SetupBaseS: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
 *
 * @param publicKey the recipient's raw X25519 key, 32 bytes
 * @throws {PeerError} `SEAL_LENGTH_INVALID`, `SEAL_KEY_INVALID`
 */
export function setupSender(publicKey: Uint8Array, info: Uint8Array, init: SenderInit = {}): SenderContext {
  const { ephemeralSeed: seed } = init
  // Importing a derived private key costs OpenSSL ten times what a fresh one does.
  const ephemeral = seed === undefined ? generateHpkeKeyPair() : deriveHpkeKeyPair(seed)
  const { enc, sharedSecret } = encapsulate(ephemeral, publicKey)
  const keys = new ContextKeys(sharedSecret, info)
  return {
    enc,
    seal: (aad, plaintext) => keys.seal(aad, plaintext),
    exportSecret: (context, length) => keys.exportSecret(context, length),
    wipe: () => keys.wipe()
  }
}

/**
 * RFC 9180 §5.1.1 SetupBaseR.
 *
 * @throws {PeerError} `SEAL_LENGTH_INVALID`, `SEAL_KEY_INVALID`
 */
export function setupRecipient(enc: Uint8Array, keyPair: HpkeKeyPair, info: Uint8Array): RecipientContext {
  const keys = new ContextKeys(decapsulate(enc, keyPair), info)
  return {
    open: (aad, ciphertext) => keys.open(aad, ciphertext),
    exportSecret: (context, length) => keys.exportSecret(context, length),
    wipe: () => keys.wipe()
  }
}

/** RFC 9180 §5.1 KeySchedule in base mode, and the message counter of §5.2. */
class ContextKeys {
  readonly #key: Uint8Array
  readonly #baseNonce: Uint8Array
  readonly #exporterSecret: Uint8Array
  #sequence = 0
  #wiped = false

  constructor(sharedSecret: Uint8Array, info: Uint8Array) {
    // The default psk and psk_id of base mode are empty.
    const pskIdHash = hkdf.extract(NONE, 'psk_id_hash', NONE)
    const infoHash = hkdf.extract(NONE, 'info_hash', info)
    const context = Buffer.concat([Uint8Array.of(MODE_BASE), pskIdHash, infoHash])
    const secret = hkdf.extract(sharedSecret, 'secret', NONE)
    this.#key = hkdf.expand(secret, 'key', context, KEY_BYTES)
    this.#baseNonce = hkdf.expand(secret, 'base_nonce', context, NONCE_BYTES)
    this.#exporterSecret = hkdf.expand(secret, 'exp', context, HASH_BYTES)
    wipe(secret, sharedSecret)
  }

  seal(aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
    this.#expectKeys()
    const sealed = aesGcmSeal(this.#key, counterNonce(this.#baseNonce, this.#sequence), aad, plaintext)
    this.#sequence++
    return sealed
  }

  open(aad: Uint8Array, ciphertext: Uint8Array): Uint8Array {
    this.#expectKeys()
    const plaintext = aesGcmOpen(this.#key, counterNonce(this.#baseNonce, this.#sequence), aad, ciphertext)
    if (plaintext === undefined) {
      throw new PeerError('SEAL_OPEN_FAILED', `Sealed message ${this.#sequence} does not open with this key`)
    }
    this.#sequence++
    return plaintext
  }

  exportSecret(context: Uint8Array, length: number): Uint8Array {
    this.#expectKeys()
    if (!Number.isInteger(length) || length < 1 || length > MAX_EXPAND_BYTES) {
      throw new RangeError(`Cannot export ${length} bytes: expected 1 to ${MAX_EXPAND_BYTES}`)
    }
    return hkdf.expand(this.#exporterSecret, 'sec', context, length)
  }

  wipe(): void {
    this.#wiped = true
    wipe(this.#key, this.#baseNonce, this.#exporterSecret)
  }

  // Sealing under a key of zeros would publish the plaintext.
  #expectKeys(): void {
    if (this.#wiped) {
      throw new CocoonError('internal', 'SEAL_KEY_WIPED', 'This HPKE context was wiped: set up a new one')
    }
  }
}
