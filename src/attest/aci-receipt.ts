import { MAX_NANO_TON } from '../core/nano-ton.ts'
import { LIMITS } from '../wire/limits.ts'
import {
  DocumentFault,
  decimal,
  hex,
  integer,
  MAX_UINT64,
  object,
  oneOf,
  optional,
  peerIdText,
  type Reader,
  text,
  tuple
} from './document.ts'
import type { Receipt, ReceiptPrices, ReceiptSampling } from './receipt.ts'

/**
 * A receipt as it is signed: a document of Attested Confidential Inference (`aci/1`, §7) by a service without an upstream.
 * What only we say stands in events of our own, which its verifiers pass over. The bodies are as they crossed the
 * network, sealed: the receipt goes through the host, to whom the digest of a plain question would give it away.
 */
export interface AciReceipt {
  api_version: 'aci/1'
  /** The job. */
  receipt_id: string
  chat_id: null
  /** SHA-256 of the GGUF file. */
  model: string
  /** `sha256:` and the digest of the statement, which names the keys. */
  workload_keyset_digest: string
  endpoint: '/cocoon/job/1.0.0'
  method: 'STREAM'
  /** Unix seconds. */
  served_at: number
  event_log: [ReceivedEvent, ForwardedEvent, InferenceEvent, PaymentEvent, ReturnedEvent]
  /** The receipt key itself, hex. */
  key_id: string
}

interface ReceivedEvent {
  type: 'request.received'
  body_hash: string
}

/** What was used for inference: the same request, inside. */
interface ForwardedEvent {
  type: 'request.forwarded'
  body_hash: string
}

interface InferenceEvent {
  type: 'cocoon.inference'
  sampling: ReceiptSampling
  prompt_tokens: number
  cached_prompt_tokens: number
  completion_tokens: number
  finish_reason: string
  started_at_ms: number
  ended_at_ms: number
}

interface PaymentEvent {
  type: 'cocoon.payment'
  prices: ReceiptPrices
  cost: string
  channel: string
  opened_lt: string
  provider: string
  client: string
}

/** The hash is the final value of the answer chain. */
interface ReturnedEvent {
  type: 'response.returned'
  body_hash: string
}

const count = integer(0, 0xffff_ffff)
const price = decimal(MAX_UINT64)
const sha256Text = text(/^sha256:[0-9a-f]{64}$/, '"sha256:" and 32 bytes in lower-case hex')
const nothing: Reader<null> = (value, name) => {
  if (value !== null) {
    throw new DocumentFault(`${name} is not null`)
  }
  return null
}

export const readAciReceipt: Reader<AciReceipt> = object<AciReceipt>({
  api_version: oneOf(['aci/1']),
  receipt_id: hex(LIMITS.jobIdBytes),
  chat_id: nothing,
  model: hex(32),
  workload_keyset_digest: sha256Text,
  endpoint: oneOf(['/cocoon/job/1.0.0']),
  method: oneOf(['STREAM']),
  served_at: integer(0),
  event_log: tuple<AciReceipt['event_log']>([
    object<ReceivedEvent>({ type: oneOf(['request.received']), body_hash: sha256Text }),
    object<ForwardedEvent>({ type: oneOf(['request.forwarded']), body_hash: sha256Text }),
    object<InferenceEvent>({
      type: oneOf(['cocoon.inference']),
      sampling: object<ReceiptSampling>({
        temperatureMilli: optional(count),
        topPMilli: optional(count),
        topK: optional(count),
        seed: optional(integer(Number.MIN_SAFE_INTEGER)),
        maxTokens: count
      }),
      prompt_tokens: count,
      cached_prompt_tokens: count,
      completion_tokens: count,
      finish_reason: text(/^[a-z][a-z_-]{0,31}$/, 'a reason in lower-case letters'),
      started_at_ms: integer(1),
      ended_at_ms: integer(1)
    }),
    object<PaymentEvent>({
      type: oneOf(['cocoon.payment']),
      prices: object<ReceiptPrices>({
        promptPerMTokens: price,
        cachedPromptPerMTokens: price,
        completionPerMTokens: price
      }),
      cost: decimal(MAX_NANO_TON),
      channel: text(/^[0-9A-Za-z:_+/-]{1,80}$/, 'the address of a channel'),
      opened_lt: decimal(MAX_UINT64),
      provider: peerIdText,
      client: peerIdText
    }),
    object<ReturnedEvent>({ type: oneOf(['response.returned']), body_hash: sha256Text })
  ]),
  key_id: hex(32)
})

/** @param keyId the receipt key, 32 bytes hex */
export function toAciReceipt(receipt: Receipt, keyId: string): AciReceipt {
  const request = `sha256:${receipt.requestDigest}`
  return {
    api_version: 'aci/1',
    receipt_id: receipt.jobId,
    chat_id: null,
    model: receipt.modelDigest,
    workload_keyset_digest: `sha256:${receipt.statementDigest}`,
    endpoint: '/cocoon/job/1.0.0',
    method: 'STREAM',
    served_at: Math.floor(receipt.endedAtMs / 1000),
    event_log: [
      { type: 'request.received', body_hash: request },
      { type: 'request.forwarded', body_hash: request },
      {
        type: 'cocoon.inference',
        sampling: receipt.sampling,
        prompt_tokens: receipt.promptTokens,
        cached_prompt_tokens: receipt.cachedPromptTokens,
        completion_tokens: receipt.completionTokens,
        finish_reason: receipt.finishReason,
        started_at_ms: receipt.startedAtMs,
        ended_at_ms: receipt.endedAtMs
      },
      {
        type: 'cocoon.payment',
        prices: receipt.prices,
        cost: receipt.cost,
        channel: receipt.channel,
        opened_lt: receipt.openedLt,
        provider: receipt.providerPeerId,
        client: receipt.clientPeerId
      },
      { type: 'response.returned', body_hash: `sha256:${receipt.answerDigest}` }
    ],
    key_id: keyId
  }
}

/** What a document says; `forwarded` and `served_at` say nothing that is not said elsewhere, and must agree with it. */
export function fromAciReceipt(document: AciReceipt): Receipt {
  const [received, , inference, payment, returned] = document.event_log
  return {
    jobId: document.receipt_id,
    requestDigest: bare(received.body_hash),
    answerDigest: bare(returned.body_hash),
    modelDigest: document.model,
    statementDigest: bare(document.workload_keyset_digest),
    sampling: inference.sampling,
    promptTokens: inference.prompt_tokens,
    cachedPromptTokens: inference.cached_prompt_tokens,
    completionTokens: inference.completion_tokens,
    prices: payment.prices,
    cost: payment.cost,
    channel: payment.channel,
    openedLt: payment.opened_lt,
    finishReason: inference.finish_reason,
    startedAtMs: inference.started_at_ms,
    endedAtMs: inference.ended_at_ms,
    providerPeerId: payment.provider,
    clientPeerId: payment.client
  }
}

function bare(sha256Hash: string): string {
  return sha256Hash.slice('sha256:'.length)
}
