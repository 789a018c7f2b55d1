import { randomBytes } from 'node:crypto'
import { decodeStatement, type Receipt, statementDigest, verifyReceipt } from '../../src/attest/index.ts'
import { fromHex } from '../../src/core/bytes.ts'
import { nanoTon } from '../../src/core/nano-ton.ts'
import type { TokenPrices, TokenUsage } from '../../src/core/price.ts'
import type { EnclaveJob, EnclaveRun } from '../../src/enclave/index.ts'
import { type ResponseOpener, responseOpener, sealRequest } from '../../src/seal/index.ts'
import { decodeAnswerEvent } from '../../src/wire/answer-event.ts'
import { encodeJobRequest, type JobRequest } from '../../src/wire/job-request.ts'

export const PRICES: TokenPrices = {
  promptPerMTokens: nanoTon(1_000_000_000n),
  cachedPromptPerMTokens: nanoTon(100_000_000n),
  completionPerMTokens: nanoTon(3_000_000_000n)
}

/** Multihash bytes of some Ed25519 peer ids. */
export const PROVIDER_PEER_ID = Uint8Array.from([0, 36, 8, 1, 18, 32, ...new Uint8Array(32).fill(7)])
export const CLIENT_PEER_ID = Uint8Array.from([0, 36, 8, 1, 18, 32, ...new Uint8Array(32).fill(9)])

export interface SealedQuestion {
  job: EnclaveJob
  opener: ResponseOpener
}

/** A question sealed to the enclave of a statement, as a client would; or any bytes, as a hostile one might. */
export function sealQuestion(
  statement: Uint8Array,
  request: JobRequest | Uint8Array,
  more: Partial<EnclaveJob> = {}
): SealedQuestion {
  const plaintext = request instanceof Uint8Array ? request : encodeJobRequest(request)
  const jobId = new Uint8Array(randomBytes(16))
  const target = {
    hpkePublicKey: fromHex(decodeStatement(statement).hpkeKey),
    statementDigest: statementDigest(statement)
  }
  const { sealedRequest, recipients, responseKeys } = sealRequest({ jobId, plaintext, recipients: [target] })
  const [recipient] = recipients
  const [responseKey] = responseKeys
  if (recipient === undefined || responseKey === undefined) {
    throw new Error('sealRequest gave no recipient')
  }
  return {
    opener: responseOpener(responseKey, jobId),
    job: {
      jobId,
      recipient,
      sealedRequest,
      maxCompletionTokens: 4096,
      prices: PRICES,
      channel: '0:'.padEnd(66, 'a'),
      openedLt: 42n,
      grantedTokens: 4096,
      clientPeerId: CLIENT_PEER_ID,
      ...more
    }
  }
}

export interface OpenedAnswer {
  text: string
  finishReason: string
  usage: TokenUsage
  chunks: Array<{ bytes: number; completionTokens: number }>
  receipt: Receipt
}

/** Reads a run to its end, opens every frame and verifies the receipt's signature. `onChunk` sees the tokens so far. */
export async function openAnswer(
  statement: Uint8Array,
  { opener }: SealedQuestion,
  run: EnclaveRun,
  onChunk: (completionTokens: number) => void = () => undefined
): Promise<OpenedAnswer> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const answer = { text: '', finishReason: '', usage: { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 } }
  const chunks: OpenedAnswer['chunks'] = []
  for await (const event of run) {
    if (event.type === 'ended') {
      opener.expectFinished()
      const receiptKey = fromHex(decodeStatement(statement).receiptKey)
      const receipt = verifyReceipt({ bytes: event.receipt, signature: event.receiptSignature, receiptKey })
      return { ...answer, chunks, receipt }
    }
    const { promptTokens, cachedPromptTokens, completionTokens } = event
    answer.usage = { promptTokens, cachedPromptTokens, completionTokens }
    chunks.push({ bytes: event.sealed.byteLength, completionTokens })
    const inner = decodeAnswerEvent(opener.open(event.sealed).bytes)
    if (inner?.type === 'text') {
      answer.text += decoder.decode(inner.text, { stream: true })
    } else if (inner?.type === 'end') {
      answer.finishReason = inner.finishReason
    }
    onChunk(completionTokens)
  }
  throw new Error('The run ended without its ended event')
}
