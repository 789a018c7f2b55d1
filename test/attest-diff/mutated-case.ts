import { mutate } from '../fuzz/mutate.ts'
import { FuzzRandom } from '../fuzz/random.ts'
import type { AttestationCase } from './attestation-cases.ts'
import { surfacesOf } from './surfaces.ts'

/** A case, and which piece of it was damaged: none if empty. */
export interface Question {
  readonly name: string
  readonly piece: string
  readonly given: AttestationCase
}

/** A case with one piece damaged, the same for the same seed and index. */
export function mutatedCase(cases: readonly AttestationCase[], seed: number, index: number): Question {
  const random = new FuzzRandom(seed, index)
  const original = random.pick(cases)
  const surfaces = surfacesOf(original)
  const surface = random.pick(surfaces)
  const { mutation, bytes } = mutate(random, [surface.bytes, random.pick(surfaces).bytes])
  const name = `${original.name}, ${surface.name}: ${mutation} (${seed}/${index})`
  return { name, piece: surface.name, given: surface.change(bytes) }
}
