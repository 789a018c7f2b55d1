import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CocoonError } from '../../src/core/errors.ts'
import { projectRoot } from '../support/shared-data.ts'
import type { FuzzRandom } from './random.ts'
import type { FuzzTarget } from './run-fuzz.ts'

/** One way in for hostile bytes. */
export interface Surface {
  readonly name: string
  /** How often it is fed, beside the others. */
  readonly weight: number
  /** Feeds one input and returns what came of it, as a word; or throws what the code under test threw. */
  feed(random: FuzzRandom): string | Promise<string>
}

/** A target made of surfaces, none of which keeps anything from one input to the next. */
export class SurfaceTarget implements FuzzTarget {
  readonly codes: readonly string[]
  readonly limitMs = 5_000
  readonly #surfaces: readonly Surface[]
  readonly #weight: number
  readonly #allowed: (err: CocoonError) => boolean

  /**
   * @param codes that a run is expected to reach
   * @param allowed says which errors may come out
   */
  constructor(surfaces: readonly Surface[], codes: readonly string[], allowed: (err: CocoonError) => boolean) {
    this.#surfaces = surfaces
    this.#weight = surfaces.reduce((sum, { weight }) => sum + weight, 0)
    this.codes = codes
    this.#allowed = allowed
  }

  async feed(random: FuzzRandom): Promise<string> {
    let at = random.below(this.#weight)
    const surface = this.#surfaces.find(({ weight }) => (at -= weight) < 0)
    assert.ok(surface)
    try {
      return `${surface.name} ${await surface.feed(random)}`
    } catch (err) {
      if (err instanceof CocoonError && this.#allowed(err)) {
        expectNoHiddenBug(err)
        return `${surface.name} ${err.code}`
      }
      throw err
    }
  }

  /** Hostile JSON likes to reach for these. */
  fingerprint(): string {
    return [Object, Array, String, Map, Uint8Array, Function, Error]
      .map(({ prototype }) => Reflect.ownKeys(prototype).length)
      .join()
  }
}

/** Whatever is thrown inside of a reader becomes a refusal there: one that stands for a bug of ours must not pass as that. */
function expectNoHiddenBug(err: CocoonError): void {
  for (let cause: unknown = err.cause; cause instanceof Error; cause = cause.cause) {
    // The reader of Protocol Buffers says so that a field goes past the end.
    const beyond = cause instanceof RangeError && err.code !== 'MESSAGE_MALFORMED'
    if ((beyond || cause instanceof TypeError || cause instanceof ReferenceError) && !('code' in cause)) {
      throw new assert.AssertionError({ message: `${err.code} hides ${cause.stack ?? cause.message}` })
    }
  }
}

/** The codes of `docs/errors.md` that match, of one class. */
export function documentedCodes(pattern: RegExp, errorClass: string): string[] {
  const page = readFileSync(join(projectRoot(), 'docs', 'errors.md'), 'utf8')
  return [...page.matchAll(/^\| `([A-Z0-9_]+)` \| ([a-z, ]+) \|/gm)]
    .filter(([, code = '', classes = '']) => pattern.test(code) && classes.split(', ').includes(errorClass))
    .map(([, code = '']) => code)
}
