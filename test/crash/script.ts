import type { FundingWork, JobWork } from './payer-work.ts'
import type { Role, Side } from './side.ts'

/** Both sides of a session as the script needs them. */
export interface Sides {
  side: (role: Role) => Side
  funding: Omit<FundingWork, 'minimumDeposit' | 'deposit'>
  random: () => number
  /** Told before so many jobs run at once. */
  onJobs: (count: number) => void
}

/** One thing both sides do together. Done again after a crash, it does nothing twice that costs money. */
export interface Operation {
  name: string
  run(sides: Sides): Promise<unknown>
}

const FIRST_DEPOSIT = 1_500_000_000n
const TOP_UP = 500_000_000n
const SECOND_DEPOSIT = 700_000_000n

/** What the script deposits: one list of amounts a channel, in order. */
export const SCRIPTED_DEPOSITS: ReadonlyArray<readonly bigint[]> = [[FIRST_DEPOSIT, TOP_UP], [SECOND_DEPOSIT]]

/** A channel's whole life, then another one's: everything that writes to the books or sends to the chain. */
export const SCRIPT: readonly Operation[] = [
  { name: 'open', run: sides => ensure(sides, FIRST_DEPOSIT) },
  { name: 'job', run: sides => jobs(sides, FIRST_DEPOSIT, 1) },
  { name: 'jobs at once', run: sides => jobs(sides, FIRST_DEPOSIT, 3) },
  { name: 'claim', run: sides => sides.side('payee').call('claim') },
  {
    name: 'top-up during a job',
    run: sides => all([ensure(sides, TOP_UP, FIRST_DEPOSIT + TOP_UP), jobs(sides, FIRST_DEPOSIT, 1)])
  },
  { name: 'claim during jobs', run: sides => all([jobs(sides, TOP_UP, 2), sides.side('payee').call('claim')]) },
  { name: 'cancelled job', run: sides => jobs(sides, TOP_UP, 1, 3) },
  { name: 'close together', run: sides => sides.side('payer').call('close') },
  { name: 'open again', run: sides => ensure(sides, SECOND_DEPOSIT) },
  { name: 'jobs on the new channel', run: sides => jobs(sides, SECOND_DEPOSIT, 2) },
  { name: 'close alone', run: sides => sides.side('payer').call('startClose') },
  { name: 'claim before the end', run: sides => sides.side('payee').call('watch') },
  { name: 'finish', run: sides => sides.side('payer').call('finish') }
]

function ensure({ side, funding }: Sides, deposit: bigint, minimumDeposit = deposit): Promise<unknown> {
  return side('payer').call('ensure', { ...funding, deposit, minimumDeposit })
}

/** Jobs of random sizes at once. `deposit` is what a new channel would get: there is one already. */
function jobs(
  { side, funding, random, onJobs }: Sides,
  deposit: bigint,
  count: number,
  cancelAfter?: number
): Promise<unknown> {
  const work: JobWork[] = Array.from({ length: count }, () => ({
    // Several at once take their time.
    tokens: 20 + 2 * Math.floor(random() * 20) + (count > 1 ? 0 : 1),
    ...(cancelAfter === undefined ? {} : { cancelAfter })
  }))
  onJobs(count)
  return side('payer').call('jobs', { funding: { ...funding, deposit, minimumDeposit: 0n }, jobs: work })
}

/** Waits for all of them, whatever the first failure is. */
async function all(work: ReadonlyArray<Promise<unknown>>): Promise<void> {
  const results = await Promise.allSettled(work)
  const failed = results.find(result => result.status === 'rejected')
  if (failed !== undefined) {
    throw failed.reason
  }
}
