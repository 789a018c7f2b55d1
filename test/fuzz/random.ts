/** Reproducible choices: the same seed and index give the same ones, whatever came before. */
export class FuzzRandom {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number, index: number) {
    this.#a = seed >>> 0
    this.#b = index >>> 0
    this.#c = (index / 2 ** 32) >>> 0
    for (let round = 0; round < 12; round++) {
      this.uint32()
    }
  }

  /** sfc32, of PractRand. */
  uint32(): number {
    const t = (((this.#a + this.#b) >>> 0) + this.#counter) >>> 0
    this.#counter = (this.#counter + 1) >>> 0
    this.#a = (this.#b ^ (this.#b >>> 9)) >>> 0
    this.#b = (this.#c + (this.#c << 3)) >>> 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + t) >>> 0
    return t
  }

  /** 0 to `limit` − 1. */
  below(limit: number): number {
    return Math.floor((this.uint32() / 2 ** 32) * limit)
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i += 4) {
      const word = this.uint32()
      for (let j = 0; j < 4 && i + j < length; j++) {
        bytes[i + j] = (word >>> (8 * j)) & 0xff
      }
    }
    return bytes
  }

  pick<T>(choices: readonly T[]): T {
    const chosen = choices[this.below(choices.length)]
    if (chosen === undefined) {
      throw new RangeError('Nothing to choose from')
    }
    return chosen
  }
}
