import { join } from 'node:path'
import { systemClock } from '../../src/core/clock.ts'
import { type Ed25519KeyPair, ed25519FromSeed } from '../../src/core/ed25519.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { openStore } from '../../src/node/store.ts'
import { createTon, GLOBAL_IDS } from '../../src/ton/index.ts'
import { systemSleep } from '../../src/ton/wait.ts'
import { type Breakage, breakLedger } from './breakage.ts'
import { type KillPlan, KillPoints } from './kill-points.ts'
import { watchChain, watchSends } from './kill-sends.ts'
import { watchWrites } from './kill-writes.ts'

/** What a child needs to work on one home. */
export interface SideInit {
  home: string
  /** Of the chain. */
  endpoint: string
  /** Seeds of this side's wallet and channel key, 32 bytes each. */
  walletSeed: Uint8Array
  channelSeed: Uint8Array
  plan?: KillPlan
  /** A defect put into the node on purpose, to see it found. */
  breakage?: Breakage
}

/** Deposits that were not seen within this time were never sent: longer than a transfer is valid. */
export const DEPOSIT_EXPIRY_MS = 4_500
const VALID_FOR_SECONDS = 2
const PAUSE_MS = 25

export type SideParts = Awaited<ReturnType<typeof openSide>>

/** Name of the file in a home that says where its process was killed. */
export const KILL_NOTE = 'killed-at.json'

/** The parts of a node that pay or are paid, over the node's own store. */
export async function openSide(init: SideInit) {
  const store = await openStore(join(init.home, 'data'))
  const key: Ed25519KeyPair = ed25519FromSeed(init.channelSeed)
  const { chain, wallet } = await createTon(
    // Blocks come every few milliseconds here: pauses made for real ones would be most of a run.
    { sleep: (ms, options) => systemSleep(Math.min(ms, PAUSE_MS), options) },
    {
      endpoint: init.endpoint,
      globalId: GLOBAL_IDS.simnet,
      key: ed25519FromSeed(init.walletSeed),
      timeoutMs: 600_000,
      validForSeconds: VALID_FOR_SECONDS,
      expiryMarginSeconds: 1
    }
  )
  return { store, ledger: store.ledger, key, chain, wallet, clock: systemClock, logger: silentLogger }
}

/** The same in a child, with kill points around writes and messages. */
export async function openMortalSide(init: SideInit): Promise<SideParts & { points: KillPoints }> {
  const points = new KillPoints(join(init.home, KILL_NOTE))
  watchWrites(points)
  watchSends(points)
  points.arm(init.plan)
  const parts = await openSide(init)
  const { ledger, chain } = parts
  return { ...parts, points, ledger: breakLedger(ledger, init.breakage), chain: watchChain(chain, points) }
}
