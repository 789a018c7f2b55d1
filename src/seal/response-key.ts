import { CocoonError } from '../core/errors.ts'
import { KEY_BYTES } from './aes-gcm.ts'
import { NONCE_BYTES } from './counter-nonce.ts'
import type { HpkeContext } from './hpke.ts'
import { expectLength } from './length.ts'
import { wipe } from './wipe.ts'

const EXPORT_CONTEXT = Buffer.from('cocoon/response/v1')
const SECRET_BYTES = KEY_BYTES + NONCE_BYTES

/** Copies of a response key's parts; their holder wipes them. */
export interface ResponseKeyParts {
  /** AES-256 key, 32 bytes. */
  readonly key: Uint8Array
  /** 12 bytes. */
  readonly baseNonce: Uint8Array
}

/**
 * Seals the answers of one enclave to one request. It comes from the HPKE export of that enclave's own wrap, so
 * another recipient of the same request cannot read or forge them.
 */
export class ResponseKey {
  readonly #secret: Uint8Array
  #sealing = false
  #wiped = false

  /** @param secret AES-256 key ‖ base nonce, 44 bytes; copied */
  constructor(secret: Uint8Array) {
    expectLength('Response secret', secret, SECRET_BYTES)
    this.#secret = Uint8Array.from(secret)
  }

  /**
   * For the sealing side, once: a second sealer would repeat the first one's nonces.
   *
   * @throws {CocoonError} `SEAL_KEY_USED` the second time, `SEAL_KEY_WIPED`
   */
  takeForSealing(): ResponseKeyParts {
    if (this.#sealing) {
      throw new CocoonError(
        'internal',
        'SEAL_KEY_USED',
        'This response key seals an answer already: one key, one answer'
      )
    }
    const parts = this.takeForOpening()
    this.#sealing = true
    return parts
  }

  /** @throws {CocoonError} `SEAL_KEY_WIPED` */
  takeForOpening(): ResponseKeyParts {
    if (this.#wiped) {
      throw new CocoonError('internal', 'SEAL_KEY_WIPED', 'This response key was wiped')
    }
    return { key: this.#secret.slice(0, KEY_BYTES), baseNonce: this.#secret.slice(KEY_BYTES) }
  }

  /** Overwrites the key held here. Sealers and openers made from it keep their own copies. */
  wipe(): void {
    this.#wiped = true
    wipe(this.#secret)
  }
}

/** The response key of an HPKE context: export `cocoon/response/v1`, 32 bytes of key and 12 of base nonce. */
export function exportResponseKey(context: HpkeContext): ResponseKey {
  const secret = context.exportSecret(EXPORT_CONTEXT, SECRET_BYTES)
  try {
    return new ResponseKey(secret)
  } finally {
    wipe(secret)
  }
}
