import { ed25519FromSeed } from '../../src/core/ed25519.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { type NanoTon, nanoTon } from '../../src/core/nano-ton.ts'
import type { ChannelTerms } from '../../src/payments/chain.ts'
import type { DepositPolicy, PaidProvider, PayeeInit, PayerInit } from '../../src/payments/index.ts'
import { Ledger, PayeeChannels, PayerChannels, verifyVoucher } from '../../src/payments/index.ts'
import { payerRecord } from '../../src/payments/ledger/ledger-records.ts'
import { decodeRecord } from '../../src/payments/ledger/record-codec.ts'
import { FakeChain } from './fake-chain.ts'
import { FakeLedgerDatabase } from './ledger-database.ts'

export const CLIENT_PEER = '12D3KooWClient'
export const PROVIDER_PEER = '12D3KooWProvider'
export const PAYER_KEY = ed25519FromSeed(new Uint8Array(32).fill(1))
export const PAYEE_KEY = ed25519FromSeed(new Uint8Array(32).fill(2))
export const STRANGER_KEY = ed25519FromSeed(new Uint8Array(32).fill(3))
export const PAYER_ADDRESS = `0:${'11'.repeat(32)}`
export const PAYEE_ADDRESS = `0:${'22'.repeat(32)}`

export const PROVIDER: PaidProvider = {
  peerId: PROVIDER_PEER,
  payeeKey: PAYEE_KEY.publicKey,
  payeeAddress: PAYEE_ADDRESS,
  minimumDeposit: nanoTon(500n)
}

export const POLICY: DepositPolicy = {
  room: nanoTon(100n),
  deposit: nanoTon(1_000n),
  maxDeposit: nanoTon(5_000n),
  challengeSeconds: 3_600
}

export const NO_USAGE = { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 }

const RULES: PayeeInit = { minimumDeposit: nanoTon(500n), minimumChallengeSeconds: 600 }

export function amount(value: bigint | number): NanoTon {
  return nanoTon(BigInt(value))
}

/** A payer and a payee over one fake chain, each with its own ledger that outlives a restart. */
export class PaymentPair {
  readonly chain = new FakeChain()
  readonly clock = { nowMs: () => this.chain.nowMs }
  payerDisk = new FakeLedgerDatabase()
  payeeDisk = new FakeLedgerDatabase()
  /** Limits and times of the payer; kept over its restarts. */
  payerInit: PayerInit = { depositExpiryMs: 90_000, pollMs: 1_000 }
  /** Runs before the payee knows whether a voucher is signed. */
  beforeVerify: () => Promise<void> | void = () => undefined
  payer!: PayerChannels
  payee!: PayeeChannels
  #salt = 0

  /** New objects over the disks as they are: what a restart of both processes is. */
  async start(): Promise<this> {
    this.restartPayer()
    this.restartPayee()
    await Promise.all([this.payer.start(), this.payee.start()])
    return this
  }

  restartPayer(disk = new FakeLedgerDatabase(this.payerDisk.stored)): PayerChannels {
    this.payerDisk = disk
    this.payer = new PayerChannels(
      {
        ledger: new Ledger(disk),
        chain: this.chain,
        clock: this.clock,
        random: { bytes: length => new Uint8Array(length).fill(++this.#salt) },
        logger: silentLogger,
        key: PAYER_KEY,
        payerAddress: PAYER_ADDRESS,
        delay: async ms => {
          this.chain.nowMs += ms
        }
      },
      this.payerInit
    )
    return this.payer
  }

  restartPayee(init: Partial<PayeeInit> = {}, disk = new FakeLedgerDatabase(this.payeeDisk.stored)): PayeeChannels {
    this.payeeDisk = disk
    this.payee = new PayeeChannels(
      {
        ledger: new Ledger(disk),
        chain: this.chain,
        clock: this.clock,
        logger: silentLogger,
        key: PAYEE_KEY,
        payeeAddress: PAYEE_ADDRESS,
        // In this thread: on the pool, the order of events would not be the test's.
        verifyVoucher: async (...voucher) => {
          await this.beforeVerify()
          return verifyVoucher(...voucher)
        }
      },
      { ...RULES, ...init }
    )
    return this.payee
  }

  /** Opens a channel and lets the payee admit it. Returns its address. */
  async open(policy: DepositPolicy = POLICY): Promise<string> {
    const { channel } = await this.payer.ensureChannel(PROVIDER, policy)
    await this.payee.admit(this.terms(channel), CLIENT_PEER)
    return channel
  }

  /** A job's start as a node does it: pay, send the voucher, serve. */
  async startJobs(channel: string, jobId: string, first: NanoTon, maxCost = amount(1_000_000)) {
    const paying = this.payer.startJob(channel, { jobId, maxCost })
    const voucher = await paying.payUpTo(first)
    await this.payee.accept(voucher)
    const served = await this.payee.startJob(channel, { jobId, peerId: CLIENT_PEER })
    return { paying, served, voucher }
  }

  /** What both sides tell each other in a sync, without a wire between them. */
  async agree(channel: string): Promise<void> {
    const { openedLt, cumulative, signature, spent } = this.payer.holdings(channel)
    const voucher = signature.byteLength === 0 ? undefined : { channel, openedLt, cumulative, signature }
    const { info, highest } = await this.payee.sync(channel, CLIENT_PEER, { voucher, spent })
    await this.payer.synced(channel, PROVIDER_PEER, {
      openedLt: info.openedLt,
      cumulative: highest?.cumulative ?? nanoTon(0n),
      signature: highest?.signature ?? new Uint8Array(),
      delivered: info.delivered,
      closing: info.state !== 'open'
    })
  }

  /** The terms on the payer's disk. */
  terms(channel: string): ChannelTerms {
    const key = `payer/${channel}`
    return decodeRecord(key, payerRecord, this.payerDisk.stored.get(key) ?? '').terms
  }

  info(channel: string) {
    const info = this.payer.list().find(c => c.channel === channel)
    if (info === undefined) {
      throw new Error('The payer does not know this channel')
    }
    return info
  }
}

/** A provider with keys of its own. */
export function providerOf(n: number): PaidProvider {
  return {
    ...PROVIDER,
    peerId: `${PROVIDER_PEER}${n}`,
    payeeKey: ed25519FromSeed(new Uint8Array(32).fill(100 + n)).publicKey,
    payeeAddress: `0:${(0x40 + n).toString(16).repeat(32)}`
  }
}

/** Something that waits until the test lets it go on. */
export class Gate {
  open!: () => void
  readonly passed = new Promise<void>(resolve => {
    this.open = resolve
  })
}
