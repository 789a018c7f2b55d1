import { setTimeout as delay } from 'node:timers/promises'
import { type AbortOptions, anySignal, throwIfAborted } from '../src/core/abort.ts'
import { EnvironmentError, NetworkError } from '../src/core/errors.ts'
import type { NanoTon } from '../src/core/nano-ton.ts'

const REQUEST_MS = 5_000
const CREDIT_MS = 10_000
const POLL_MS = 50

export interface FaucetChain {
  /** Base URL of the simnet's chain. */
  url: string
  balance(address: string, options?: AbortOptions): Promise<bigint>
}

/**
 * Gives play money to each address and waits until the chain shows it.
 *
 * @throws {NetworkError} `SIMNET_FAUCET_REFUSED`
 * @throws {EnvironmentError} `SIMNET_FAUCET_SLOW` if it is not credited within 10 s
 */
export async function fundWallets(
  chain: FaucetChain,
  gifts: ReadonlyArray<{ address: string; amount: NanoTon }>,
  options: AbortOptions = {}
): Promise<void> {
  await Promise.all(gifts.map(gift => requestGift(chain.url, gift, options)))
  const limit = performance.now() + CREDIT_MS
  for (const { address, amount } of gifts) {
    while ((await chain.balance(address, options)) < amount) {
      throwIfAborted(options.signal)
      if (performance.now() > limit) {
        throw new EnvironmentError(
          'SIMNET_FAUCET_SLOW',
          `${address} was not credited within ${CREDIT_MS / 1000} s: see the chain's log`
        )
      }
      await delay(POLL_MS)
    }
  }
}

async function requestGift(
  url: string,
  gift: { address: string; amount: NanoTon },
  options: AbortOptions
): Promise<void> {
  const reply = await fetch(`${url}/simnet/faucet`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ address: gift.address, amount: String(gift.amount) }),
    signal: anySignal(options.signal, AbortSignal.timeout(REQUEST_MS))
  })
  await reply.arrayBuffer()
  if (!reply.ok) {
    throw new NetworkError('SIMNET_FAUCET_REFUSED', `The faucet of ${url} answered ${reply.status} for ${gift.address}`)
  }
}
