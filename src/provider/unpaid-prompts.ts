import type { Clock } from '../core/clock.ts'
import { PeerError } from '../core/errors.ts'

/** How long a prompt that was never paid for counts, milliseconds. */
const REMEMBERED_MS = 10 * 60_000

/** Peers remembered at most; the one that was heard of longest ago is forgotten. */
const MAX_PEERS = 10_000

interface Peer {
  running: number
  /** When each of its prompts was given up, Unix milliseconds. */
  lostAtMs: number[]
}

/** A prompt that the enclave reads before anybody paid for more than its first window. */
export interface UnpaidPrompt {
  /** Its first chunk was paid: one earlier loss is forgiven with it. */
  paid(): void
  /** The client went, or did not pay. */
  lost(): void
  /** It ended for another reason. Does nothing after the others. */
  settled(): void
}

/**
 * Who lets us read prompts without paying for them. A prompt may cost far more to compute than the first window that is
 * paid ahead, so each peer has only so many that are unpaid at once or were lately left unpaid.
 */
export class UnpaidPrompts {
  readonly #clock: Clock
  readonly #limit: number
  readonly #peers = new Map<string, Peer>()

  /** @param limit unpaid prompts of one peer, running and lost */
  constructor(clock: Clock, limit: number) {
    this.#clock = clock
    this.#limit = limit
  }

  /** @throws {PeerError} `PROMPTS_UNPAID` */
  begin(peerId: string): UnpaidPrompt {
    const peer = this.#peer(peerId)
    if (peer.running + peer.lostAtMs.length >= this.#limit) {
      throw new PeerError(
        'PROMPTS_UNPAID',
        `${peer.lostAtMs.length} of your prompts were computed here and not paid for: try again later`
      )
    }
    peer.running++
    let open = true
    const end = (then: () => void) => (): void => {
      if (open) {
        open = false
        peer.running--
        then()
        this.#forgetIfClean(peerId, peer)
      }
    }
    return {
      paid: end(() => peer.lostAtMs.shift()),
      lost: end(() => peer.lostAtMs.push(this.#clock.nowMs())),
      settled: end(() => undefined)
    }
  }

  #peer(peerId: string): Peer {
    const known = this.#peers.get(peerId) ?? { running: 0, lostAtMs: [] }
    const sinceMs = this.#clock.nowMs() - REMEMBERED_MS
    known.lostAtMs = known.lostAtMs.filter(atMs => atMs > sinceMs)
    // Last in the map is who was heard of last.
    this.#peers.delete(peerId)
    this.#peers.set(peerId, known)
    for (const [id, { running }] of this.#peers) {
      if (this.#peers.size <= MAX_PEERS) {
        break
      }
      if (running === 0) {
        this.#peers.delete(id)
      }
    }
    return known
  }

  #forgetIfClean(peerId: string, peer: Peer): void {
    if (peer.running === 0 && peer.lostAtMs.length === 0 && this.#peers.get(peerId) === peer) {
      this.#peers.delete(peerId)
    }
  }
}
