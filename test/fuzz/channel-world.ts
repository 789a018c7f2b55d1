import assert from 'node:assert/strict'
import { toHex } from '../../src/core/bytes.ts'
import { ed25519FromSeed } from '../../src/core/ed25519.ts'
import type { ChannelTerms } from '../../src/payments/chain.ts'
import { encodeVoucher, signVoucher, type Voucher } from '../../src/payments/index.ts'
import type { JobUpMessage } from '../../src/wire/job-stream.ts'
import { amount, PAYEE_ADDRESS, PAYEE_KEY, PAYER_KEY } from '../support/payment-pair.ts'
import { CLIENT_PEER_ID } from '../unit/attest/fixtures.ts'
import { Bench, WINDOW } from '../unit/provider/job-session-fixture.ts'
import { HPKE_KEY, MODEL_DIGEST, recipientOf } from '../unit/provider/provider-fixture.ts'

const OTHER_PAYER = ed25519FromSeed(new Uint8Array(32).fill(9))

/** After this no lower voucher can be one that a higher one overtook on its way. */
const ON_THE_WAY_MS = 60_000

const CHECKSUM = /^[12] [0-9a-f]{8} /
const TIME = /"\w+AtMs":\d+,?/g

/** The peer whose channel lies idle with money to claim. */
export const OTHER_PEER = 'other-peer'

/**
 * A payer and a payee with four channels: `busy`, on which a job of the client runs that used all that was paid but a window;
 * `quiet`, the client's too, on which no job runs and more is free; `idle`, another client's, with money to claim; `ending`,
 * which the payer wants to close and the payee does not know.
 */
export class ChannelWorld {
  readonly bench = new Bench()
  busy = ''
  idle = ''
  ending = ''
  idleTerms!: ChannelTerms
  quietTerms!: ChannelTerms
  /** Of the quiet channel: a lower one, and the one that was accepted after it. */
  quietVouchers: Voucher[] = []
  /** Vouchers that were sent before: a replay changes nothing. */
  readonly spent: Voucher[] = []
  /** Signed by the right payer, for an earlier opening of the busy channel. */
  stale!: Voucher

  async setUp(): Promise<this> {
    const { bench } = this
    // A window is paid and free, or no job would get in. One that does delivers nothing that costs, and waits a little, so that what follows its opening is read.
    bench.enclave.chunks = [0]
    bench.enclave.before = async () => {
      for (let turn = 0; turn < 3; turn++) {
        await new Promise(setImmediate)
      }
    }
    await bench.setUp(64)
    this.ending = bench.channel
    await bench.payer.retire(this.ending)
    this.busy = await bench.open()
    const paying = bench.payer.startJob(this.busy, { jobId: 'aa', maxCost: amount(1_000) })
    this.spent.push(await paying.payUpTo(amount(40)), await paying.payUpTo(amount(90 + WINDOW)))
    const served = await bench.payee.startJob(this.busy, { jobId: 'aa', peerId: CLIENT_PEER_ID })
    for (const voucher of this.spent) {
      await bench.payee.accept(voucher)
    }
    assert.ok(served.charge(amount(90)))
    // What running jobs were charged is on disk with the next write of the channel.
    const short = await bench.payee.startJob(this.busy, { jobId: 'bb', peerId: CLIENT_PEER_ID })
    await short.end(amount(0))
    this.stale = signVoucher(PAYER_KEY, bench.chain.globalId, {
      channel: this.busy,
      openedLt: bench.info(this.busy).openedLt - 1n,
      cumulative: amount(900)
    })
    const idle = await this.#openOther(OTHER_PEER, 4n, [10 * WINDOW], 10 * WINDOW)
    this.idle = idle.channel
    this.idleTerms = idle.terms
    this.spent.push(...idle.vouchers)
    // Of the lower voucher, too, a window would be free.
    const quiet = await this.#openOther(CLIENT_PEER_ID, 5n, [40, 90 + WINDOW], 20)
    this.quietTerms = quiet.terms
    this.quietVouchers = quiet.vouchers
    bench.chain.nowMs += ON_THE_WAY_MS
    return this
  }

  /** Both sides' channel records as they are on disk, and all that was done on the chain. Times, and the seal over the records, do not count. */
  fingerprint(): string {
    const { payerDisk, payeeDisk, chain } = this.bench
    const records = [...payerDisk.stored, ...payeeDisk.stored]
      .filter(([key]) => !key.startsWith('job/') && key !== 'seal')
      .map(([key, value]) => `${key} ${value.replace(CHECKSUM, '').replaceAll(TIME, '')}`)
    return `${records.toSorted().join('\n')}\n${chain.log.length}`
  }

  /** Drops what a disk would hold: the books of jobs, which may grow. */
  forgetJobs(): void {
    const { payeeDisk, payerDisk, enclave } = this.bench
    for (const disk of [payeeDisk, payerDisk]) {
      disk.batches.length = 0
      for (const key of disk.stored.keys()) {
        if (key.startsWith('job/')) {
          disk.stored.delete(key)
        }
      }
    }
    enclave.jobs.length = 0
  }

  /** An opening of a job as the client would send it. */
  opening(terms: ChannelTerms, voucher: Voucher, fill: number): JobUpMessage {
    const jobId = new Uint8Array(16).fill(fill)
    return {
      type: 'open',
      jobId,
      channel: terms,
      voucher: encodeVoucher(voucher),
      direct: {
        modelDigest: MODEL_DIGEST,
        maxCompletionTokens: 50,
        recipient: recipientOf(HPKE_KEY, jobId),
        body: { kind: 'inline', sealedRequest: Uint8Array.of(9) }
      }
    }
  }

  /** A channel of another payer, with its vouchers, and a job on it that is over. */
  async #openOther(
    peerId: string,
    salt: bigint,
    paid: number[],
    delivered: number
  ): Promise<{ channel: string; terms: ChannelTerms; vouchers: Voucher[] }> {
    const { chain, payee } = this.bench
    const terms: ChannelTerms = {
      globalId: chain.globalId,
      payerKey: OTHER_PAYER.publicKey,
      payerAddress: `0:${'33'.repeat(32)}`,
      payeeKey: PAYEE_KEY.publicKey,
      payeeAddress: PAYEE_ADDRESS,
      salt,
      challengeSeconds: 3_600
    }
    const { channel, openedLt } = await chain.openChannel(terms, amount(1_000))
    await payee.admit(terms, peerId)
    const vouchers = paid.map(total =>
      signVoucher(OTHER_PAYER, chain.globalId, { channel, openedLt, cumulative: amount(total) })
    )
    const job = await payee.startJob(channel, { jobId: toHex(new Uint8Array(16)), peerId })
    for (const voucher of vouchers) {
      await payee.accept(voucher)
    }
    assert.ok(job.charge(amount(delivered)))
    await job.end(amount(delivered))
    return { channel, terms, vouchers }
  }
}

/** Peers that send: the client of the busy channel, somebody without a channel. The idle channel's own client is honest. */
export const SENDERS = [CLIENT_PEER_ID, 'stranger'] as const
