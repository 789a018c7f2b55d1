import type { NanoTon } from '../core/nano-ton.ts'
import type { TokenUsage } from '../core/price.ts'
import { checkRecipient, decodeBody, encodeBody, type Recipient, type SealedBody } from './announcement.ts'
import { decodeAmount, decodeWire, encodeAmount, requireBytes, requireField, requireText } from './check.ts'
import { JobDown, JobUp, type SignedVoucher, type ChannelTerms as WireTerms } from './generated/job.ts'
import { LIMITS } from './limits.ts'
import { encodeSteady } from './steady-size.ts'

export type { SignedVoucher } from './generated/job.ts'

/** What fixes a channel's address (design §7), as it travels. Addresses are raw: `0:<64 hex>`. */
export interface WireChannelTerms {
  globalId: number
  payerKey: Uint8Array
  payerAddress: string
  payeeKey: Uint8Array
  payeeAddress: string
  salt: bigint
  challengeSeconds: number
}

/** A job that skips the announcement because the session is open already. */
export interface DirectJob {
  modelDigest: Uint8Array
  maxCompletionTokens: number
  recipient: Recipient
  body: SealedBody
}

/** Client to provider on a job stream. */
export type JobUpMessage =
  | { type: 'open'; jobId: Uint8Array; channel: WireChannelTerms; voucher: SignedVoucher; direct?: DirectJob }
  | { type: 'voucher'; voucher: SignedVoucher }
  | { type: 'part'; bytes: Uint8Array }
  | { type: 'cancel'; reason: string }
  /** Says nothing, in the size of a voucher. */
  | { type: 'pad' }

/** Provider to client on a job stream. */
export type JobDownMessage =
  | { type: 'chunk'; sealed: Uint8Array; usage: TokenUsage }
  | { type: 'need-voucher'; cumulative: NanoTon; usage: TokenUsage }
  | { type: 'done'; receipt: Uint8Array; receiptSignature: Uint8Array }
  | { type: 'failed'; code: string; message: string; highest?: SignedVoucher }

/** Size of a voucher's message and of one that says nothing. */
const UP_UNIT_BYTES = 256
/** Size of a demand; a receipt takes a few units more. */
const DOWN_UNIT_BYTES = 256
const RECEIPT_UNIT_BYTES = 2_048

const UP = 'Job stream message'
const DOWN = 'Job stream answer'

export function encodeJobUp(message: JobUpMessage): Uint8Array {
  switch (message.type) {
    case 'open':
      return JobUp.encode({
        open: {
          jobId: message.jobId,
          channel: message.channel,
          voucher: message.voucher,
          ...(message.direct === undefined ? {} : { direct: encodeDirect(message.direct) })
        }
      })
    case 'voucher':
      return encodeSteady(UP_UNIT_BYTES, padding => JobUp.encode({ voucher: message.voucher, padding }))
    case 'pad':
      return encodeSteady(UP_UNIT_BYTES, padding => JobUp.encode({ padding }))
    case 'part':
      return JobUp.encode({ part: { bytes: message.bytes } })
    case 'cancel':
      return JobUp.encode({ cancel: { reason: message.reason } })
  }
}

/** @throws {PeerError} `MESSAGE_TOO_LARGE` or `MESSAGE_MALFORMED` */
export function decodeJobUp(bytes: Uint8Array): JobUpMessage {
  const wire = decodeWire(UP, bytes, LIMITS.jobFrameBytes, b => JobUp.decode(b))
  if (wire.voucher !== undefined) {
    return { type: 'voucher', voucher: wire.voucher }
  }
  if (wire.part !== undefined) {
    requireField(
      UP,
      'part',
      wire.part.bytes.byteLength <= LIMITS.bodyPartBytes,
      `at most ${LIMITS.bodyPartBytes} bytes`
    )
    return { type: 'part', bytes: wire.part.bytes }
  }
  if (wire.cancel !== undefined) {
    requireText(UP, 'reason', wire.cancel.reason, 200)
    return { type: 'cancel', reason: wire.cancel.reason }
  }
  const open = wire.open
  if (open === undefined && wire.padding.byteLength > 0) {
    return { type: 'pad' }
  }
  requireField(UP, 'body', open !== undefined, 'open, voucher, part, cancel or padding')
  const { jobId, channel, voucher, direct } = open
  requireBytes(UP, 'jobId', jobId, LIMITS.jobIdBytes)
  requireField(UP, 'channel', channel !== undefined, 'present')
  requireField(UP, 'voucher', voucher !== undefined, 'present')
  if (direct !== undefined) {
    requireBytes(UP, 'modelDigest', direct.modelDigest, LIMITS.digestBytes)
  }
  return {
    type: 'open',
    jobId,
    channel: checkTerms(channel),
    voucher,
    ...(direct === undefined
      ? {}
      : {
          direct: {
            modelDigest: direct.modelDigest,
            maxCompletionTokens: direct.maxCompletionTokens,
            recipient: decodeRecipient(direct.recipient),
            body: decodeBody(UP, direct, LIMITS.announcedRequestBytes)
          }
        })
  }
}

export function encodeJobDown(message: JobDownMessage): Uint8Array {
  switch (message.type) {
    case 'chunk':
      return JobDown.encode({ chunk: { sealed: message.sealed, usage: encodeUsage(message.usage) } })
    case 'need-voucher': {
      const needVoucher = { cumulative: encodeAmount(message.cumulative), ...message.usage }
      return encodeSteady(DOWN_UNIT_BYTES, padding => JobDown.encode({ needVoucher, padding }))
    }
    case 'done': {
      const done = { receipt: message.receipt, receiptSignature: message.receiptSignature }
      return encodeSteady(RECEIPT_UNIT_BYTES, padding => JobDown.encode({ done, padding }))
    }
    case 'failed':
      return JobDown.encode({
        failed: {
          code: message.code,
          message: message.message.slice(0, LIMITS.refusalText),
          ...(message.highest === undefined ? {} : { highest: message.highest })
        }
      })
  }
}

/** @throws {PeerError} `MESSAGE_TOO_LARGE` or `MESSAGE_MALFORMED` */
export function decodeJobDown(bytes: Uint8Array): JobDownMessage {
  const wire = decodeWire(DOWN, bytes, LIMITS.jobFrameBytes, b => JobDown.decode(b))
  if (wire.chunk !== undefined) {
    const { sealed, usage } = wire.chunk
    requireField(
      DOWN,
      'sealed',
      sealed.byteLength <= LIMITS.sealedChunkBytes,
      `at most ${LIMITS.sealedChunkBytes} bytes`
    )
    return { type: 'chunk', sealed, usage: decodeUsage(usage) }
  }
  if (wire.needVoucher !== undefined) {
    const { cumulative, ...usage } = wire.needVoucher
    return { type: 'need-voucher', cumulative: decodeAmount(DOWN, 'cumulative', cumulative), usage }
  }
  if (wire.done !== undefined) {
    const { receipt, receiptSignature } = wire.done
    requireField(DOWN, 'receipt', receipt.byteLength <= LIMITS.receiptBytes, `at most ${LIMITS.receiptBytes} bytes`)
    requireBytes(DOWN, 'receiptSignature', receiptSignature, 64)
    return { type: 'done', receipt, receiptSignature }
  }
  const failed = wire.failed
  requireField(DOWN, 'body', failed !== undefined, 'chunk, needVoucher, done or failed')
  const { code, message, highest } = failed
  requireField(DOWN, 'code', /^[A-Z][A-Z0-9_]{0,63}$/.test(code), 'an upper-case code')
  requireText(DOWN, 'message', message, LIMITS.refusalText)
  return { type: 'failed', code, message, ...(highest === undefined ? {} : { highest }) }
}

const USAGE_BYTES = 12

function encodeUsage({ promptTokens, cachedPromptTokens, completionTokens }: TokenUsage): Uint8Array {
  const bytes = new Uint8Array(USAGE_BYTES)
  const view = new DataView(bytes.buffer)
  ;[promptTokens, cachedPromptTokens, completionTokens].forEach((count, at) => view.setUint32(at * 4, count))
  return bytes
}

function decodeUsage(bytes: Uint8Array): TokenUsage {
  requireBytes(DOWN, 'usage', bytes, USAGE_BYTES)
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return { promptTokens: view.getUint32(0), cachedPromptTokens: view.getUint32(4), completionTokens: view.getUint32(8) }
}

function encodeDirect(direct: DirectJob) {
  const { modelDigest, maxCompletionTokens, recipient, body } = direct
  return { modelDigest, maxCompletionTokens, recipient, ...encodeBody(body) }
}

function decodeRecipient(recipient: Recipient | undefined): Recipient {
  requireField(UP, 'recipient', recipient !== undefined, 'present')
  return checkRecipient(UP, recipient)
}

function checkTerms(terms: WireTerms): WireChannelTerms {
  requireBytes(UP, 'payerKey', terms.payerKey, 32)
  requireBytes(UP, 'payeeKey', terms.payeeKey, 32)
  for (const field of ['payerAddress', 'payeeAddress'] as const) {
    requireField(UP, field, /^-?\d{1,3}:[0-9a-f]{64}$/.test(terms[field]), 'a raw address')
  }
  return terms
}
