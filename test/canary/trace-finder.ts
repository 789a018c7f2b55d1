import type { Secret } from './secret.ts'
import { type SecretForm, secretForms } from './secret-forms.ts'

/** A part of a secret that stood somewhere. */
export interface Trace {
  form: SecretForm
  /** Bytes of the secret that were found: from, to. */
  from: number
  to: number
}

const GRAM_BYTES = 4
const TABLE_BITS = 20
const TABLE_SHIFT = 32 - TABLE_BITS
/** Fibonacci hashing. */
const MIX = 0x9e3779b1

interface Place {
  form: SecretForm
  index: number
  at: number
}

/**
 * Finds every 10-byte window of some secrets, in all their forms, in one pass: of any such window, one aligned word of
 * four bytes lies whole within it, so only every fourth position is looked up, in a bit table that fits a cache.
 */
export class TraceFinder {
  readonly #table = new Int32Array(2 ** (TABLE_BITS - 5))
  readonly #places = new Map<number, Place[]>()
  readonly #forms: SecretForm[]

  constructor(secrets: readonly Secret[]) {
    this.#forms = secrets.flatMap(secretForms)
    for (const [index, form] of this.#forms.entries()) {
      const { bytes } = form
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      for (let at = 0; at + GRAM_BYTES <= bytes.byteLength; at++) {
        this.#add(view.getInt32(at, true), { form, index, at })
      }
    }
  }

  /** Calls back for each place where 10 bytes of a secret or more stand. */
  find(bytes: Uint8Array, onTrace: (trace: Trace) => void): void {
    const hay = bytes.byteOffset % GRAM_BYTES === 0 ? bytes : Uint8Array.from(bytes)
    const table = this.#table
    const words = new Int32Array(hay.buffer, hay.byteOffset, Math.floor(hay.byteLength / GRAM_BYTES))
    const reached = this.#forms.map(() => ({ delta: Number.NaN, end: 0 }))
    for (let at = 0; at < words.length; at++) {
      const gram = words[at] as number
      const slot = Math.imul(gram, MIX) >>> TABLE_SHIFT
      if (((table[slot >>> 5] as number) & (1 << (slot & 31))) !== 0 && this.#goesOn(hay, at * GRAM_BYTES)) {
        this.#look(hay, at * GRAM_BYTES, gram, reached, onTrace)
      }
    }
  }

  /** Of a window, three bytes more than the word follow at least: the word they end with must be known too. */
  #goesOn(hay: Uint8Array, start: number): boolean {
    const a = hay[start + 3]
    const b = hay[start + 4]
    const c = hay[start + 5]
    const d = hay[start + 6]
    if (a === undefined || b === undefined || c === undefined || d === undefined) {
      return true
    }
    const slot = Math.imul(a | (b << 8) | (c << 16) | (d << 24), MIX) >>> TABLE_SHIFT
    return ((this.#table[slot >>> 5] as number) & (1 << (slot & 31))) !== 0
  }

  #look(
    hay: Uint8Array,
    start: number,
    gram: number,
    reached: Array<{ delta: number; end: number }>,
    onTrace: (trace: Trace) => void
  ): void {
    for (const { form, index, at } of this.#places.get(gram) ?? []) {
      const last = reached[index]
      const delta = start - at
      if (last === undefined || (last.delta === delta && start < last.end)) {
        continue
      }
      const [from, to] = extend(hay, start, form.bytes, at)
      if (to - from >= form.leastBytes) {
        last.delta = delta
        last.end = delta + to
        const [first, end] = form.within(from, to)
        onTrace({ form, from: first, to: end })
      }
    }
  }

  #add(gram: number, place: Place): void {
    const slot = Math.imul(gram, MIX) >>> TABLE_SHIFT
    const cell = slot >>> 5
    this.#table[cell] = (this.#table[cell] as number) | (1 << (slot & 31))
    const places = this.#places.get(gram)
    if (places === undefined) {
      this.#places.set(gram, [place])
    } else {
      places.push(place)
    }
  }
}

/** How far both agree around a place: from, to in the form. */
function extend(hay: Uint8Array, start: number, form: Uint8Array, at: number): [number, number] {
  let before = 0
  while (before < at && before < start && hay[start - before - 1] === form[at - before - 1]) {
    before++
  }
  let after = 0
  while (at + after < form.byteLength && start + after < hay.byteLength && hay[start + after] === form[at + after]) {
    after++
  }
  return [at - before, at + after]
}
