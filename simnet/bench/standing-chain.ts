import { sha256, toHex } from '../../src/core/bytes.ts'
import { nanoTon, ZERO_NANO_TON } from '../../src/core/nano-ton.ts'
import type { Chain, ChannelTerms, ChannelView } from '../../src/payments/index.ts'

/** Locked in every channel of a `StandingChain`. */
export const STANDING_DEPOSIT = nanoTon(10n ** 12n)

/** A chain on which every channel is open and nothing ever happens: what is timed beside it is the books alone. */
export function standingChain(globalId: number): Chain {
  const still = (): never => {
    throw new Error('Nothing is sent to the chain in this benchmark')
  }
  return {
    globalId,
    tip: async () => ({ height: 1, hash: new Uint8Array(32), timeMs: Date.now() }),
    channelAddress: ({ salt }: ChannelTerms) => `0:${toHex(sha256(String(salt)))}`,
    readChannel: async (): Promise<ChannelView> => ({
      state: 'open',
      deposit: STANDING_DEPOSIT,
      settled: ZERO_NANO_TON,
      closeAtMs: 0,
      openedLt: 1n,
      balance: STANDING_DEPOSIT,
      asOfMs: Date.now()
    }),
    openChannel: still,
    topUp: still,
    claim: still,
    claimExternally: still,
    coopClose: still,
    startClose: still,
    finish: still
  }
}
