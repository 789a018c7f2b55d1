import { MoneyError, NetworkError, UsageError } from '../core/errors.ts'

/** An error of reading the chain that may promise that nothing was sent. */
export interface ReadFailure {
  /** The same, with `details.sent: false`. */
  unsent(): Error
}

/** `CHAIN_LAGGING`: every server shows a block older than one that was already seen, or older than the others do. */
export class ChainLaggingError extends NetworkError implements ReadFailure {
  readonly #parts: readonly [endpoints: string, why: string]

  constructor(endpoints: string, why: string, details: { sent?: false } = {}) {
    super('CHAIN_LAGGING', `The chain at ${endpoints} is behind: ${why}. Try again, or configure another endpoint`, {
      details: { endpoints, ...details }
    })
    this.#parts = [endpoints, why]
  }

  unsent(): ChainLaggingError {
    return new ChainLaggingError(...this.#parts, { sent: false })
  }
}

/** `CHAIN_BLOCK_UNKNOWN`: a server has no masterchain block of this number, not yet or not any more. */
export class ChainBlockUnknownError extends NetworkError {
  constructor(endpoints: string, height: number) {
    super(
      'CHAIN_BLOCK_UNKNOWN',
      `The chain at ${endpoints} does not show block ${height}, not yet or not any more. Try again, or configure another endpoint`,
      { details: { endpoints, height } }
    )
  }
}

/** `CHAIN_INCONSISTENT`: an impossible answer, or two servers that contradict each other. They are not asked again. */
export class ChainInconsistentError extends MoneyError implements ReadFailure {
  readonly #parts: readonly [endpoints: string, why: string]

  constructor(endpoints: string, why: string, details: { sent?: false } = {}) {
    super(
      'CHAIN_INCONSISTENT',
      `The chain at ${endpoints} cannot be believed: ${why}. It is not asked again until this program is restarted; configure another endpoint`,
      { details: { endpoints, ...details } }
    )
    this.#parts = [endpoints, why]
  }

  unsent(): ChainInconsistentError {
    return new ChainInconsistentError(...this.#parts, { sent: false })
  }
}

/** `CHAIN_WRONG_NETWORK`: the server answers for another network than the configured one. It is not asked again. */
export class ChainWrongNetworkError extends UsageError implements ReadFailure {
  readonly #parts: readonly [endpoint: string, found: number, expected: number]

  constructor(endpoint: string, found: number, expected: number, details: { sent?: false } = {}) {
    super(
      'CHAIN_WRONG_NETWORK',
      `The chain at ${endpoint} is network ${found}: expected ${expected}. Correct "network" or the endpoint in config.json`,
      { details: { endpoint, found, expected, ...details } }
    )
    this.#parts = [endpoint, found, expected]
  }

  unsent(): ChainWrongNetworkError {
    return new ChainWrongNetworkError(...this.#parts, { sent: false })
  }
}

/** Marks a failure of what comes before a message is sent. */
export function unsentFailure(err: unknown): unknown {
  const isRead = typeof err === 'object' && err !== null && 'unsent' in err && typeof err.unsent === 'function'
  return isRead ? (err as ReadFailure).unsent() : err
}
