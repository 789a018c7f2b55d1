import { CocoonError, PeerError } from '../core/errors.ts'
import { aesGcmOpen, aesGcmSealInto, TAG_BYTES } from './aes-gcm.ts'
import { AnswerChain } from './answer-chain.ts'
import { counterNonce } from './counter-nonce.ts'
import { decodeFrameHeader, type FrameHeader, HEADER_BYTES, writeFrameHeader } from './frame-header.ts'
import { expectLength } from './length.ts'
import { FRAME_PAYLOAD_BYTES, FRAME_PLAINTEXT_BYTES, padFrame, unpadFrame } from './padding.ts'
import { JOB_ID_BYTES } from './request.ts'
import type { ResponseKey, ResponseKeyParts } from './response-key.ts'
import { wipe } from './wipe.ts'

/** Bytes of every sealed frame: header, 512 bytes of padded plaintext, tag. */
export const SEALED_FRAME_BYTES = HEADER_BYTES + FRAME_PLAINTEXT_BYTES + TAG_BYTES

const FRAME_TYPE = Buffer.from('cocoon/answer-frame/v1')
const MAX_COUNTER = 0xffff_ffff

/** The enclave's end of an answer. */
export interface ResponseSealer {
  /**
   * Seals opaque bytes into frames of 533 bytes each, 510 payload bytes a frame. Empty bytes give one frame, which is
   * how a dummy is made. With `final` the last of them ends the answer.
   *
   * @throws {CocoonError} `SEAL_ANSWER_FINISHED` after the final frame, `SEAL_KEY_WIPED`, `SEAL_COUNTER_EXHAUSTED`
   */
  seal(text: Uint8Array, final: boolean): Uint8Array[]
  /** {@link AnswerChain} over the frames so far, 32 bytes. */
  readonly chainHash: Uint8Array
  readonly finished: boolean
  /** Overwrites this end's copy of the key. */
  wipe(): void
}

/** What one frame carried. */
export interface OpenedFrame {
  /** At most 510 bytes; empty in a dummy. */
  readonly bytes: Uint8Array
  readonly final: boolean
}

/** The client's end of an answer. */
export interface ResponseOpener {
  /**
   * Opens the next frame. A refused frame changes nothing: the opener still waits for the genuine one.
   *
   * @throws {PeerError} `SEAL_FRAME_SIZE`, `SEAL_FRAME_AFTER_FINAL`, `SEAL_FRAME_REPEATED`, `SEAL_FRAME_MISSING`,
   *   `SEAL_FRAME_FORGED`, `SEAL_PADDING_INVALID`
   * @throws {CocoonError} `SEAL_KEY_WIPED`
   */
  open(frame: Uint8Array): OpenedFrame
  /**
   * Call when the stream ends: without its final frame an answer was cut short, however complete it looks.
   *
   * @throws {PeerError} `SEAL_ANSWER_TRUNCATED` if the final frame has not come
   */
  expectFinished(): void
  /** {@link AnswerChain} over the frames opened so far, 32 bytes. */
  readonly chainHash: Uint8Array
  /** Whether the final frame was opened. */
  readonly finished: boolean
  /** Overwrites this end's copy of the key. */
  wipe(): void
}

/**
 * Seals one answer. Takes the key for good: a second sealer of one key is refused.
 *
 * @throws {CocoonError} `SEAL_KEY_USED`, `SEAL_KEY_WIPED`
 * @throws {PeerError} `SEAL_LENGTH_INVALID`
 */
export function responseSealer(responseKey: ResponseKey, jobId: Uint8Array): ResponseSealer {
  expectLength('Job id', jobId, JOB_ID_BYTES)
  return new DefaultResponseSealer(responseKey.takeForSealing(), jobId)
}

/**
 * Opens one answer.
 *
 * @throws {CocoonError} `SEAL_KEY_WIPED`
 * @throws {PeerError} `SEAL_LENGTH_INVALID`
 */
export function responseOpener(responseKey: ResponseKey, jobId: Uint8Array): ResponseOpener {
  expectLength('Job id', jobId, JOB_ID_BYTES)
  return new DefaultResponseOpener(responseKey.takeForOpening(), jobId)
}

/** What both ends share: key, counter, chain. */
class AnswerState {
  /** Made once: they are the same for every frame. */
  readonly #aad: Readonly<Record<'more' | 'final', Uint8Array>>
  readonly #parts: ResponseKeyParts
  readonly #chain: AnswerChain
  #counter = 0
  #finished = false
  #wiped = false

  constructor(parts: ResponseKeyParts, jobId: Uint8Array) {
    this.#parts = parts
    this.#aad = { more: frameAad(jobId, false), final: frameAad(jobId, true) }
    this.#chain = new AnswerChain(jobId)
  }

  get counter(): number {
    return this.#counter
  }

  get chainHash(): Uint8Array {
    return this.#chain.value
  }

  get finished(): boolean {
    return this.#finished
  }

  aad(final: boolean): Uint8Array {
    return final ? this.#aad.final : this.#aad.more
  }

  /** Key and nonce of the next frame. Sealing under a key of zeros would publish the answer, so a wiped one is refused. */
  next(): { key: Uint8Array; nonce: Uint8Array } {
    if (this.#wiped) {
      throw new CocoonError('internal', 'SEAL_KEY_WIPED', 'The key of this answer was wiped')
    }
    if (this.#counter > MAX_COUNTER) {
      throw new CocoonError('internal', 'SEAL_COUNTER_EXHAUSTED', 'An answer cannot have more than 2^32 frames')
    }
    return { key: this.#parts.key, nonce: counterNonce(this.#parts.baseNonce, this.#counter) }
  }

  advance(frame: Uint8Array, final: boolean): void {
    this.#chain.add(frame)
    this.#counter++
    this.#finished = final
  }

  wipe(): void {
    this.#wiped = true
    wipe(this.#parts.key, this.#parts.baseNonce)
  }
}

class DefaultResponseSealer implements ResponseSealer {
  readonly #state: AnswerState
  /** Holds one frame's plaintext at a time; zeros between frames. */
  readonly #plaintext = new Uint8Array(FRAME_PLAINTEXT_BYTES)

  constructor(parts: ResponseKeyParts, jobId: Uint8Array) {
    this.#state = new AnswerState(parts, jobId)
  }

  get chainHash(): Uint8Array {
    return this.#state.chainHash
  }

  get finished(): boolean {
    return this.#state.finished
  }

  seal(text: Uint8Array, final: boolean): Uint8Array[] {
    const frames: Uint8Array[] = []
    let at = 0
    do {
      const end = Math.min(at + FRAME_PAYLOAD_BYTES, text.byteLength)
      frames.push(this.#sealFrame(text.subarray(at, end), final && end === text.byteLength))
      at = end
    } while (at < text.byteLength)
    return frames
  }

  wipe(): void {
    this.#state.wipe()
  }

  #sealFrame(payload: Uint8Array, final: boolean): Uint8Array {
    if (this.#state.finished) {
      throw new CocoonError('internal', 'SEAL_ANSWER_FINISHED', 'The final frame of this answer was sealed already')
    }
    const { key, nonce } = this.#state.next()
    const frame = newFrame()
    writeFrameHeader(frame, { final, counter: this.#state.counter })
    const plaintext = padFrame(payload, this.#plaintext)
    aesGcmSealInto(frame.subarray(HEADER_BYTES), key, nonce, this.#state.aad(final), plaintext)
    wipe(plaintext)
    this.#state.advance(frame, final)
    return frame
  }
}

class DefaultResponseOpener implements ResponseOpener {
  readonly #state: AnswerState

  constructor(parts: ResponseKeyParts, jobId: Uint8Array) {
    this.#state = new AnswerState(parts, jobId)
  }

  get chainHash(): Uint8Array {
    return this.#state.chainHash
  }

  get finished(): boolean {
    return this.#state.finished
  }

  open(frame: Uint8Array): OpenedFrame {
    const { final } = this.#expectHeader(frame)
    const { key, nonce } = this.#state.next()
    const plaintext = aesGcmOpen(key, nonce, this.#state.aad(final), frame.subarray(HEADER_BYTES))
    if (plaintext === undefined) {
      throw new PeerError(
        'SEAL_FRAME_FORGED',
        `Frame ${this.#state.counter} of the answer was not sealed by the enclave`
      )
    }
    const bytes = unpadFrame(plaintext)
    wipe(plaintext)
    this.#state.advance(frame, final)
    return { bytes, final }
  }

  expectFinished(): void {
    if (!this.#state.finished) {
      throw new PeerError(
        'SEAL_ANSWER_TRUNCATED',
        `The answer ended after ${this.#state.counter} frames without its final one`
      )
    }
  }

  wipe(): void {
    this.#state.wipe()
  }

  #expectHeader(frame: Uint8Array): FrameHeader {
    if (frame.byteLength !== SEALED_FRAME_BYTES) {
      throw new PeerError('SEAL_FRAME_SIZE', `A frame has ${frame.byteLength} bytes: expected ${SEALED_FRAME_BYTES}`)
    }
    if (this.#state.finished) {
      throw new PeerError('SEAL_FRAME_AFTER_FINAL', 'A frame came after the final one')
    }
    const header = decodeFrameHeader(frame)
    const expected = this.#state.counter
    if (header === undefined) {
      throw new PeerError('SEAL_FRAME_FORGED', `Frame ${expected} of the answer has an unknown flag`)
    }
    if (header.counter !== expected) {
      const code = header.counter < expected ? 'SEAL_FRAME_REPEATED' : 'SEAL_FRAME_MISSING'
      throw new PeerError(code, `Frame ${header.counter} of the answer came: expected frame ${expected}`)
    }
    return header
  }
}

/** From Node's pool: an allocation of its own takes longer than to fill it, and every byte of it is written. */
function newFrame(): Uint8Array {
  const { buffer, byteOffset } = Buffer.allocUnsafe(SEALED_FRAME_BYTES)
  return new Uint8Array(buffer, byteOffset, SEALED_FRAME_BYTES)
}

function frameAad(jobId: Uint8Array, final: boolean): Uint8Array {
  return Buffer.concat([FRAME_TYPE, jobId, Uint8Array.of(final ? 1 : 0)])
}
