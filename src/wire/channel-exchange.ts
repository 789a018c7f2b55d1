import type { NanoTon } from '../core/nano-ton.ts'
import { decodeAmount, decodeWire, encodeAmount, requireBytes, requireField, requireText } from './check.ts'
import { ChannelReply, ChannelRequest } from './generated/channel.ts'
import { LIMITS } from './limits.ts'

/** Payer to payee on a channel stream: compare states, or close together. `channel` is a raw address. */
export type ChannelRequestMessage = { type: 'sync' | 'close'; channel: string }

/** What the payee holds of a channel. `signature` is the payer's own, empty when no voucher was accepted yet. */
export interface ChannelStateMessage {
  type: 'state'
  channel: string
  openedLt: bigint
  cumulative: NanoTon
  signature: Uint8Array
  delivered: NanoTon
}

/** The payee has claimed what it is owed and lets the rest go back at once. */
export interface ChannelClosedMessage {
  type: 'closed'
  channel: string
  openedLt: bigint
  cumulative: NanoTon
  /** Last second in which the agreement counts, Unix seconds of the chain. */
  validUntil: number
  payeeSignature: Uint8Array
  /** Hex; empty when nothing was owed. */
  claimTransaction: string
}

export type ChannelReplyMessage =
  | ChannelStateMessage
  | ChannelClosedMessage
  | { type: 'refused'; code: string; message: string }

const REQUEST = 'Channel request'
const REPLY = 'Channel reply'

export function encodeChannelRequest({ type, channel }: ChannelRequestMessage): Uint8Array {
  return ChannelRequest.encode(type === 'sync' ? { sync: { channel } } : { close: { channel } })
}

/** @throws {PeerError} `MESSAGE_TOO_LARGE` or `MESSAGE_MALFORMED` */
export function decodeChannelRequest(bytes: Uint8Array): ChannelRequestMessage {
  const wire = decodeWire(REQUEST, bytes, LIMITS.channelFrameBytes, b => ChannelRequest.decode(b))
  const channel = wire.sync?.channel ?? wire.close?.channel ?? ''
  checkChannel(REQUEST, channel)
  return { type: wire.sync === undefined ? 'close' : 'sync', channel }
}

export function encodeChannelReply(reply: ChannelReplyMessage): Uint8Array {
  switch (reply.type) {
    case 'state':
      return ChannelReply.encode({
        state: { ...reply, cumulative: encodeAmount(reply.cumulative), delivered: encodeAmount(reply.delivered) }
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
    requireField(REPLY, 'signature', [0, 64].includes(state.signature.byteLength), 'empty or 64 bytes')
    return {
      type: 'state',
      channel: state.channel,
      openedLt: state.openedLt,
      cumulative: decodeAmount(REPLY, 'cumulative', state.cumulative),
      signature: state.signature,
      delivered: decodeAmount(REPLY, 'delivered', state.delivered)
    }
  }
  if (closed !== undefined) {
    checkChannel(REPLY, closed.channel)
    requireBytes(REPLY, 'payeeSignature', closed.payeeSignature, 64)
    requireField(REPLY, 'claimTransaction', /^(?:[0-9a-f]{64})?$/.test(closed.claimTransaction), 'a hex hash or empty')
    return {
      type: 'closed',
      channel: closed.channel,
      openedLt: closed.openedLt,
      cumulative: decodeAmount(REPLY, 'cumulative', closed.cumulative),
      validUntil: closed.validUntil,
      payeeSignature: closed.payeeSignature,
      claimTransaction: closed.claimTransaction
    }
  }
  requireField(REPLY, 'body', refused !== undefined, 'state, closed or refused')
  const { code, message } = refused
  requireField(REPLY, 'code', /^[A-Z][A-Z0-9_]{0,63}$/.test(code), 'an upper-case code')
  requireText(REPLY, 'message', message, LIMITS.refusalText)
  return { type: 'refused', code, message }
}

function checkChannel(name: string, channel: string): void {
  requireField(name, 'channel', /^-?\d{1,3}:[0-9a-f]{64}$/.test(channel), 'a raw address')
}
