/** What a server answered cannot be true of any chain. Caught in this package; see `CHAIN_INCONSISTENT`. */
export class AbsurdAnswer extends Error {}

export interface FailureDetails {
  /** HTTP status, if there was an answer. */
  status?: number
  /** Whether the request surely reached nobody. */
  notSent?: boolean
  /** How long the server wants to be left alone. */
  retryAfterMs?: number
  /** Whether it was not asked at all, because it failed a moment ago. */
  notAsked?: boolean
}

/** Why there was no result. Its text is one printable line and holds no key. */
export class ToncenterFailure extends Error {
  readonly status: number | undefined
  readonly notSent: boolean
  readonly retryAfterMs: number | undefined
  readonly notAsked: boolean

  constructor(text: string, { status, notSent = false, retryAfterMs, notAsked = false }: FailureDetails = {}) {
    super(text)
    this.status = status
    this.notSent = notSent
    this.retryAfterMs = retryAfterMs
    this.notAsked = notAsked
  }
}
