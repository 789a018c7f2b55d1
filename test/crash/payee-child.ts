import { serveCommands } from './control.ts'
import type { KillPlan } from './kill-points.ts'
import { PayeeWork } from './payee-work.ts'
import { openMortalSide, type SideInit } from './side-setup.ts'

// The serving process: it holds a provider's books, keys and wallet, and serves until it is killed.

let parts: Awaited<ReturnType<typeof openMortalSide>>
let work: PayeeWork

serveCommands({
  open: async (init: SideInit) => {
    parts = await openMortalSide(init)
    work = new PayeeWork(parts)
    await work.start()
  },
  arm: (plan: KillPlan | undefined) => parts.points.arm(plan),
  steps: () => parts.points.takeSteps(),
  connect: (port: number) => work.connect(port),
  facts: () => work.facts(),
  claim: () => work.claim(),
  watch: () => work.watch()
})
