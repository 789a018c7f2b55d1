import type { CellSize } from './chain-prices.ts'

/** What a message to a channel makes the contract do. */
export interface MessageGas {
  /** Measured, for who usually sends it: the payee claims, the payer does the rest. */
  gas: bigint
  /** Messages that the contract then sends: what is left of the value, and a payout to somebody else. */
  transfers: bigint
  /** The `GAS_…` constant of contracts/channel.tolk: the message has to bring at least this much. */
  gasBound: bigint
  /** Messages that it has to bring the fees of. */
  transfersBound: bigint
}

/** Kinds of messages to a channel. */
export type ChannelMessage = 'open' | 'topUp' | 'claim' | 'coopClose' | 'startClose' | 'finish' | 'externalClaim'

/** Measured on the sandbox (TVM 12); `test/unit/ton/channel-fees.test.ts` compares it with the contract. */
export const CHANNEL_GAS: Readonly<Record<ChannelMessage, MessageGas>> = {
  open: { gas: 5_327n, transfers: 1n, gasBound: 5_500n, transfersBound: 1n },
  topUp: { gas: 5_024n, transfers: 1n, gasBound: 5_500n, transfersBound: 1n },
  claim: { gas: 4_163n, transfers: 1n, gasBound: 6_100n, transfersBound: 2n },
  coopClose: { gas: 5_387n, transfers: 2n, gasBound: 5_600n, transfersBound: 2n },
  startClose: { gas: 3_711n, transfers: 1n, gasBound: 3_800n, transfersBound: 1n },
  finish: { gas: 3_173n, transfers: 1n, gasBound: 4_600n, transfersBound: 2n },
  // The second one is the message itself: its import.
  externalClaim: { gas: 4_676n, transfers: 1n, gasBound: 4_800n, transfersBound: 2n }
}

/** What an opening leaves in the channel for its storage: `ACCOUNT_…`; a year, and at most one more to close alone. */
export const STORAGE_RESERVE: { size: CellSize; seconds: bigint } = {
  size: { bits: 9_800n, cells: 19n },
  seconds: 2n * 31_536_000n
}

/** Gas of a W5 wallet: for a message with one transfer, for each further one, and for coins that come back. */
export const WALLET_GAS = { first: 4_939n, further: 717n, receive: 546n } as const
