import { CocoonError, PeerError } from '../core/errors.ts'
import { aesGcmOpen, aesGcmSeal } from './aes-gcm.ts'
import { counterNonce } from './counter-nonce.ts'
import type { HpkeKeyPair, SealSuite } from './kem.ts'
import { exportFrom, type ScheduledKeys, scheduleKeys, suiteHkdf } from './key-schedule.ts'
import { type LabeledHkdf, MAX_EXPAND_BYTES } from './labeled-hkdf.ts'
import { KEMS } from './suites.ts'
import { wipe } from './wipe.ts'

const HKDFS: Readonly<Record<SealSuite, LabeledHkdf>> = {
  x25519: suiteHkdf(KEMS.x25519.id),
  xwing: suiteHkdf(KEMS.xwing.id)
}

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
  /** Encapsulated key to hand to the recipient: 32 bytes of X25519, 1,120 of X-Wing. */
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
  /** @default 'x25519' */
  suite?: SealSuite
  /**
   * Secret randomness of the encapsulation, as many bytes as its KEM says, used once: only for tests and for injected
   * randomness.
   *
   * @default the system's randomness
   */
  ephemeralSeed?: Uint8Array
}

/**
 * RFC 9180 §5.1.1 SetupBaseS, with HKDF-SHA256 and AES-256-GCM.
 *
 * @param publicKey the recipient's raw key, as long as the suite says
 * @throws {PeerError} `SEAL_LENGTH_INVALID`, `SEAL_KEY_INVALID`
 */
export function setupSender(publicKey: Uint8Array, info: Uint8Array, init: SenderInit = {}): SenderContext {
  const { suite = 'x25519', ephemeralSeed } = init
  const { enc, sharedSecret } = KEMS[suite].encapsulate(publicKey, ephemeralSeed)
  const keys = new ContextKeys(HKDFS[suite], sharedSecret, info)
  return {
    enc,
    seal: (aad, plaintext) => keys.seal(aad, plaintext),
    exportSecret: (context, length) => keys.exportSecret(context, length),
    wipe: () => keys.wipe()
  }
}

/**
 * RFC 9180 §5.1.1 SetupBaseR, in the suite of the key pair.
 *
 * @throws {PeerError} `SEAL_LENGTH_INVALID`, `SEAL_KEY_INVALID`
 * @throws {CocoonError} `SEAL_KEY_WIPED`
 */
export function setupRecipient(enc: Uint8Array, keyPair: HpkeKeyPair, info: Uint8Array): RecipientContext {
  const keys = new ContextKeys(HKDFS[keyPair.suite], keyPair.decapsulate(enc), info)
  return {
    open: (aad, ciphertext) => keys.open(aad, ciphertext),
    exportSecret: (context, length) => keys.exportSecret(context, length),
    wipe: () => keys.wipe()
  }
}

/** The keys of RFC 9180 §5.1, and the message counter of §5.2. */
class ContextKeys {
  readonly #hkdf: LabeledHkdf
  readonly #keys: ScheduledKeys
  #sequence = 0
  #wiped = false

  constructor(hkdf: LabeledHkdf, sharedSecret: Uint8Array, info: Uint8Array) {
    this.#hkdf = hkdf
    this.#keys = scheduleKeys(hkdf, sharedSecret, info)
  }

  seal(aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
    this.#expectKeys()
    const sealed = aesGcmSeal(this.#keys.key, counterNonce(this.#keys.baseNonce, this.#sequence), aad, plaintext)
    this.#sequence++
    return sealed
  }

  open(aad: Uint8Array, ciphertext: Uint8Array): Uint8Array {
    this.#expectKeys()
    const plaintext = aesGcmOpen(this.#keys.key, counterNonce(this.#keys.baseNonce, this.#sequence), aad, ciphertext)
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
    return exportFrom(this.#hkdf, this.#keys, context, length)
  }

  wipe(): void {
    this.#wiped = true
    wipe(this.#keys.key, this.#keys.baseNonce, this.#keys.exporterSecret)
  }

  // Sealing under a key of zeros would publish the plaintext.
  #expectKeys(): void {
    if (this.#wiped) {
      throw new CocoonError('internal', 'SEAL_KEY_WIPED', 'This HPKE context was wiped: set up a new one')
    }
  }
}
