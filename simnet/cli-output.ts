import * as z from 'zod'
import type { JsonEvent } from './process/event-log.ts'

/** What `cocoon-node … --json` prints, as far as the simnet reads it. */

export const readyProvider = z.object({
  event: z.literal('ready'),
  peerId: z.string(),
  addresses: z.array(z.string()),
  model: z.object({ name: z.string(), digest: z.string() }),
  enclavePid: z.int()
})

export const publishedProvider = z.object({ event: z.literal('published') })

export const chainReady = z.object({ url: z.string(), endpoint: z.string() })

export const listedProvider = z.object({ peerId: z.string(), slotsFree: z.int(), slotsTotal: z.int() })

/** The event in that shape; undefined if it is another one. */
export function readEvent<T>(schema: z.ZodType<T>, event: JsonEvent): T | undefined {
  return schema.safeParse(event).data
}
