import type { Clock } from '../core/clock.ts'
import type { Offer } from '../wire/offer.ts'
import type { AttestedPeer } from './attested-peers.ts'
import type { Candidate } from './directory.ts'

/** A provider that served a job a moment ago: attested, funded, its terms known. */
export interface WarmSession {
  candidate: Candidate
  peer: AttestedPeer
  terms: Pick<Offer, 'prices' | 'windowTokens' | 'minimumDeposit'>
  expiresAtMs: number
}

/** Terms of an offer are trusted for this long without asking again. */
const SESSION_LIFE_MS = 5 * 60_000

/** Sessions by model: the next job of that model goes to the same provider in one round trip. */
export class WarmSessions {
  readonly #clock: Clock
  readonly #sessions = new Map<string, WarmSession>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get(modelDigestHex: string, pinned: string | undefined): WarmSession | undefined {
    const session = this.#sessions.get(modelDigestHex)
    if (session === undefined || (pinned !== undefined && session.candidate.peerId !== pinned)) {
      return undefined
    }
    const alive = Math.min(session.expiresAtMs, session.peer.enclave.expiresAtMs) > this.#clock.nowMs()
    return alive ? session : undefined
  }

  keep(modelDigestHex: string, session: Omit<WarmSession, 'expiresAtMs'>): void {
    this.#sessions.set(modelDigestHex, { ...session, expiresAtMs: this.#clock.nowMs() + SESSION_LIFE_MS })
  }

  drop(modelDigestHex: string): void {
    this.#sessions.delete(modelDigestHex)
  }
}
