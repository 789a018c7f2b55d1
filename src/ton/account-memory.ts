import type { ShownAccount } from './toncenter-answers.ts'

/** Two answers of one state may differ by this much chain time: servers are a few blocks apart. */
const SKEW_SECONDS = 10
/** What two servers showed has to be shown by two again after this long. */
const CONFIRMED_MS = 60_000
const MAX_ACCOUNTS = 16_384

/** A state of an account, and who showed it. */
export interface SeenAccount {
  lastLt: bigint
  /** Of all states up to this one: that of a deleted account has none. */
  highestLt: bigint
  lastHash: string
  /** Balance, state, code and data in one text. */
  content: string
  /** Newest block in which it was shown. */
  seqno: number
  /** Chain time of that, Unix seconds. */
  utime: number
  /** Servers that showed exactly this state, and when they did last. */
  by: Map<string, number>
}

/**
 * What an answer is to a state that was seen: `older` also where it is unclear which one is; `contradicts` where they
 * cannot both be true.
 */
export type Comparison = 'same' | 'newer' | 'older' | 'contradicts'

export function compareAccount(seen: SeenAccount, shown: ShownAccount): Comparison {
  if (shown.lastLt === seen.lastLt) {
    // A state changes with a transaction only.
    if (shown.lastHash !== seen.lastHash || contentOf(shown) !== seen.content) {
      return 'contradicts'
    }
    return seen.utime - shown.utime > SKEW_SECONDS ? 'older' : 'same'
  }
  if (shown.lastLt > 0n && shown.lastLt <= seen.highestLt && seen.lastLt === 0n && shown.block.seqno > seen.seqno) {
    // It was deleted, and is shown as if it never had been.
    return 'contradicts'
  }
  // A deleted account has no last transaction any more.
  const follows = shown.lastLt > seen.lastLt || shown.lastLt === 0n
  return follows && shown.block.seqno > seen.seqno && shown.utime >= seen.utime ? 'newer' : 'older'
}

/** @param before what was seen of it before */
export function seenAccount(shown: ShownAccount, before?: SeenAccount): SeenAccount {
  const { lastLt, lastHash, block, utime } = shown
  const highestLt = before !== undefined && before.highestLt > lastLt ? before.highestLt : lastLt
  return { lastLt, highestLt, lastHash, content: contentOf(shown), seqno: block.seqno, utime, by: new Map() }
}

/** A server showed a state that was seen, in whatever block. */
export function addWitness(seen: SeenAccount, shown: ShownAccount, endpoint: string, nowMs: number): void {
  seen.by.set(endpoint, nowMs)
  seen.seqno = Math.max(seen.seqno, shown.block.seqno)
  seen.utime = Math.max(seen.utime, shown.utime)
}

/** Servers that showed this state of late. */
export function witnesses(seen: SeenAccount, nowMs: number): string[] {
  return [...seen.by].filter(([, atMs]) => Math.abs(nowMs - atMs) < CONFIRMED_MS).map(([endpoint]) => endpoint)
}

/** The newest state of each account that was believed: nothing older is. */
export class AccountMemory {
  readonly #accounts = new Map<string, SeenAccount>()

  get(address: string): SeenAccount | undefined {
    return this.#accounts.get(address)
  }

  /** @returns undefined if something newer was believed meanwhile */
  believe(address: string, seen: SeenAccount): SeenAccount | undefined {
    const known = this.#accounts.get(address)
    if (known !== undefined && known !== seen) {
      if (known.lastLt === seen.lastLt && known.lastHash === seen.lastHash && known.content === seen.content) {
        return mergeWitnesses(known, seen)
      }
      if (known.seqno >= seen.seqno) {
        return undefined
      }
    }
    this.#accounts.delete(address)
    this.#accounts.set(address, seen)
    const [oldest] = this.#accounts.keys()
    if (this.#accounts.size > MAX_ACCOUNTS && oldest !== undefined) {
      this.#accounts.delete(oldest)
    }
    return seen
  }
}

function mergeWitnesses(known: SeenAccount, seen: SeenAccount): SeenAccount {
  for (const [endpoint, atMs] of seen.by) {
    known.by.set(endpoint, Math.max(atMs, known.by.get(endpoint) ?? 0))
  }
  known.seqno = Math.max(known.seqno, seen.seqno)
  known.utime = Math.max(known.utime, seen.utime)
  return known
}

function contentOf({ balance, state, code, data }: ShownAccount): string {
  return [balance, state, code?.hash().toString('hex'), data?.hash().toString('hex')].join('|')
}
