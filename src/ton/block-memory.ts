import type { BlockId } from './toncenter-answers.ts'

const MAX_BLOCKS = 1_024

/** Hashes of the newest masterchain blocks, and who showed them. */
export class BlockMemory {
  readonly #blocks = new Map<number, { rootHash: string; endpoint: string }>()

  /** @returns the server that showed another block of the same number */
  contradiction({ seqno, rootHash }: BlockId, endpoint: string): string | undefined {
    const known = this.#blocks.get(seqno)
    if (known !== undefined) {
      return known.rootHash === rootHash ? undefined : known.endpoint
    }
    this.#blocks.set(seqno, { rootHash, endpoint })
    const [first] = this.#blocks.keys()
    if (this.#blocks.size > MAX_BLOCKS && first !== undefined) {
      this.#blocks.delete(first)
    }
    return undefined
  }
}
