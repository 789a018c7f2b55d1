import type { AnswerEvent } from '../../client/events.ts'
import { receiptId } from '../answer-summary.ts'
import type { ShownError } from '../errors.ts'
import type { ChosenModel } from '../model-choice.ts'
import { jsonLine } from '../output.ts'
import { parseSealing, type Sealing } from '../sealing.ts'
import { isRecord } from './line-fault.ts'

/** An answer that came to its end. */
export interface FinishedAnswer {
  text: string
  provider: Extract<AnswerEvent, { type: 'provider' }> | undefined
  end: Extract<AnswerEvent, { type: 'end' }>
  /** Unix milliseconds. */
  createdMs: number
}

/** Every line of ours begins so: what a crash left of one can be told from somebody's other file. */
export const RESULT_LINE_START = '{"id":"batch_req_'

/** Output line of OpenAI's batches for an answer; `cocoon` adds who answered, how it travelled and what it cost. */
export function answerLine(
  customId: string,
  model: ChosenModel,
  sealing: Sealing,
  { text, provider, end, createdMs }: FinishedAnswer
): string {
  const { promptTokens, cachedPromptTokens, completionTokens } = end.usage
  const jobId = receiptId(end.receipt)
  const prompt = promptTokens + cachedPromptTokens
  return jsonLine({
    id: `batch_req_${jobId}`,
    custom_id: customId,
    response: {
      status_code: 200,
      request_id: jobId,
      body: {
        id: `chatcmpl-${jobId}`,
        object: 'chat.completion',
        created: Math.floor(createdMs / 1000),
        model: model.name,
        choices: [
          { index: 0, message: { role: 'assistant', content: text }, logprobs: null, finish_reason: end.finishReason }
        ],
        usage: {
          prompt_tokens: prompt,
          completion_tokens: completionTokens,
          total_tokens: prompt + completionTokens,
          prompt_tokens_details: { cached_tokens: cachedPromptTokens }
        },
        cocoon: {
          model: model.digestHex,
          provider: provider?.peerId ?? null,
          tier: provider?.tier ?? null,
          ...sealing,
          costNano: end.cost,
          paidNano: end.paid,
          receipt: jobId
        }
      }
    },
    error: null
  })
}

/** Output line for a job that failed: the next run takes it away and tries again. */
export function errorLine(customId: string, id: string, { code, message }: ShownError): string {
  return jsonLine({ id: `batch_req_${id}`, custom_id: customId, response: null, error: { code, message } })
}

/** A line that is in an output file already. */
export interface EarlierResult {
  customId: string
  finished: boolean
  /** How its answer travelled; undefined if it has none, or does not say. */
  sealing: Sealing | undefined
}

/** Reads a line of an output file; undefined if it is none. */
export function parseResultLine(text: string): EarlierResult | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRecord(value) || typeof value['custom_id'] !== 'string') {
    return undefined
  }
  const { response, error } = value
  const finished = (error === null || error === undefined) && isRecord(response) && response['status_code'] === 200
  return { customId: value['custom_id'], finished, sealing: finished ? sealingOfResponse(response) : undefined }
}

function sealingOfResponse({ body }: Record<string, unknown>): Sealing | undefined {
  const cocoon = isRecord(body) ? body['cocoon'] : undefined
  return isRecord(cocoon) ? parseSealing(cocoon['privacy'], cocoon['suite']) : undefined
}
