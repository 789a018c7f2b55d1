import { hash } from 'node:crypto'
import { sha256 } from '../core/bytes.ts'

const DOMAIN = Buffer.from('cocoon/answer/v1')

/**
 * Running hash over the sealed frames of an answer: `h0 = SHA-256('cocoon/answer/v1' ‖ job id)`,
 * `h(i+1) = SHA-256(h(i) ‖ SHA-256(frame))`. It covers ciphertext only, so the host may compute it too and learns
 * nothing; a receipt signs its final value.
 */
export class AnswerChain {
  #value: Uint8Array

  constructor(jobId: Uint8Array) {
    this.#value = sha256(DOMAIN, jobId)
  }

  /** The hash so far, 32 bytes. */
  get value(): Uint8Array {
    return this.#value.slice()
  }

  add(frame: Uint8Array): void {
    // In one call each: half as long for so few bytes.
    this.#value = digest(Buffer.concat([this.#value, digest(frame)]))
  }
}

function digest(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer')
}
