import { type ErrorDetails, MoneyError, NetworkError } from '../core/errors.ts'
import { formatTon } from '../core/nano-ton.ts'
import { CHANNEL_EXIT_CODES } from './channel-contract.ts'
import { type ReadFailure, unsentFailure } from './endpoint-errors.ts'

/** `CHAIN_UNREACHABLE`: no answer, or none worth the name, from the chain's endpoint. */
export class ChainUnreachableError extends NetworkError implements ReadFailure {
  readonly #parts: readonly [endpoint: string, method: string, why: string]

  /** @param details `sent: false` only if no message was under way */
  constructor(endpoint: string, method: string, why: string, details: ErrorDetails = {}) {
    super(
      'CHAIN_UNREACHABLE',
      `The chain at ${endpoint} did not answer ${method}: ${why}. Check the endpoint and your connection`,
      { details: { endpoint, method, ...details } }
    )
    this.#parts = [endpoint, method, why]
  }

  /** The same, with the promise that nothing was sent. */
  unsent(): ChainUnreachableError {
    return new ChainUnreachableError(...this.#parts, { sent: false })
  }
}

/** Marks a failure of what comes before a message is sent. */
export async function beforeSending<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (err) {
    throw unsentFailure(err)
  }
}

/** `CHAIN_TIMEOUT`: the chain answers, but what was waited for did not happen in time. */
export class ChainTimeoutError extends MoneyError {
  constructor(what: string, limitMs: number, details: ErrorDetails = {}) {
    super('CHAIN_TIMEOUT', `${what} was not on chain after ${Math.round(limitMs / 1000)} s`, {
      details: { limitMs, ...details }
    })
  }
}

/** `CHAIN_REFUSED`: the contract or the network said no; nothing changed but the fee. */
export class ChainRefusedError extends MoneyError {
  constructor(what: string, why: string, details: ErrorDetails = {}) {
    super('CHAIN_REFUSED', `The chain refused ${what}: ${why}`, { details })
  }
}

/** `NOT_ENOUGH_BALANCE`: the wallet cannot pay for it; nothing was sent to anyone. */
export class NotEnoughBalanceError extends MoneyError {
  constructor(wallet: string, have: bigint, need: bigint) {
    super(
      'NOT_ENOUGH_BALANCE',
      `Wallet ${wallet} has ${formatTon(have)} and needs ${formatTon(need)}: send it ${formatTon(need - have)} more`,
      {
        details: { wallet, have, need, sent: false }
      }
    )
  }
}

/** `WALLET_SHARED`: another process or program keeps sending from the wallet; what was to be sent never was. */
export function walletShared(wallet: string, tries: number): MoneyError {
  return new MoneyError(
    'WALLET_SHARED',
    `Somebody else sent from wallet ${wallet} each of the ${tries} times this node wanted to: stop the other program that uses its key`,
    { details: { wallet, tries, sent: false } }
  )
}

/** `CHANNEL_MISSING`: no channel at this address (never opened, or closed); nothing was sent. */
export function channelMissing(channel: string): MoneyError {
  return new MoneyError('CHANNEL_MISSING', `There is no open channel at ${channel}: it was closed or never opened`, {
    details: { channel, sent: false }
  })
}

/** Why a channel's exit code means no, in words. */
export function exitCodeText(exitCode: number | undefined): string {
  const known = Object.entries(CHANNEL_EXIT_CODES).find(([, code]) => code === exitCode)?.[0]
  const words = known?.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`)
  return exitCode === undefined ? 'no reason known' : `exit code ${exitCode}${words === undefined ? '' : ` (${words})`}`
}
