import { NetworkError } from '../../../../src/core/errors.ts'
import { silentLogger } from '../../../../src/core/logger.ts'
import { type NanoTon, nanoTon } from '../../../../src/core/nano-ton.ts'
import type { ChainFees } from '../../../../src/payments/chain.ts'
import type { ChannelPolicy } from '../../../../src/payments/lifecycle/policy.ts'
import { Steward, type StewardInit } from '../../../../src/payments/steward/steward.ts'
import { StewardJournal } from '../../../../src/payments/steward/steward-journal.ts'
import { PayeeKeeper } from '../../../../src/payments/steward/steward-payee.ts'
import { PayerKeeper } from '../../../../src/payments/steward/steward-payer.ts'
import type { StepReport } from '../../../../src/payments/steward/steward-types.ts'
import { FakeLedgerDatabase } from '../../../support/ledger-database.ts'
import { amount, CLIENT_PEER, POLICY as DEPOSITS, NO_USAGE, PaymentPair } from '../../../support/payment-pair.ts'
import { HOUR, POLICY } from '../lifecycle/standings.ts'

/** Small beside the fixture's deposits of 1,000. */
export const FEES: ChainFees = {
  open: amount(3),
  topUp: amount(3),
  claim: amount(2),
  externalClaim: amount(3),
  coopClose: amount(3),
  startClose: amount(2),
  finish: amount(2)
}

export const STEWARD_POLICY: ChannelPolicy = {
  ...POLICY,
  claimAbove: amount(100),
  topUpBelow: amount(0),
  topUpAmount: amount(1_000)
}

/** A payer and a payee with a steward each, over one chain. A "restart" is a new steward over the same journal. */
export class StewardPair extends PaymentPair {
  payerJournal = new FakeLedgerDatabase()
  payeeJournal = new FakeLedgerDatabase()
  paying!: Steward
  earning!: Steward
  fees: ChainFees = FEES
  payeeBalance: NanoTon = nanoTon(10n ** 9n)
  /** Whether the provider answers a request to close. */
  reachable = true
  /** Times that prices were asked for. */
  priced = 0
  readonly reports: StepReport[] = []

  override async start(): Promise<this> {
    await super.start()
    this.restartStewards()
    return this
  }

  restartStewards(init: Partial<StewardInit> = {}): void {
    this.payerJournal = new FakeLedgerDatabase(this.payerJournal.stored)
    this.payeeJournal = new FakeLedgerDatabase(this.payeeJournal.stored)
    const shared = {
      fees: {
        fees: async () => {
          this.priced++
          return this.fees
        }
      },
      clock: this.clock,
      logger: silentLogger,
      delay: (ms: number, signal?: AbortSignal) => this.pause(ms, signal)
    }
    const stewardInit = {
      policy: STEWARD_POLICY,
      onStep: (report: StepReport) => void this.reports.push(report),
      ...init
    }
    const closeTogether = (channel: string): Promise<{ closeTransaction: string }> => this.closeTogether(channel)
    this.paying = new Steward(
      {
        ...shared,
        keepers: [new PayerKeeper({ payer: this.payer, chain: this.chain, closeTogether }, DEPOSITS)],
        wallet: { balance: async () => nanoTon(10n ** 9n) },
        journal: new StewardJournal(this.payerJournal)
      },
      stewardInit
    )
    this.earning = new Steward(
      {
        ...shared,
        keepers: [new PayeeKeeper(this.payee)],
        wallet: { balance: async () => this.payeeBalance },
        journal: new StewardJournal(this.payeeJournal)
      },
      stewardInit
    )
  }

  /** How stewards wait between looks. By default for ever. */
  pause: (ms: number, signal?: AbortSignal) => Promise<void> = (_ms, signal) =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(new Error('stopped')), { once: true })
    })

  /** What a client does over the mesh. */
  async closeTogether(channel: string): Promise<{ closeTransaction: string }> {
    await this.payer.retire(channel)
    if (!this.reachable) {
      throw new NetworkError('PEER_UNREACHABLE', 'The provider is not there')
    }
    const order = await this.payee.closeRequested(channel, CLIENT_PEER)
    const { transaction } = await this.payer.close(channel, order)
    return { closeTransaction: transaction }
  }

  /** A channel on which a job paid and used `paid`. */
  async used(paid: bigint): Promise<string> {
    const channel = await this.open()
    const { paying, served } = await this.startJobs(channel, `job-${paid}`, amount(paid))
    served.charge(amount(paid))
    await served.end(amount(paid))
    await paying.end({ cost: amount(paid), confirmed: true, usage: NO_USAGE })
    return channel
  }

  pass(hours: number): void {
    this.chain.nowMs += hours * HOUR
  }
}
