import type { ShardAccount } from '@ton/core'
import type { SimBlock } from './sim-chain.ts'

/** How far back accounts are remembered. */
export const MAX_LAG_BLOCKS = 256

interface Version {
  /** First block that shows it. */
  seqno: number
  account: ShardAccount
}

/** The last blocks and the accounts in them, for servers that lag. Only changes are kept, and nothing of it is saved. */
export class ChainHistory {
  readonly #blocks: SimBlock[]
  readonly #versions = new Map<string, Version[]>()

  /** @param accounts all there are, by raw address */
  constructor(first: SimBlock, accounts: Iterable<[string, ShardAccount]>) {
    this.#blocks = [first]
    for (const [address, account] of accounts) {
      this.#versions.set(address, [{ seqno: 0, account }])
    }
  }

  /** @param changed the accounts with transactions in it */
  add(block: SimBlock, changed: Iterable<[string, ShardAccount]>): void {
    this.#blocks.push(block)
    if (this.#blocks.length > MAX_LAG_BLOCKS + 1) {
      this.#blocks.shift()
    }
    const oldest = this.#blocks[0]?.seqno ?? 0
    for (const [address, account] of changed) {
      const versions = this.#versions.get(address) ?? []
      versions.push({ seqno: block.seqno, account })
      while ((versions[1]?.seqno ?? Infinity) <= oldest) {
        versions.shift()
      }
      this.#versions.set(address, versions)
    }
  }

  /** The block so many blocks ago, or the first that is known. */
  block(lag: number): SimBlock {
    const block = this.#blocks.at(-1 - lag) ?? this.#blocks[0]
    if (block === undefined) {
      throw new RangeError('There is always a block')
    }
    return block
  }

  /** Undefined if it did not exist. */
  account(address: string, seqno: number): ShardAccount | undefined {
    return this.#versions.get(address)?.findLast(version => version.seqno <= seqno)?.account
  }
}
