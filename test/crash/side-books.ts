import type { ChannelFacts } from './channel-facts.ts'
import { PayeeWork } from './payee-work.ts'
import { PayerWork } from './payer-work.ts'
import type { Role } from './side.ts'
import { openSide, type SideInit } from './side-setup.ts'

/** What a role's disk says of its channels, after a last look at the chain. Its process must have ended. */
export async function readBooks(role: Role, init: SideInit): Promise<ChannelFacts[]> {
  const parts = await openSide(init)
  try {
    const work = role === 'payer' ? new PayerWork(parts) : new PayeeWork(parts)
    await work.start()
    return work.facts()
  } finally {
    await parts.store.close()
  }
}
