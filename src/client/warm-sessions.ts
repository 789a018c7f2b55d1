import type { Clock } from '../core/clock.ts'
import type { Offer } from '../wire/offer.ts'
import type { AttestedPeer } from './attested-peers.ts'
import type { Candidate } from './directory.ts'

/** A provider that served a job a moment ago: attested, funded, its terms known. */
export interface WarmSession {
  candidate: Candidate
  peer: AttestedPeer
  terms: Pick<Offer, 'prices' | 'windowTokens' | 'minimumDeposit'>
}

/** Terms of an offer are trusted for this long without asking again. */
const SESSION_LIFE_MS = 5 * 60_000

/**
 * Providers that can be asked directly, by model, and how many jobs of ours each of them runs: a provider whose places we
 * take ourselves is left alone, so that parallel jobs spread over others.
 */
export class WarmSessions {
  readonly #clock: Clock
  readonly #sessions = new Map<string, Map<string, WarmSession & { expiresAtMs: number }>>()
  readonly #running = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A live session of this model whose provider has a place that we do not take ourselves. */
  find(modelDigestHex: string, pinned?: string): WarmSession | undefined {
    const now = this.#clock.nowMs()
    for (const [peerId, session] of this.#sessions.get(modelDigestHex) ?? []) {
      const alive = Math.min(session.expiresAtMs, session.peer.enclave.expiresAtMs) > now
      if (alive && (pinned ?? peerId) === peerId && this.running(peerId) < session.candidate.slotsTotal) {
        return session
      }
    }
    return undefined
  }

  keep(modelDigestHex: string, session: WarmSession): void {
    const sessions = this.#sessions.get(modelDigestHex) ?? new Map<string, WarmSession & { expiresAtMs: number }>()
    sessions.set(session.peer.peerId, { ...session, expiresAtMs: this.#clock.nowMs() + SESSION_LIFE_MS })
    this.#sessions.set(modelDigestHex, sessions)
  }

  drop(modelDigestHex: string, peerId: string): void {
    this.#sessions.get(modelDigestHex)?.delete(peerId)
  }

  /** Jobs of this client that run at a provider. */
  running(peerId: string): number {
    return this.#running.get(peerId) ?? 0
  }

  /** Counts a job at a provider until the returned function is called. */
  begin(peerId: string): () => void {
    this.#running.set(peerId, this.running(peerId) + 1)
    return () => {
      const left = this.running(peerId) - 1
      if (left > 0) {
        this.#running.set(peerId, left)
      } else {
        this.#running.delete(peerId)
      }
    }
  }
}
