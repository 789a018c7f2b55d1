import { type NanoTon, ZERO_NANO_TON } from '../core/nano-ton.ts'
import { decodeAmount, decodeWire, encodeAmount, requireBytes, requireField, requireText } from './check.ts'
import { ChannelReply, ChannelRequest } from './generated/channel.ts'
import { LIMITS } from './limits.ts'

/** What the payer holds of a channel; a payer that lost its disk holds nothing. `channel` is a raw address. */
export interface ChannelSyncMessage {
  type: 'sync'
  channel: string
  /** 0 if the payer does not know it. */
  openedLt: bigint
  /** The payer's highest voucher; 0 with an empty signature if it has none. */
  cumulative: NanoTon
  signature: Uint8Array
  /** What the payer is certain to have received, in all. */
  spent: NanoTon
}

export interface ChannelCloseMessage {
  type: 'close'
  channel: string
}

/** Payer to payee on a channel stream: compare states, or close together. */
export type ChannelRequestMessage = ChannelSyncMessage | ChannelCloseMessage

/** A request to encode: what a sync does not name is sent as not held. */
export type ChannelRequestInit =
  | (Pick<ChannelSyncMessage, 'type' | 'channel'> & Partial<ChannelSyncMessage>)
  | ChannelCloseMessage

/** What the payee holds of a channel. `signature` is the payer's own, empty when no voucher was accepted yet. */
export interface ChannelStateMessage {
  type: 'state'
  channel: string
  openedLt: bigint
  cumulative: NanoTon
  signature: Uint8Array
  delivered: NanoTon
  /** The chain as the payee last saw it. */
  deposit: NanoTon
  settled: NanoTon
  /** Nothing more is accepted or served: the chain says so, or both agreed to close. */
  closing: boolean
}

/** The payee agrees to close at this total, paid by the payer's own message. */
export interface ChannelClosedMessage {
  type: 'closed'
  channel: string
  openedLt: bigint
  cumulative: NanoTon
  /** Last second in which the agreement counts, Unix seconds of the chain. */
  validUntil: number
  payeeSignature: Uint8Array
}

export type ChannelReplyMessage =
  | ChannelStateMessage
  | ChannelClosedMessage
  | { type: 'refused'; code: string; message: string }

const REQUEST = 'Channel request'
const REPLY = 'Channel reply'

export function encodeChannelRequest(request: ChannelRequestInit): Uint8Array {
  const { channel } = request
  if (request.type === 'close') {
    return ChannelRequest.encode({ close: { channel } })
  }
  const { openedLt = 0n, cumulative = ZERO_NANO_TON, signature = new Uint8Array(), spent = ZERO_NANO_TON } = request
  return ChannelRequest.encode({
    sync: { channel, openedLt, cumulative: encodeAmount(cumulative), signature, spent: encodeAmount(spent) }
  })
}

/** @throws {PeerError} `MESSAGE_TOO_LARGE` or `MESSAGE_MALFORMED` */
export function decodeChannelRequest(bytes: Uint8Array): ChannelRequestMessage {
  const { sync, close } = decodeWire(REQUEST, bytes, LIMITS.channelFrameBytes, b => ChannelRequest.decode(b))
  if (sync === undefined) {
    const channel = close?.channel ?? ''
    checkChannel(REQUEST, channel)
    return { type: 'close', channel }
  }
  const { channel, openedLt } = sync
  checkChannel(REQUEST, channel)
  const cumulative = checkHighest(REQUEST, sync.cumulative, sync.signature)
  const spent = decodeAmount(REQUEST, 'spent', sync.spent)
  return { type: 'sync', channel, openedLt, cumulative, signature: sync.signature, spent }
}

export function encodeChannelReply(reply: ChannelReplyMessage): Uint8Array {
  switch (reply.type) {
    case 'state':
      return ChannelReply.encode({
        state: {
          ...reply,
          cumulative: encodeAmount(reply.cumulative),
          delivered: encodeAmount(reply.delivered),
          deposit: encodeAmount(reply.deposit),
          settled: encodeAmount(reply.settled)
        }
      })
    case 'closed':
      return ChannelReply.encode({ closed: { ...reply, cumulative: encodeAmount(reply.cumulative) } })
    case 'refused':
      return ChannelReply.encode({ refused: { code: reply.code, message: reply.message.slice(0, LIMITS.refusalText) } })
  }
}

/** @throws {PeerError} `MESSAGE_TOO_LARGE` or `MESSAGE_MALFORMED` */
export function decodeChannelReply(bytes: Uint8Array): ChannelReplyMessage {
  const { state, closed, refused } = decodeWire(REPLY, bytes, LIMITS.channelFrameBytes, b => ChannelReply.decode(b))
  if (state !== undefined) {
    checkChannel(REPLY, state.channel)
    return {
      type: 'state',
      channel: state.channel,
      openedLt: state.openedLt,
      cumulative: checkHighest(REPLY, state.cumulative, state.signature),
      signature: state.signature,
      delivered: decodeAmount(REPLY, 'delivered', state.delivered),
      deposit: decodeAmount(REPLY, 'deposit', state.deposit),
      settled: decodeAmount(REPLY, 'settled', state.settled),
      closing: state.closing
    }
  }
  if (closed !== undefined) {
    checkChannel(REPLY, closed.channel)
    requireBytes(REPLY, 'payeeSignature', closed.payeeSignature, 64)
    return {
      type: 'closed',
      channel: closed.channel,
      openedLt: closed.openedLt,
      cumulative: decodeAmount(REPLY, 'cumulative', closed.cumulative),
      validUntil: closed.validUntil,
      payeeSignature: closed.payeeSignature
    }
  }
  requireField(REPLY, 'body', refused !== undefined, 'state, closed or refused')
  const { code, message } = refused
  requireField(REPLY, 'code', /^[A-Z][A-Z0-9_]{0,63}$/.test(code), 'an upper-case code')
  requireText(REPLY, 'message', message, LIMITS.refusalText)
  return { type: 'refused', code, message }
}

/** A payee whose ledger was lost knows an amount from the chain without its signature. */
function checkHighest(name: string, cumulative: Uint8Array, signature: Uint8Array): NanoTon {
  requireField(name, 'signature', [0, 64].includes(signature.byteLength), 'empty or 64 bytes')
  return decodeAmount(name, 'cumulative', cumulative)
}

function checkChannel(name: string, channel: string): void {
  requireField(name, 'channel', /^-?\d{1,3}:[0-9a-f]{64}$/.test(channel), 'a raw address')
}
