import { type ErrorDetails, errorCode, errorMessage, MoneyError, NetworkError } from '../core/errors.ts'
import { formatTon } from '../core/nano-ton.ts'
import { CHANNEL_EXIT_CODES } from './channel-contract.ts'

/** `CHAIN_UNREACHABLE`: no answer, or none worth the name, from the chain's endpoint. */
export class ChainUnreachableError extends NetworkError {
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
    throw err instanceof ChainUnreachableError ? err.unsent() : err
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

/** What an HTTP client's error tells: the status and text of an answer, or why there was none. */
export interface HttpFailure {
  status?: number
  text: string
  /** Whether the request surely never reached anyone. */
  notSent: boolean
}

/** Reads the error that axios, inside the stock TonClient, throws for anything but 2xx. */
export function readHttpFailure(err: unknown): HttpFailure {
  const code = errorCode(err)
  const response = field(err, 'response')
  const status = field(response, 'status')
  if (typeof status === 'number') {
    const error = field(field(response, 'data'), 'error')
    return { status, text: `HTTP ${status}${typeof error === 'string' ? `, ${oneLine(error)}` : ''}`, notSent: false }
  }
  const notSent = code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN'
  return { text: code ?? oneLine(errorMessage(err)), notSent }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

/** Text of a stranger's server: one line, short, printable. */
function oneLine(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 160)
}
