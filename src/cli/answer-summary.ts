import type { AnswerEvent } from '../client/events.ts'
import { CocoonError } from '../core/errors.ts'
import { formatTon } from '../core/nano-ton.ts'
import type { ChosenModel } from './model-choice.ts'
import type { JsonObject } from './output.ts'
import type { Sealing } from './sealing.ts'
import { safeLine } from './terminal-text.ts'

type ProviderEvent = Extract<AnswerEvent, { type: 'provider' }>
type EndEvent = Extract<AnswerEvent, { type: 'end' }>

/** The tier that proves nothing. */
export const SIMULATED = 'simulated'

/** What a client must know before it trusts a simulated enclave. */
export const SIMULATED_ANSWER_WARNING =
  'simulated enclave: NOT confidential, the owner of that machine can read everything'

/** Id of a receipt, which the client has checked: the job's. */
export function receiptId(stored: EndEvent['receipt']): string {
  const { receipt_id: id } = JSON.parse(Buffer.from(stored.receipt).toString('utf8')) as { receipt_id?: unknown }
  if (typeof id !== 'string' || !/^[0-9a-f]{32}$/.test(id)) {
    throw new CocoonError('internal', 'INTERNAL', 'A receipt that was accepted has no id')
  }
  return id
}

/** What is said after an answer, for people. */
export function renderSummary(provider: ProviderEvent | undefined, end: EndEvent): string {
  const { usage } = end
  const cached = usage.cachedPromptTokens === 0 ? '' : ` + ${usage.cachedPromptTokens} cached`
  const rows: Array<[string, string]> = [
    ['provider', provider === undefined ? 'unknown' : `${provider.peerId} (${tierText(provider.tier)})`],
    [
      'tokens',
      `${usage.promptTokens}${cached} prompt, ${usage.completionTokens} answer; ended by ${safeLine(end.finishReason, 40)}`
    ],
    ['price', `${formatTon(end.cost)}, ${formatTon(end.paid)} signed in ${end.vouchers} voucher(s)`],
    ['receipt', receiptId(end.receipt)]
  ]
  return rows.map(([name, value]) => `${name.padEnd(9)}${value}\n`).join('')
}

export function tierText(tier: string): string {
  return tier === SIMULATED ? SIMULATED_ANSWER_WARNING : safeLine(tier, 40)
}

/** The answer as one object. `end` is missing if it broke off: what came was paid for and is told. */
export function answerObject(
  model: ChosenModel,
  answer: string,
  sealing: Sealing,
  provider: ProviderEvent | undefined,
  end: EndEvent | undefined
): JsonObject {
  return {
    answer,
    complete: end !== undefined,
    model: { name: model.name, digest: model.digestHex },
    ...sealing,
    provider: provider === undefined ? null : providerObject(provider),
    ...(end === undefined ? {} : endObject(end))
  }
}

/** One event of `--stream-json`. */
export function eventObject(event: AnswerEvent, sealing: Sealing): JsonObject {
  switch (event.type) {
    case 'provider':
      return { event: 'provider', ...providerObject(event), ...sealing }
    case 'text':
      return { event: 'text', text: event.text }
    case 'end':
      return { event: 'end', ...endObject(event) }
  }
}

function providerObject({ peerId, tier, warm, channel }: ProviderEvent): JsonObject {
  return { peerId, tier, warm, channel }
}

function endObject(end: EndEvent): JsonObject {
  return {
    finishReason: end.finishReason,
    usage: { ...end.usage },
    costNano: end.cost,
    paidNano: end.paid,
    vouchers: end.vouchers,
    receipt: receiptId(end.receipt)
  }
}
