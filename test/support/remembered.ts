import { getEventListeners } from 'node:events'

/**
 * How many listeners a signal has, and how many signals `AbortSignal.any` made of it: Node keeps an entry for each of those
 * for as long as the signal itself lives.
 */
export function remembered(signal: AbortSignal): number {
  const key = Object.getOwnPropertySymbols(signal).find(symbol => symbol.description === 'kDependantSignals')
  const made = key === undefined ? undefined : (Reflect.get(signal, key) as ReadonlySet<unknown> | null)
  return getEventListeners(signal, 'abort').length + (made?.size ?? 0)
}
