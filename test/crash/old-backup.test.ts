import assert from 'node:assert/strict'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { useTempFolder } from '../support/temp-folder.ts'
import { ChainProcess } from './chain-process.ts'
import { Pair } from './pair.ts'
import type { JobWork } from './payer-work.ts'
import { type Role, SparePool } from './side.ts'

const DEPOSIT = 1_500_000_000n

/** A pair of real processes whose disks can be set back. */
class BackupBench extends Pair {
  readonly #folder: string

  constructor(parts: ConstructorParameters<typeof Pair>[0], seed: string) {
    super(parts, seed)
    this.#folder = parts.folder
  }

  async jobs(...tokens: number[]): Promise<void> {
    const { funding, onJobs } = this.hands()
    const jobs: JobWork[] = tokens.map(count => ({ tokens: count }))
    onJobs(jobs.length)
    await this.side('payer').call('jobs', { funding: { ...funding, deposit: DEPOSIT, minimumDeposit: 0n }, jobs })
  }

  async ensure(): Promise<void> {
    await this.side('payer').call('ensure', { ...this.hands().funding, deposit: DEPOSIT, minimumDeposit: DEPOSIT })
  }

  /** Copies a side's home while its process is down. */
  async backUp(role: Role): Promise<void> {
    await this.side(role).kill()
    await cp(this.home(role), this.#copy(role), { recursive: true })
    await this.start(role)
    await this.connect()
  }

  async restore(role: Role): Promise<void> {
    await this.side(role).kill()
    await rm(this.home(role), { recursive: true })
    await cp(this.#copy(role), this.home(role), { recursive: true })
    await this.start(role, { old: true })
    await this.connect()
  }

  #copy(role: Role): string {
    return join(this.#folder, `${role}-copy`)
  }
}

describe('an old copy of the books, in real processes', function () {
  this.timeout(90_000)
  const folder = useTempFolder()
  let chain: ChainProcess
  let spares: SparePool
  let bench: BackupBench

  before(async () => {
    chain = await ChainProcess.start()
    spares = new SparePool(1)
  })

  after(async () => {
    await spares.close()
    await chain.stop()
  })

  beforeEach(async function () {
    bench = new BackupBench({ chain, spares, folder: folder() }, this.currentTest?.title ?? '')
    await bench.open()
    await bench.ensure()
    await bench.jobs(30)
  })

  afterEach(async () => {
    await bench.stop()
  })

  async function closeBooks(): Promise<void> {
    await bench.side('payer').call('close')
    await bench.closeBooks([[DEPOSIT]])
    assert.deepEqual([...bench.violations, ...bench.oracle.violations], [])
  }

  it('P31 lets the payer sign nothing lower: it learns from the payee what it signed', async () => {
    await bench.backUp('payer')
    await bench.jobs(50, 40)
    await bench.restore('payer')
    await bench.jobs(30)
    await closeBooks()
  })

  it('P31 lets the payee settle nothing lower: it learns from the payer what it accepted', async () => {
    await bench.backUp('payee')
    await bench.jobs(50, 40)
    await bench.side('payee').call('claim')
    await bench.jobs(40)
    await bench.restore('payee')
    await bench.jobs(30)
    await bench.side('payee').call('claim')
    await closeBooks()
  })
})
