import * as z from 'zod'
import { CocoonError } from '../src/core/errors.ts'
import type { JsonEvent } from './process/event-log.ts'

/** What `cocoon-node … --json` prints, as far as the simnet reads it. Amounts are nanotons as text. */

const amount = z.string().regex(/^\d+$/).transform(BigInt)

export const readyProvider = z.object({
  event: z.literal('ready'),
  peerId: z.string(),
  addresses: z.array(z.string()),
  model: z.object({ name: z.string(), digest: z.string() }),
  enclavePid: z.int()
})

export const publishedProvider = z.object({ event: z.literal('published') })

export const chainReady = z.object({ url: z.string(), endpoint: z.string() })

export const answerProvider = z.object({
  event: z.literal('provider'),
  peerId: z.string(),
  tier: z.string(),
  channel: z.string()
})

export const answerText = z.object({ event: z.literal('text'), text: z.string() })

export const answerEnd = z.object({
  event: z.literal('end'),
  finishReason: z.string(),
  usage: z.object({ promptTokens: z.int(), cachedPromptTokens: z.int(), completionTokens: z.int() }),
  costNano: amount,
  paidNano: amount,
  vouchers: z.int()
})

export const closedChannel = z.object({
  channel: z.string(),
  paidNano: amount,
  claimTransaction: z.string(),
  closeTransaction: z.string()
})

export const listedProvider = z.object({ peerId: z.string(), slots: z.object({ free: z.int(), total: z.int() }) })

/** The event in that shape; undefined if it is another one. */
export function readEvent<T>(schema: z.ZodType<T>, event: JsonEvent): T | undefined {
  return schema.safeParse(event).data
}

/**
 * The one event in that shape among those a command printed.
 *
 * @throws {CocoonError} `SIMNET_OUTPUT_UNEXPECTED` if there is none
 */
export function requireEvent<T>(schema: z.ZodType<T>, events: readonly JsonEvent[], command: string): T {
  for (const event of events) {
    const found = readEvent(schema, event)
    if (found !== undefined) {
      return found
    }
  }
  throw new CocoonError('internal', 'SIMNET_OUTPUT_UNEXPECTED', `"cocoon-node ${command} --json" did not print what the simnet reads: this is a bug`)
}
