/** Who sends messages. `masterchain` is a stranger over there, to whom a transfer costs more. */
export type Party = 'payer' | 'payee' | 'stranger' | 'masterchain'

/** A total of a voucher or a close statement, and what its signature says, right or wrong. */
export interface SignedTotal {
  /** What its signer signed it as. */
  purpose: 'voucher' | 'statement'
  globalId: number
  channel: 'this' | 'another'
  openedLt: bigint
  cumulative: bigint
  /** Of a statement, Unix seconds. */
  validUntil: number
  signer: 'payer' | 'payee' | 'nobody'
  /** Whether its total was changed after signing. */
  altered: boolean
}

export type Body =
  | { op: 'fund'; amount: bigint }
  | { op: 'claim' | 'coop'; total: SignedTotal }
  | { op: 'start' | 'finish' | 'plain' | 'unknown' }

export interface Message {
  from: Party | 'external'
  /** Nanotons that come along, 0 from outside. */
  value: bigint
  body: Body
  /** StateInit that travels along: none, that of the terms, or the channel's present code and data. */
  init: 'none' | 'first' | 'present'
  bounce: boolean
  /** Marked by the network as one of the channel's own that came back. */
  bounced: boolean
}

/** All there is to a channel on chain. */
export interface Channel {
  account: 'missing' | 'active' | 'frozen'
  state: 'new' | 'open' | 'closing'
  deposit: bigint
  settled: bigint
  closeAt: number
  openedLt: bigint
  balance: bigint
}

/** What the network, and no code of ours, decides about a message. */
export interface NetworkFacts {
  /** Unix seconds. */
  now: number
  lt: bigint
  /** Storage fee that was due when the message came, as far as the money there paid it. */
  storageFee: bigint
  /** Whether so much of it could not be paid that the account is frozen. */
  frozen: boolean
  gasFee: bigint
  /** Whether the value did not buy the gas that the code took. */
  outOfGas: boolean
  /** Of an external message. */
  importFee: bigint
  /** Kept for actions that did not come about. */
  actionFine: bigint
}

export interface Transfer {
  to: Party
  value: bigint
  /** A refused message on its way back. */
  bounced: boolean
}

export interface Outcome {
  /** `failed`: all checks passed, but the money for the payouts was not there. `skipped`: there was no code to run. */
  result: 'done' | 'refused' | 'failed' | 'skipped' | 'not accepted'
  /** Of the compute phase; 0 where there was none. */
  exitCode: number
  channel: Channel
  transfers: Transfer[]
}
