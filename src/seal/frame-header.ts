/** Bytes of a frame's clear header. */
export const HEADER_BYTES = 5

/**
 * Clear header of a sealed frame: `final:uint8 (0 or 1) ‖ counter:uint32 (big-endian)`.
 *
 * Both only repeat what the nonce and the AAD already bind, so changing them gains nothing. The opener needs the flag
 * to know which AAD to check, and the counter to tell a lost or repeated frame from a forged one. Neither tells an
 * observer more than counting frames until the stream ends.
 */
export interface FrameHeader {
  readonly final: boolean
  readonly counter: number
}

/** Writes the first 5 bytes of `frame`. */
export function writeFrameHeader(frame: Uint8Array, { final, counter }: FrameHeader): void {
  const view = new DataView(frame.buffer, frame.byteOffset, HEADER_BYTES)
  view.setUint8(0, final ? 1 : 0)
  view.setUint32(1, counter)
}

/** Undefined if the flag is neither 0 nor 1. `bytes` has at least 5 bytes. */
export function decodeFrameHeader(bytes: Uint8Array): FrameHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES)
  const flag = view.getUint8(0)
  return flag > 1 ? undefined : { final: flag === 1, counter: view.getUint32(1) }
}
