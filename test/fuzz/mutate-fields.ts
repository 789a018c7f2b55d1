import { mutate } from './mutate.ts'
import type { FuzzRandom } from './random.ts'

/** Bytes, and where numbers stand in them that say how to read the rest. */
export interface LaidOut {
  readonly bytes: Uint8Array
  /** Offset and bytes of each number. */
  readonly numbers: ReadonlyArray<readonly [offset: number, size: number]>
}

const EXTREMES = [0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]

/**
 * Damages a binary layout: mostly its numbers (sizes, counts, versions, types), else as any bytes.
 *
 * @param bigEndian of the numbers that are written
 */
export function mutateLayout(random: FuzzRandom, corpus: readonly LaidOut[], bigEndian = false): Uint8Array {
  const chosen = random.pick(corpus)
  if (random.below(2) === 0 || chosen.numbers.length === 0) {
    const others = corpus.map(({ bytes }) => bytes)
    return mutate(random, random.below(2) === 0 ? [chosen.bytes] : others).bytes
  }
  const copy = Uint8Array.from(chosen.bytes)
  for (let count = 1 + random.below(2); count > 0; count--) {
    const [offset, size] = random.pick(chosen.numbers)
    writeNumber(copy, offset, size, changed(random, readNumber(copy, offset, size, bigEndian), copy.length), bigEndian)
  }
  switch (random.below(6)) {
    case 0:
      return copy.subarray(0, random.below(copy.length + 1))
    case 1:
      return Uint8Array.from(Buffer.concat([copy, random.bytes(random.below(70))]))
    default:
      return copy
  }
}

/** Another number that a reader may trip over. */
export function changed(random: FuzzRandom, value: number, length: number): number {
  switch (random.below(5)) {
    case 0:
      return value + random.pick([-64, -2, -1, 1, 2, 64])
    case 1:
      return random.below(length + 2)
    case 2:
      return random.uint32()
    case 3:
      return (value ^ (1 << random.below(32))) >>> 0
    default:
      return random.pick(EXTREMES)
  }
}

function readNumber(bytes: Uint8Array, offset: number, size: number, bigEndian: boolean): number {
  const order = bigEndian ? bytes.slice(offset, offset + size) : bytes.slice(offset, offset + size).reverse()
  return order.reduce((value, byte) => value * 256 + byte, 0)
}

function writeNumber(bytes: Uint8Array, offset: number, size: number, value: number, bigEndian: boolean): void {
  for (let i = 0; i < size && offset + i < bytes.length; i++) {
    const shift = 8 * (bigEndian ? size - 1 - i : i)
    bytes[offset + i] = Math.floor(value / 2 ** shift) & 0xff
  }
}
