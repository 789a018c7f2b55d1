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

export function encodeFrameHeader(header: FrameHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, header.final ? 1 : 0)
  view.setUint32(1, header.counter)
  return bytes
}

/** Undefined if the flag is neither 0 nor 1. `bytes` has at least 5 bytes. */
export function decodeFrameHeader(bytes: Uint8Array): FrameHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES)
  const flag = view.getUint8(0)
  return flag > 1 ? undefined : { final: flag === 1, counter: view.getUint32(1) }
}
