import { serveCommands } from './control.ts'
import type { KillPlan } from './kill-points.ts'
import { type FundingWork, type JobWork, PayerWork } from './payer-work.ts'
import { openMortalSide, type SideInit } from './side-setup.ts'

// The paying process: it holds a client's books, keys and wallet, and does what the driver says until it is killed.

let parts: Awaited<ReturnType<typeof openMortalSide>>
let work: PayerWork

serveCommands({
  open: async (init: SideInit) => {
    parts = await openMortalSide(init)
    work = new PayerWork(parts)
    await work.start()
  },
  arm: (plan: KillPlan | undefined) => parts.points.arm(plan),
  steps: () => parts.points.takeSteps(),
  connect: (port: number) => work.connect(port),
  facts: () => work.facts(),
  ensure: async (funding: FundingWork) => void (await work.ensure(funding)),
  jobs: ({ funding, jobs }: { funding: FundingWork; jobs: JobWork[] }) => work.jobs(funding, jobs),
  close: () => work.close(),
  startClose: () => work.startClose(),
  finish: () => work.finish()
})
