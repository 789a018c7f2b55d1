import { makeReceipt } from '../../../../src/attest/index.ts'
import type { AnswerEvent } from '../../../../src/client/events.ts'
import { nanoTon } from '../../../../src/core/nano-ton.ts'
import { receiptFields, receiptKeys } from '../../attest/fixtures.ts'

/** An input line that can run. */
export function batchLine(customId: string, body: object = {}): string {
  const messages = [{ role: 'user', content: `question ${customId}` }]
  const url = '/v1/chat/completions'
  return JSON.stringify({ custom_id: customId, method: 'POST', url, body: { model: 'pocket', messages, ...body } })
}

/** An output line as OpenAI writes it, or with what we add. */
export function doneLine(customId: string, cocoon?: object): string {
  const response = { status_code: 200, request_id: 'r', body: { choices: [], ...(cocoon && { cocoon }) } }
  return JSON.stringify({ id: 'batch_req_1', custom_id: customId, response, error: null })
}

export function failedLine(customId: string): string {
  return JSON.stringify({ id: 'batch_req_1', custom_id: customId, response: null, error: { code: 'X', message: 'x' } })
}

const JOB_ID = '0123456789abcdef0123456789abcdef'

/** What a provider's answer looks like to the client. */
export function answerEvents(...texts: string[]): AnswerEvent[] {
  const receipt = makeReceipt({ ...receiptFields(new Uint8Array()), jobId: JOB_ID }, receiptKeys)
  return [
    { type: 'provider', peerId: 'peer', tier: 'simulated', warm: false, channel: '0:c' },
    ...texts.map((text): AnswerEvent => ({ type: 'text', text })),
    {
      type: 'end',
      finishReason: 'stop',
      usage: { promptTokens: 3, cachedPromptTokens: 2, completionTokens: 4 },
      cost: nanoTon(10n),
      paid: nanoTon(12n),
      vouchers: 2,
      receipt: {
        receipt: receipt.bytes,
        signature: receipt.signature,
        statement: new Uint8Array(),
        evidence: new Uint8Array(),
        peerSignature: new Uint8Array()
      }
    }
  ]
}
