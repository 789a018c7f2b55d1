import { AsyncLocalStorage } from 'node:async_hooks'
import { ChainRpc } from '../../src/ton/chain-rpc.ts'
import type { KillPoints } from './kill-points.ts'

/** What a node asks of the chain that costs money. */
const SENDS = new Set(['openChannel', 'topUp', 'claim', 'claimExternally', 'coopClose', 'startClose', 'finish'])

type Send = (this: ChainRpc, ...args: Parameters<ChainRpc['sendBoc']>) => Promise<void>

const underWay = new AsyncLocalStorage<string>()

/** Puts kill points around every message that this process hands in to the chain. */
export function watchSends(points: KillPoints): void {
  const send: Send = Reflect.get(ChainRpc.prototype, 'sendBoc')
  const watched: Send = async function (boc, options) {
    const step = `chain ${underWay.getStore() ?? 'transfer'}`
    points.reach(step, 'before')
    await send.call(this, boc, options)
    points.reach(step, 'sent')
  }
  Object.assign(ChainRpc.prototype, { sendBoc: watched })
}

/** The same chain, with a kill point after each confirmed message and before the caller hears of it. */
export function watchChain<T extends object>(chain: T, points: KillPoints): T {
  return new Proxy(chain, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') {
        return value
      }
      const method = value.bind(target) as (...args: unknown[]) => unknown
      if (typeof name !== 'string' || !SENDS.has(name)) {
        return method
      }
      return (...args: unknown[]) =>
        underWay.run(name, async () => {
          const receipt = await method(...args)
          points.reach(`chain ${name}`, 'confirmed')
          return receipt
        })
    }
  })
}
