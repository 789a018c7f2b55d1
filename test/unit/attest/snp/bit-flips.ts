import { AttestationError } from '../../../../src/core/errors.ts'

/** What became of single-bit flips of one part of the evidence. */
export interface FlipResult {
  flips: number
  /** How many each code refused. */
  refusals: Map<string, number>
  /** Bits whose flip was accepted: byte offset × 8 + bit. */
  accepted: number[]
}

/**
 * Verifies `bytes` with each of `bits` flipped alone. Anything thrown but an AttestationError is thrown on.
 *
 * @param bits byte offset × 8 + bit, 0 the lowest
 */
export function flipBits(
  bytes: Uint8Array,
  bits: Iterable<number>,
  verify: (flipped: Uint8Array) => unknown
): FlipResult {
  const result: FlipResult = { flips: 0, refusals: new Map(), accepted: [] }
  for (const bit of bits) {
    const flipped = Uint8Array.from(bytes)
    const offset = bit >>> 3
    flipped[offset] = (bytes[offset] ?? 0) ^ (1 << (bit & 7))
    result.flips += 1
    try {
      verify(flipped)
      result.accepted.push(bit)
    } catch (err) {
      if (!(err instanceof AttestationError)) {
        throw err
      }
      result.refusals.set(err.code, (result.refusals.get(err.code) ?? 0) + 1)
    }
  }
  return result
}

/** Which bits of so many bytes to flip. */
export type BitChoice = (byteLength: number) => Iterable<number>

export const everyBit: BitChoice = byteLength => Array.from({ length: byteLength * 8 }, (_, bit) => bit)

/** `count` bits, each of another stretch of the bytes, the same for the same seed. */
export function sampledBits(count: number, seed: number): BitChoice {
  return byteLength => {
    const stretch = (byteLength * 8) / count
    let state = seed >>> 0
    return Array.from({ length: count }, (_, i) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return Math.floor((i + state / 2 ** 32) * stretch)
    })
  }
}

/** One line for people. */
export function flipText(part: string, { flips, refusals, accepted }: FlipResult): string {
  const codes = [...refusals].sort((a, b) => b[1] - a[1]).map(([code, count]) => `${code} ${count}`)
  return `${part}: ${flips} flips, ${accepted.length} accepted${accepted.length > 0 ? ` (${accepted.join(', ')})` : ''}; ${codes.join(', ')}`
}
