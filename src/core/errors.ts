/**
 * What went wrong, in the terms a caller can act on. The class fixes the exit code of the CLI.
 *
 * - `usage`: the input is wrong; nothing was done
 * - `environment`: this machine: files, ports, memory, another process
 * - `network`: nobody was reached, or the link broke
 * - `peer`: the other side broke the protocol, refused or vanished
 * - `attestation`: the other side could not prove what it runs
 * - `money`: balances, channels, vouchers, the chain
 * - `cancelled`: the user or the caller gave up
 * - `internal`: our own bug
 */
export type ErrorClass =
  | 'usage'
  | 'environment'
  | 'network'
  | 'peer'
  | 'attestation'
  | 'money'
  | 'cancelled'
  | 'internal'

/** Exit codes of the CLI, by error class. `0` is success. */
export const EXIT_CODES: Readonly<Record<ErrorClass, number>> = {
  internal: 1,
  usage: 2,
  environment: 3,
  network: 4,
  peer: 5,
  attestation: 6,
  money: 7,
  cancelled: 130
}

/** Fields an error carries for programs: names, numbers, addresses. Never a prompt, an answer or a key. */
export type ErrorDetails = Readonly<Record<string, string | number | bigint | boolean | undefined>>

export interface CocoonErrorOptions {
  cause?: unknown
  details?: ErrorDetails
}

/**
 * The base of every error this package throws on purpose.
 *
 * `code` is stable and listed in `docs/errors.md`; `message` is one line that names the thing, the value
 * and what was expected, and may change.
 */
export class CocoonError extends Error {
  readonly code: string
  readonly errorClass: ErrorClass
  readonly details: ErrorDetails

  constructor(errorClass: ErrorClass, code: string, message: string, options: CocoonErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.errorClass = errorClass
    this.code = code
    this.details = options.details ?? {}
  }
}

/** An error whose code and message may cross to a peer or an HTTP client: it holds nothing private. */
export class WireError extends CocoonError {}

export class UsageError extends CocoonError {
  constructor(code: string, message: string, options?: CocoonErrorOptions) {
    super('usage', code, message, options)
  }
}

export class EnvironmentError extends CocoonError {
  constructor(code: string, message: string, options?: CocoonErrorOptions) {
    super('environment', code, message, options)
  }
}

export class NetworkError extends CocoonError {
  constructor(code: string, message: string, options?: CocoonErrorOptions) {
    super('network', code, message, options)
  }
}

/** A peer broke the protocol, or refused. Safe to send back to that peer. */
export class PeerError extends WireError {
  constructor(code: string, message: string, options?: CocoonErrorOptions) {
    super('peer', code, message, options)
  }
}

export class AttestationError extends CocoonError {
  constructor(code: string, message: string, options?: CocoonErrorOptions) {
    super('attestation', code, message, options)
  }
}

export class MoneyError extends CocoonError {
  constructor(code: string, message: string, options?: CocoonErrorOptions) {
    super('money', code, message, options)
  }
}

export class CancelledError extends CocoonError {
  constructor(message = 'Cancelled', options?: CocoonErrorOptions) {
    super('cancelled', 'CANCELLED', message, options)
  }
}

/** Whether a file system's error says that a path leads to nothing. */
export function isMissingPath(err: unknown): boolean {
  const code = errorCode(err)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** The `code` of any thrown value: ours, Node's (`ENOENT`), or undefined. */
export function errorCode(err: unknown): string | undefined {
  if (typeof err === 'object' && err !== null && 'code' in err && typeof err.code === 'string') {
    return err.code
  }
  return undefined
}

/** The message of any thrown value. */
export function errorMessage(err: unknown): string {
  return err instanceof Error ? err.message : String(err)
}
