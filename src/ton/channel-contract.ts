import {
  type Address,
  type Builder,
  type Cell,
  type Contract,
  type ContractProvider,
  contractAddress,
  type Slice
} from '@ton/core'
import { type NanoTon, nanoTon } from '../core/nano-ton.ts'
import { type ChannelTerms, channelStateInit } from './channel-address.ts'
import type { CloseFields, TotalFields } from './voucher-cell.ts'

/** First 32 bits of each message to a channel. */
export const CHANNEL_OPS = {
  fund: 0xc0c00001,
  claim: 0xc0c00002,
  startClose: 0xc0c00003,
  finish: 0xc0c00004,
  coopClose: 0xc0c00005
} as const

/** Why a channel refused a message: the exit code of its compute phase. Listed in `contracts/README.md`. */
export const CHANNEL_EXIT_CODES = {
  notOpen: 100,
  notPayer: 101,
  wrongNetwork: 102,
  badPayerSignature: 105,
  nothingToClaim: 106,
  overDeposit: 107,
  notEnoughValue: 108,
  alreadyClosing: 109,
  notClosing: 110,
  tooEarly: 111,
  badPayeeSignature: 112,
  closeAmount: 113,
  badTerms: 114,
  zeroDeposit: 115,
  payoutTooSmall: 116,
  padded: 117,
  expired: 118,
  unknownMessage: 0xffff
} as const

const STATES = ['new', 'open', 'closing'] as const

/** What a channel stores. */
export interface ChannelState {
  state: (typeof STATES)[number]
  deposit: NanoTon
  settled: NanoTon
  /** Unix seconds from which a started close can be finished; 0 unless closing. */
  closeAt: number
  openedLt: bigint
}

/** A total and the payer's signature over its cell. */
export interface SignedFields extends TotalFields {
  /** Ed25519, 64 bytes. */
  signature: Uint8Array
}

/** A close statement and the payee's signature over its cell. */
export interface SignedClose extends CloseFields {
  /** Ed25519, 64 bytes. */
  signature: Uint8Array
}

/** A writer for `builder.store(…)`. */
type Writer = (builder: Builder) => void

/** Body that opens a channel, with its StateInit, or tops it up by `amount` nanotons, which the message has to bring. */
export function storeFund(amount: NanoTon): Writer {
  // fund#c0c00001 amount:Coins = InternalMsgBody;
  return builder => builder.storeUint(CHANNEL_OPS.fund, 32).storeCoins(amount)
}

/** Body that has the channel pay the payee up to the voucher’s total; as an internal or as an external message. */
export function storeClaim(voucher: SignedFields): Writer {
  // claim#c0c00002 signature:bits512 cumulative:Coins = InternalMsgBody;
  return builder =>
    builder
      .storeUint(CHANNEL_OPS.claim, 32)
      .storeBuffer(Buffer.from(voucher.signature), 64)
      .storeCoins(voucher.cumulative)
}

/** Body with which the payer starts to close alone. */
export function storeStartClose(): Writer {
  // start_close#c0c00003 = InternalMsgBody;
  return builder => builder.storeUint(CHANNEL_OPS.startClose, 32)
}

/** Body that ends a started close once its challenge period is over. */
export function storeFinish(): Writer {
  // finish#c0c00004 = InternalMsgBody;
  return builder => builder.storeUint(CHANNEL_OPS.finish, 32)
}

/** Body that ends the channel at once with the payee’s agreement. */
export function storeCoopClose(statement: SignedClose): Writer {
  // coop_close#c0c00005 signature:bits512 cumulative:Coins validUntil:uint32 = InternalMsgBody;
  return builder =>
    builder
      .storeUint(CHANNEL_OPS.coopClose, 32)
      .storeBuffer(Buffer.from(statement.signature), 64)
      .storeCoins(statement.cumulative)
      .storeUint(statement.validUntil, 32)
}

/** Reads a channel's data cell. */
export function loadChannelState(slice: Slice): ChannelState {
  // storage#_ settled:Coins closeAt:uint32 deposit:Coins openedLt:uint64 globalId:int32 payerKey:bits256
  //           payee:MsgAddressInt parties:^Parties = Storage;
  const settled = nanoTon(slice.loadCoins())
  const closeAt = slice.loadUint(32)
  const deposit = nanoTon(slice.loadCoins())
  const openedLt = slice.loadUintBig(64)
  return { state: openedLt === 0n ? 'new' : closeAt === 0 ? 'open' : 'closing', deposit, settled, closeAt, openedLt }
}

/**
 * A channel, in the style of `@ton/core` contracts. Sending is left to the wallet: a provider's `internal()` would
 * silently attach the StateInit to a top-up of a closed channel and so open it again.
 */
export class ChannelContract implements Contract {
  readonly address: Address
  readonly init?: { code: Cell; data: Cell }

  constructor(address: Address, init?: { code: Cell; data: Cell }) {
    this.address = address
    if (init !== undefined) {
      this.init = init
    }
  }

  static fromTerms(terms: ChannelTerms): ChannelContract {
    const init = channelStateInit(terms)
    return new ChannelContract(contractAddress(0, init), init)
  }

  /** State through the get-method `channel_state`. */
  async getChannelState(provider: ContractProvider): Promise<ChannelState> {
    const { stack } = await provider.get('channel_state', [])
    return {
      state: stateName(stack.readNumber()),
      deposit: nanoTon(stack.readBigNumber()),
      settled: nanoTon(stack.readBigNumber()),
      closeAt: stack.readNumber(),
      openedLt: stack.readBigNumber()
    }
  }
}

function stateName(index: number): ChannelState['state'] {
  const name = STATES[index]
  if (name === undefined) {
    throw new RangeError(`A channel has state ${index}: expected 0 to ${STATES.length - 1}`)
  }
  return name
}
