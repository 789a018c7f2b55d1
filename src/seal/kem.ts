/** The suites a request can be sealed with; both have HKDF-SHA256 and AES-256-GCM. */
export const SEAL_SUITES = ['x25519', 'xwing'] as const

/**
 * - `x25519`: DHKEM(X25519, HKDF-SHA256) of RFC 9180
 * - `xwing`: X25519 and ML-KEM-768 together, so that neither a broken curve nor a broken lattice opens a request
 */
export type SealSuite = (typeof SEAL_SUITES)[number]

/** What encapsulating yields. */
export interface Encapsulation {
  /** 32 bytes; the caller wipes it. */
  readonly sharedSecret: Uint8Array
  /** Encapsulated key, public. */
  readonly enc: Uint8Array
}

/** The sender's side of a key encapsulation mechanism (RFC 9180 §4), and its sizes in bytes. */
export interface Kem {
  /** RFC 9180's registry. */
  readonly id: number
  readonly publicKeyBytes: number
  readonly encBytes: number
  /** Secret randomness that one encapsulation takes. */
  readonly seedBytes: number
  /**
   * @param seed used once; only for tests and for injected randomness. Without it the system's randomness is used
   * @throws {PeerError} `SEAL_LENGTH_INVALID`, `SEAL_KEY_INVALID`
   */
  encapsulate(publicKey: Uint8Array, seed?: Uint8Array): Encapsulation
}

/** A recipient's key pair. The private half is out of reach of a stray log or dump of our own. */
export interface HpkeKeyPair {
  readonly suite: SealSuite
  /** Raw: 32 bytes of X25519, 1,216 of X-Wing. */
  readonly publicKey: Uint8Array
  /**
   * RFC 9180 §4 Decap: the 32-byte shared secret; the caller wipes it.
   *
   * @throws {PeerError} `SEAL_LENGTH_INVALID`, `SEAL_KEY_INVALID`
   * @throws {CocoonError} `SEAL_KEY_WIPED`
   */
  decapsulate(enc: Uint8Array): Uint8Array
  /** Overwrites what this object holds of the private key and lets go of the rest. */
  wipe(): void
}
