import type { BlockId } from './toncenter-answers.ts'

const MAX_BLOCKS = 1_024

/** Hashes of the newest masterchain blocks, and who showed them. */
export class BlockMemory {
  readonly #blocks = new Map<number, { rootHash: string; endpoint: string }>()

  /** @returns the server that showed another block of the same number */
  contradiction({ seqno, rootHash }: BlockId, endpoint: string): string | undefined {
    const known = this.#blocks.get(seqno)
    if (known !== undefined) {
      if (known.rootHash === rootHash) {
        return undefined
      }
      // Neither is believed any more: a third server must not be measured by what one of them said.
      this.#blocks.delete(seqno)
      return known.endpoint
    }
    this.#blocks.set(seqno, { rootHash, endpoint })
    const [first] = this.#blocks.keys()
    if (this.#blocks.size > MAX_BLOCKS && first !== undefined) {
      this.#blocks.delete(first)
    }
    return undefined
  }
}
