import type { AdvertisedProvider } from '../node-port.ts'

/** More at once gains nothing on one client. */
export const MAX_PARALLEL = 64

const MAX_AUTOMATIC = 16

/** Jobs to run at once unless told: one for each slot that the providers have, within bounds. */
export function automaticParallel(providers: Iterable<Pick<AdvertisedProvider, 'peerId' | 'slotsTotal'>>): number {
  const slots = new Map<string, number>()
  for (const { peerId, slotsTotal } of providers) {
    slots.set(peerId, Math.max(0, slotsTotal))
  }
  const total = [...slots.values()].reduce((sum, count) => sum + count, 0)
  return Math.min(MAX_AUTOMATIC, Math.max(1, total))
}
