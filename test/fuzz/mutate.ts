import type { FuzzRandom } from './random.ts'

type Mutation = (bytes: Uint8Array, random: FuzzRandom, corpus: readonly Uint8Array[]) => Uint8Array

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  flip: (bytes, random) => {
    const copy = Uint8Array.from(bytes)
    for (let flips = 1 + random.below(4); flips > 0 && copy.byteLength > 0; flips--) {
      const at = random.below(copy.byteLength)
      copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8))
    }
    return copy
  },
  overwrite: (bytes, random) => {
    const copy = Uint8Array.from(bytes)
    const at = random.below(copy.byteLength + 1)
    copy.set(random.bytes(Math.min(1 + random.below(9), copy.byteLength - at)), at)
    return copy
  },
  truncate: (bytes, random) => bytes.subarray(0, random.below(bytes.byteLength + 1)),
  insert: (bytes, random) => {
    const at = random.below(bytes.byteLength + 1)
    return join(bytes.subarray(0, at), random.bytes(1 + random.below(40)), bytes.subarray(at))
  },
  // Protobuf keeps the last of a repeated scalar and merges messages: the same field twice must not slip by a check.
  append: (bytes, random, corpus) => join(bytes, random.pick(corpus)),
  splice: (bytes, random, corpus) => {
    const other = random.pick(corpus)
    return join(
      bytes.subarray(0, random.below(bytes.byteLength + 1)),
      other.subarray(random.below(other.byteLength + 1))
    )
  },
  garbage: (_, random) => random.bytes(random.below(300)),
  oversize: (bytes, random) => join(bytes, random.bytes(2_000 + random.below(3_000)))
}

/** Names of what `mutate` may do to a message. */
export const MUTATION_NAMES = Object.keys(MUTATIONS)

/** A message of the corpus with one kind of damage done to it. */
export function mutate(
  random: FuzzRandom,
  corpus: readonly Uint8Array[]
): { mutation: string; original: Uint8Array; bytes: Uint8Array } {
  const mutation = random.pick(MUTATION_NAMES)
  const original = random.pick(corpus)
  const bytes = MUTATIONS[mutation]?.(original, random, corpus) ?? original
  return { mutation, original, bytes }
}

function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}
