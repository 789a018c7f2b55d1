import { Address, type Builder, beginCell, external, storeMessage } from '@ton/core'
import { type NanoTon, nanoTon } from '../core/nano-ton.ts'
import { type ChainPrices, forwardFee, gasFee, sizeBelow, storageFee } from './chain-prices.ts'
import { type ChannelTerms, channelAddress, channelStateInit } from './channel-address.ts'
import { storeClaim, storeCoopClose, storeFinish, storeFund, storeStartClose } from './channel-contract.ts'
import { CHANNEL_GAS, type ChannelMessage, type MessageGas, STORAGE_RESERVE, WALLET_GAS } from './channel-gas.ts'
import { walletFee } from './wallet-fees.ts'
import type { Transfer } from './wallet-message.ts'

/** Messages that a wallet sends. */
export type WalletSentMessage = Exclude<ChannelMessage, 'externalClaim'>

export interface ChannelFees {
  /** What to attach, beyond a deposit. More than it takes: what is left comes back. */
  attach: Readonly<Record<WalletSentMessage, NanoTon>>
  /**
   * What each message costs its usual sender in the end. For an external claim it is taken from the payout. Without
   * what an opening leaves for storage: closing gives it back.
   */
  cost: Readonly<Record<ChannelMessage, NanoTon>>
  /** The contract collects a payout of more than this by an external claim. */
  externalClaimAbove: NanoTon
}

/** Prices may rise between the look at them and the message; what is not needed comes back. */
const GAS_MARGIN = 2n

/** In percent. Storage prices did not change in years. */
const RESERVE_MARGIN = 125n

/** Fees of every message at these prices. */
export function channelFees(prices: ChainPrices): ChannelFees {
  const { size, seconds } = STORAGE_RESERVE
  const reserve = (storageFee(prices, size, seconds) * RESERVE_MARGIN) / 100n
  const bound = ({ gasBound, transfersBound }: MessageGas): bigint =>
    gasFee(prices, gasBound) + transfersBound * transferFee(prices)
  const attach = (message: WalletSentMessage, locked = 0n): NanoTon =>
    nanoTon(GAS_MARGIN * bound(CHANNEL_GAS[message]) + locked)
  const cost = (message: WalletSentMessage): NanoTon =>
    nanoTon(walletFee(prices, [exampleMessages()[message]], true) + onChannel(prices, CHANNEL_GAS[message]))
  return {
    attach: {
      open: attach('open', reserve),
      // A top-up also makes good what storage took.
      topUp: attach('topUp', reserve),
      claim: attach('claim'),
      coopClose: attach('coopClose'),
      startClose: attach('startClose'),
      finish: attach('finish')
    },
    cost: {
      open: cost('open'),
      topUp: cost('topUp'),
      claim: cost('claim'),
      coopClose: cost('coopClose'),
      startClose: cost('startClose'),
      finish: cost('finish'),
      externalClaim: nanoTon(
        forwardFee(prices, sizeBelow(externalClaim())) + onChannel(prices, CHANNEL_GAS.externalClaim)
      )
    },
    externalClaimAbove: nanoTon(bound(CHANNEL_GAS.externalClaim))
  }
}

/** The channel's gas, the messages it sends, and the gas with which the sender's wallet takes what is left. */
function onChannel(prices: ChainPrices, { gas, transfers }: MessageGas): bigint {
  return gasFee(prices, gas) + transfers * transferFee(prices) + gasFee(prices, WALLET_GAS.receive)
}

/** A plain transfer: its root cell only. */
function transferFee(prices: ChainPrices): bigint {
  return forwardFee(prices, { bits: 0n, cells: 0n })
}

const SOMEONE = `0:${'5'.repeat(64)}`

const TERMS: ChannelTerms = {
  globalId: -239,
  payerKey: new Uint8Array(32),
  payerAddress: SOMEONE,
  payeeKey: new Uint8Array(32),
  payeeAddress: SOMEONE,
  salt: 1n,
  challengeSeconds: 1
}

/** Between 0.001 and 0.27 coins an amount takes four bytes, up to 1,099 five. */
const AMOUNT = nanoTon(1_000_000_000n)
const SIGNED = { globalId: -239, channel: SOMEONE, openedLt: 1n, cumulative: AMOUNT, signature: new Uint8Array(64) }

let examples: Readonly<Record<WalletSentMessage, Transfer>> | undefined

/** A message of every kind: only their sizes count. */
function exampleMessages(): Readonly<Record<WalletSentMessage, Transfer>> {
  const message = (body: (builder: Builder) => void): Transfer => ({
    to: Address.parseRaw(channelAddress(TERMS)),
    value: AMOUNT,
    bounce: true,
    body: beginCell().store(body).endCell()
  })
  examples ??= {
    open: { ...message(storeFund(AMOUNT)), init: channelStateInit(TERMS) },
    topUp: message(storeFund(AMOUNT)),
    claim: message(storeClaim(SIGNED)),
    coopClose: message(storeCoopClose({ ...SIGNED, validUntil: 1 })),
    startClose: message(storeStartClose()),
    finish: message(storeFinish())
  }
  return examples
}

function externalClaim() {
  const body = beginCell().store(storeClaim(SIGNED)).endCell()
  return beginCell()
    .store(storeMessage(external({ to: Address.parseRaw(SOMEONE), body })))
    .endCell()
}
