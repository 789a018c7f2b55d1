import { sha256 } from '../../src/core/bytes.ts'

/** A source of numbers in [0, 1) that a seed repeats. */
export function seededRandom(seed: string): () => number {
  let count = 0
  return () => Buffer.from(sha256(seed, String(count++))).readUInt32BE(0) / 2 ** 32
}

export function pick<T>(random: () => number, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T
}

export function shuffle<T>(random: () => number, list: readonly T[]): T[] {
  return list
    .map(value => ({ value, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value)
}
