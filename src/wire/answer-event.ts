import { PeerError } from '../core/errors.ts'

/** What one sealed frame of an answer carries. Text is UTF-8 and may end inside a character: decode it as a stream. */
export type AnswerEvent = { type: 'text'; text: Uint8Array } | { type: 'end'; finishReason: string }

const TEXT = 1
const END = 2
const FINISH_REASON = /^[a-z][a-z_-]{0,31}$/

/** Bytes of a text event that are not text. */
export const ANSWER_TEXT_OVERHEAD = 1

/** `type:uint8 (1 text, 2 end) ‖ UTF-8 text or finish reason`. */
export function encodeAnswerEvent(event: AnswerEvent): Uint8Array {
  const body = event.type === 'text' ? event.text : Buffer.from(event.finishReason, 'latin1')
  const bytes = new Uint8Array(1 + body.byteLength)
  bytes[0] = event.type === 'text' ? TEXT : END
  bytes.set(body, 1)
  return bytes
}

/**
 * Reads the payload of one frame; undefined for an empty one, which is a dummy.
 *
 * @throws {PeerError} `MESSAGE_MALFORMED`
 */
export function decodeAnswerEvent(bytes: Uint8Array): AnswerEvent | undefined {
  if (bytes.byteLength === 0) {
    return undefined
  }
  const body = bytes.subarray(1)
  if (bytes[0] === TEXT) {
    return { type: 'text', text: body }
  }
  const finishReason = Buffer.from(body).toString('latin1')
  if (bytes[0] !== END || !FINISH_REASON.test(finishReason)) {
    throw new PeerError('MESSAGE_MALFORMED', 'A frame of the answer holds no known event')
  }
  return { type: 'end', finishReason }
}
