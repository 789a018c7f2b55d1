import { TdxVerifier } from '../../src/attest/tdx/verifier.ts'
import { FuzzRandom } from '../fuzz/random.ts'
import type { AttestationCase } from './attestation-cases.ts'
import { isRefusal, ourVerdict } from './our-verdict.ts'
import { flipBit, type Surface, surfacesOf } from './surfaces.ts'

/** What became of the flipped bits of one piece. */
export interface FlipReport {
  readonly surface: string
  readonly flips: number
  /** Refusals by code. */
  readonly refused: ReadonlyMap<string, number>
  /** Bits whose flip was accepted, as byte and bit. */
  readonly survivors: readonly string[]
}

export interface FlipInit {
  /** How many bits of each piece, evenly spread from a start that the seed chooses; undefined: every bit. */
  readonly sample?: number
  /** @default 1 */
  readonly seed?: number
  readonly onSurface?: (report: FlipReport) => void
}

/** Flips single bits of every piece of an accepted case and asks our verifier each time. */
export function runFlips(given: AttestationCase, init: FlipInit = {}): readonly FlipReport[] {
  return surfacesOf(given).map((surface, index) => {
    const report = flipSurface(surface, init, index)
    init.onSurface?.(report)
    return report
  })
}

function flipSurface(surface: Surface, { sample, seed = 1 }: FlipInit, index: number): FlipReport {
  const bits = surface.bytes.length * 8
  const step = sample === undefined ? 1 : Math.max(1, Math.floor(bits / sample))
  const refused = new Map<string, number>()
  const survivors: string[] = []
  let flips = 0
  // Remembers the collateral, which most flips of a quote leave alone.
  let verifier = new TdxVerifier(1)
  for (let bit = new FuzzRandom(seed, index).below(step); bit < bits; bit += step) {
    const verdict = ourVerdict(surface.change(flipBit(surface.bytes, bit)), verifier)
    flips++
    if (isRefusal(verdict)) {
      refused.set(verdict, (refused.get(verdict) ?? 0) + 1)
    } else {
      survivors.push(`${Math.floor(bit / 8)}.${bit % 8}`)
      // It remembers a result now, which would answer for every flip outside of what is signed.
      verifier = new TdxVerifier(1)
    }
  }
  return { surface: surface.name, flips, refused, survivors }
}
