import { sha256 } from '../core/bytes.ts'
import { CocoonError, PeerError } from '../core/errors.ts'

/** Settings of {@link ReplayGuard}. */
export interface ReplayGuardInit {
  /**
   * Encapsulated keys to remember, about 100 bytes of memory each.
   *
   * @default 65_536
   */
  capacity?: number
}

/**
 * Remembers the encapsulated keys one HPKE key pair has opened: opening one twice would use its response key, and
 * with it every nonce, twice. One guard belongs to one key pair and is dropped together with it.
 *
 * When it is full it refuses every new key rather than forget an old one: the enclave has to rotate its keys.
 */
export class ReplayGuard {
  readonly #seen = new Set<string>()
  readonly #capacity: number

  constructor(init: ReplayGuardInit = {}) {
    this.#capacity = init.capacity ?? 65_536
  }

  /** Encapsulated keys remembered so far. */
  get size(): number {
    return this.#seen.size
  }

  /**
   * @throws {PeerError} `SEAL_REPLAYED` if `enc` was recorded before
   * @throws {CocoonError} `SEAL_EPOCH_FULL` if no more can be remembered
   */
  check(enc: Uint8Array): void {
    if (this.#seen.has(nameOf(enc))) {
      throw new PeerError('SEAL_REPLAYED', 'This sealed request was opened before: seal it again to repeat the job')
    }
    if (this.#seen.size >= this.#capacity) {
      throw new CocoonError(
        'environment',
        'SEAL_EPOCH_FULL',
        `This enclave key has opened ${this.#capacity} requests, all it may: rotate the key`
      )
    }
  }

  /** Call once `enc` has proved genuine, so that garbage cannot fill the memory. */
  record(enc: Uint8Array): void {
    this.check(enc)
    this.#seen.add(nameOf(enc))
  }
}

// Hashed so that every suite's keys cost the same; Latin-1 strings take one byte of heap per byte.
function nameOf(enc: Uint8Array): string {
  return Buffer.from(sha256(enc)).toString('latin1')
}
