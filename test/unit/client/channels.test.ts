import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ClientChannels } from '../../../src/client/channels.ts'
import { type RecoveredChannel, resumeChannels } from '../../../src/client/resume-channels.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { ChannelService } from '../../../src/provider/channel-service.ts'
import { type ChannelReplyMessage, encodeChannelReply } from '../../../src/wire/channel-exchange.ts'
import { PROTOCOLS } from '../../../src/wire/protocols.ts'
import { FakeLedgerDatabase } from '../../support/ledger-database.ts'
import {
  amount,
  CLIENT_PEER,
  Gate,
  NO_USAGE,
  PAYEE_ADDRESS,
  PAYEE_KEY,
  PAYER_ADDRESS,
  PaymentPair,
  POLICY,
  PROVIDER_PEER,
  providerOf
} from '../../support/payment-pair.ts'
import { until } from '../../support/until.ts'
import { sampleCapacity } from '../mesh/samples.ts'
import { FakeMesh } from './mesh-fixture.ts'

/** A client and the provider's own channel service, over one chain and streams in memory. */
class Bench extends PaymentPair {
  readonly mesh = new FakeMesh()
  channels!: ClientChannels

  async setUp(): Promise<this> {
    await this.start()
    this.channels = new ClientChannels({ mesh: this.mesh.asMesh(), payer: this.payer, logger: silentLogger })
    this.mesh.remote = (stream, protocol) => {
      assert.equal(protocol, PROTOCOLS.channel)
      const service = new ChannelService({ logger: silentLogger, payee: this.payee })
      return service.serve(stream, CLIENT_PEER, new AbortController().signal)
    }
    return this
  }

  /** A new process over the books as they are, or as they were. */
  async restore(stored = new Map(this.payerDisk.stored)): Promise<void> {
    await this.restartPayer(new FakeLedgerDatabase(stored)).start()
    this.channels = new ClientChannels({ mesh: this.mesh.asMesh(), payer: this.payer, logger: silentLogger })
    this.mesh.opened.length = 0
  }

  /** The provider answers every request with this. */
  answerWith(reply: ChannelReplyMessage): void {
    this.mesh.remote = async stream => {
      await stream.read()
      await stream.write(encodeChannelReply(reply))
      await stream.close()
    }
  }

  /** A job that broke off: 40 signed, 30 delivered, and the client knows of 10. */
  async brokenJob(): Promise<string> {
    const channel = await this.open()
    const { paying, served } = await this.startJobs(channel, 'aa', amount(40))
    served.charge(amount(30))
    await served.end(amount(30))
    await paying.end({ cost: amount(10), usage: NO_USAGE, confirmed: false })
    return channel
  }
}

const CAPACITY = sampleCapacity(PROVIDER_PEER, {
  payment: { payeeKey: PAYEE_KEY.publicKey, payeeAddress: PAYEE_ADDRESS, minimumDeposit: amount(500), networks: [-217] }
})

describe('client channels', () => {
  it('opens one channel to a provider and finds it again', async () => {
    const bench = await new Bench().setUp()
    const first = await bench.channels.ensure(CAPACITY, POLICY)
    const again = await bench.channels.ensure(CAPACITY, POLICY)
    assert.equal(again.channel, first.channel)
    assert.equal(bench.chain.count('openChannel'), 1)
    assert.equal(bench.mesh.opened.length, 0)
  })

  it('settles on what was delivered after a job that broke off, before the next job', async () => {
    const bench = await new Bench().setUp()
    const channel = await bench.brokenJob()
    assert.equal(bench.info(channel).used, 40n)
    const { used, credit } = await bench.channels.ensure(CAPACITY, POLICY)
    assert.deepEqual({ used, credit }, { used: 30n, credit: 10n })
  })

  it('goes on without the provider’s word on what it delivered, but not when cancelled', async () => {
    const bench = await new Bench().setUp()
    await bench.brokenJob()
    await bench.channels.ensure(CAPACITY, POLICY)
    await bench.brokenJob()
    bench.mesh.remote = async stream => stream.lose()
    assert.equal((await bench.channels.ensure(CAPACITY, POLICY)).used, 70n)
    bench.mesh.remote = async () => undefined
    const cancel = new AbortController()
    const asking = bench.channels.ensure(CAPACITY, POLICY, { signal: cancel.signal })
    setImmediate(() => cancel.abort())
    await assert.rejects(asking, { code: 'CANCELLED' })
  })

  it('counts nothing that it is not sure of for a provider that holds nothing', async () => {
    const bench = await new Bench().setUp()
    const channel = await bench.open()
    // Signed, and the provider died before it wrote a word of it.
    const paying = bench.payer.startJob(channel, { jobId: 'aa', maxCost: amount(1_000) })
    await paying.payUpTo(amount(40))
    await paying.end({ cost: amount(0), usage: NO_USAGE, confirmed: false })
    assert.equal(bench.info(channel).used, 40n)
    bench.answerWith({ type: 'refused', code: 'CHANNEL_UNKNOWN', message: 'not here' })
    const { used, credit } = await bench.channels.ensure(CAPACITY, POLICY)
    assert.deepEqual({ used, credit }, { used: 0n, credit: 40n })
  })

  it('takes back vouchers that a lost disk forgot', async () => {
    const bench = await new Bench().setUp()
    const channel = await bench.open()
    const backup = new Map(bench.payerDisk.stored)
    const { paying } = await bench.startJobs(channel, 'aa', amount(40))
    await paying.end({ cost: amount(40), usage: NO_USAGE, confirmed: true })
    bench.payerDisk.stored.clear()
    backup.forEach((value, key) => void bench.payerDisk.stored.set(key, value))
    bench.restartPayer()
    await bench.payer.start()
    const channels = new ClientChannels({ mesh: bench.mesh.asMesh(), payer: bench.payer, logger: silentLogger })
    assert.equal(bench.info(channel).signed, 0n)
    assert.equal((await channels.sync(bench.info(channel))).signed, 40n)
  })

  it('believes no voucher that it did not sign', async () => {
    const bench = await new Bench().setUp()
    const channel = await bench.open()
    const { openedLt } = bench.info(channel)
    bench.answerWith({
      type: 'state',
      channel,
      openedLt,
      cumulative: amount(900),
      signature: new Uint8Array(64),
      delivered: amount(900),
      deposit: amount(1_000),
      settled: amount(0),
      closing: false
    })
    await assert.rejects(bench.channels.sync(bench.info(channel)), { code: 'VOUCHER_SIGNATURE_INVALID' })
    assert.equal(bench.info(channel).signed, 0n)
    // Without a signature nothing can be adopted, and what was delivered is no more than what was signed.
    bench.answerWith({
      type: 'state',
      channel,
      openedLt,
      cumulative: amount(900),
      signature: new Uint8Array(),
      delivered: amount(900),
      deposit: amount(1_000),
      settled: amount(0),
      closing: false
    })
    assert.equal((await bench.channels.sync(bench.info(channel))).used, 0n)
  })

  it('closes together with the provider, and the rest comes back', async () => {
    const bench = await new Bench().setUp()
    const channel = await bench.brokenJob()
    const closed = await bench.channels.close(channel)
    assert.equal(closed.paid, 30n)
    assert.match(closed.closeTransaction, /^[0-9a-f]{64}$/)
    assert.deepEqual([bench.chain.paid.get(PAYEE_ADDRESS), bench.chain.paid.get(PAYER_ADDRESS)], [30n, 970n])
  })

  it('does not close while a job runs, nor a channel that it does not know', async () => {
    const bench = await new Bench().setUp()
    const channel = await bench.open()
    await bench.startJobs(channel, 'aa', amount(40))
    await assert.rejects(bench.channels.close(channel), { code: 'CHANNEL_BUSY' })
    await assert.rejects(bench.channels.close(`0:${'99'.repeat(32)}`), { code: 'CHANNEL_UNKNOWN' })
    assert.equal(bench.mesh.opened.length, 0)
  })

  it('hands on a refusal with its code, and resets the stream', async () => {
    const bench = await new Bench().setUp()
    const channel = await bench.open()
    bench.answerWith({ type: 'refused', code: 'CHANNEL_BUSY', message: 'later' })
    await assert.rejects(bench.channels.close(channel), {
      code: 'CHANNEL_REFUSED',
      details: { peerId: PROVIDER_PEER, reason: 'CHANNEL_BUSY' }
    })
    assert.ok(bench.mesh.opened[0]?.stream.abortedWith)
  })

  it('refuses answers to something else, unfair agreements and silence', async () => {
    const bench = await new Bench().setUp()
    const channel = await bench.open()
    const { openedLt } = bench.info(channel)
    const closed = {
      type: 'closed',
      channel,
      openedLt,
      cumulative: amount(0),
      validUntil: 1_800_003_600,
      payeeSignature: new Uint8Array(64)
    } as const
    bench.answerWith(closed)
    await assert.rejects(bench.channels.sync(bench.info(channel)), { code: 'MESSAGE_UNEXPECTED' })
    bench.answerWith({ ...closed, channel: `0:${'99'.repeat(32)}` })
    await assert.rejects(bench.channels.close(channel), { code: 'MESSAGE_UNEXPECTED' })
    bench.answerWith({ ...closed, cumulative: amount(900) })
    await assert.rejects(bench.channels.close(channel), { code: 'CLOSE_ORDER_INVALID' })
    bench.mesh.remote = stream => stream.close()
    await assert.rejects(bench.channels.close(channel), { code: 'PEER_SILENT' })
    assert.equal(bench.chain.count('coopClose'), 0)
  })
})

describe('client channels after a restart or a loss', () => {
  it('P31 asks what the provider holds before it signs anything in a new process, once', async () => {
    const bench = await new Bench().setUp()
    const channel = await bench.open()
    const backup = new Map(bench.payerDisk.stored)
    const { paying, served } = await bench.startJobs(channel, 'aa', amount(40))
    served.charge(amount(40))
    await served.end(amount(40))
    await paying.end({ cost: amount(40), usage: NO_USAGE, confirmed: true })
    await bench.restore(backup)
    assert.equal(bench.info(channel).signed, 0n)
    const { signed, used } = await bench.channels.ensure(CAPACITY, POLICY)
    assert.deepEqual([signed, used, bench.mesh.opened.length], [40n, 40n, 1])
    await bench.channels.ensure(CAPACITY, POLICY)
    assert.equal(bench.mesh.opened.length, 1)
  })

  it('P31 signs nothing where the provider does not say what it holds', async () => {
    const bench = await new Bench().setUp()
    const channel = await bench.open()
    await bench.startJobs(channel, 'aa', amount(40))
    await bench.restore()
    bench.mesh.remote = async stream => stream.lose()
    await assert.rejects(bench.channels.ensure(CAPACITY, POLICY), { code: 'CONNECTION_LOST' })
    bench.answerWith({ type: 'refused', code: 'PROVIDER_FAILED', message: '' })
    await assert.rejects(bench.channels.ensure(CAPACITY, POLICY), { code: 'CHANNEL_REFUSED' })
    // One that knows nothing of the channel holds no voucher of ours either.
    bench.answerWith({ type: 'refused', code: 'CHANNEL_UNKNOWN', message: '' })
    assert.equal((await bench.channels.ensure(CAPACITY, POLICY)).channel, channel)
  })

  it('P31 signs nothing lower in any order of parallel jobs after an old backup, and asks once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.integer({ min: 2, max: 5 }), async (s, jobs) => {
        const bench = await new Bench().setUp()
        const channel = await bench.open()
        const backup = new Map(bench.payerDisk.stored)
        const { paying, served } = await bench.startJobs(channel, 'aa', amount(40))
        served.charge(amount(40))
        await served.end(amount(40))
        await paying.end({ cost: amount(40), usage: NO_USAGE, confirmed: true })
        await bench.restore(backup)
        bench.payerDisk.before = () => s.schedule(Promise.resolve(), 'disk')
        const { remote } = bench.mesh
        bench.mesh.remote = async (stream, protocol) => {
          await s.schedule(Promise.resolve(), 'link')
          return remote(stream, protocol)
        }
        const signed = Array.from({ length: jobs }, async (_, n) => {
          await s.schedule(Promise.resolve(), 'job')
          const { channel: used } = await bench.channels.ensure(CAPACITY, POLICY)
          const job = bench.payer.startJob(used, { jobId: `${n}`, maxCost: amount(10) })
          return (await job.payUpTo(amount(10))).cumulative
        })
        const vouchers = await s.waitFor(Promise.all(signed))
        assert.deepEqual(
          vouchers.toSorted((a, b) => Number(a - b)),
          Array.from({ length: jobs }, (_, n) => BigInt(50 + 10 * n))
        )
        assert.equal(bench.mesh.opened.length, 1)
      }),
      { numRuns: 30 }
    )
  })

  it('asks ahead while offers are awaited, without failing or asking twice', async () => {
    const bench = await new Bench().setUp()
    const channel = await bench.open()
    await bench.startJobs(channel, 'aa', amount(40))
    await bench.restore()
    const gate = new Gate()
    const { remote } = bench.mesh
    bench.mesh.remote = async (stream, protocol) => {
      await gate.passed
      return remote(stream, protocol)
    }
    bench.channels.greet(CAPACITY.payment)
    const ensuring = bench.channels.ensure(CAPACITY, POLICY)
    gate.open()
    await ensuring
    assert.equal(bench.mesh.opened.length, 1)
    await bench.restore()
    bench.mesh.remote = async stream => stream.lose()
    bench.channels.greet(CAPACITY.payment)
    await until(() => bench.mesh.opened[0]?.stream.abortedWith !== undefined)
  })

  it('P34 a recovered channel is used again once its provider is asked for, or left to be closed', async () => {
    const bench = await new Bench().setUp()
    const channel = await bench.open()
    const { paying, served } = await bench.startJobs(channel, 'aa', amount(40))
    served.charge(amount(40))
    await served.end(amount(40))
    await paying.end({ cost: amount(40), usage: NO_USAGE, confirmed: true })
    const found = [{ channel, terms: bench.terms(channel) }]
    await bench.restore(new Map())
    await bench.payer.recover(found)
    const again = await bench.channels.ensure(CAPACITY, POLICY)
    assert.deepEqual([again.channel, again.state, again.used, again.peerId], [channel, 'open', 40n, PROVIDER_PEER])

    await bench.restore(new Map())
    await bench.payer.recover(found)
    bench.answerWith({ type: 'refused', code: 'CHANNEL_FOREIGN', message: '' })
    const other = await bench.channels.ensure(CAPACITY, POLICY)
    assert.notEqual(other.channel, channel)
    assert.equal(bench.info(channel).state, 'recovered')
  })

  it('P34 finds the providers of recovered channels by whom they pay, and names what went wrong', async () => {
    const bench = await new Bench().setUp()
    const channel = await bench.open()
    await bench.startJobs(channel, 'aa', amount(40))
    const lonely = (await bench.payer.ensureChannel(providerOf(1), POLICY)).channel
    const found = [channel, lonely].map(address => ({ channel: address, terms: bench.terms(address) }))
    await bench.restore(new Map())
    const { recovered } = await bench.payer.recover(found)
    bench.mesh.records = [sampleCapacity('12D3KooWOther'), CAPACITY, CAPACITY]
    const components = { mesh: bench.mesh.asMesh(), channels: bench.channels, timeoutMs: 1_000 }
    const outcome = (results: RecoveredChannel[]) => results.map(r => [r.channel.channel, r.channel.state, r.problem])
    assert.deepEqual(outcome(await resumeChannels(components, recovered)), [
      [channel, 'open', undefined],
      [lonely, 'recovered', 'CAPACITY_NOT_FOUND']
    ])
    await bench.restore(new Map())
    const again = await bench.payer.recover(found)
    bench.mesh.remote = async stream => stream.lose()
    const failed = await resumeChannels({ ...components, channels: bench.channels }, again.recovered)
    assert.deepEqual(outcome(failed), [
      [channel, 'recovered', 'CONNECTION_LOST'],
      [lonely, 'recovered', 'CAPACITY_NOT_FOUND']
    ])
  })
})

describe('client channels that a provider refuses a job on', () => {
  it('P26 a channel that is gone is not used again, and the next request opens another, without a restart', async () => {
    for (const code of ['CHANNEL_MISSING', 'CHANNEL_UNKNOWN', 'CHANNEL_CLOSED']) {
      const bench = await new Bench().setUp()
      const channel = (await bench.channels.ensure(CAPACITY, POLICY)).channel
      await bench.chain.startClose(channel)
      bench.chain.nowMs += 3_600_000
      await bench.chain.finish(channel)
      assert.equal((await bench.channels.ensure(CAPACITY, POLICY)).channel, channel, 'it is cached')
      assert.equal(await bench.channels.mend(CAPACITY, code), true)
      assert.equal(bench.info(channel).state, 'closed')
      assert.notEqual((await bench.channels.ensure(CAPACITY, POLICY)).channel, channel)
    }
  })

  it('P26 a channel that only its provider does not see stays, and costs no second deposit', async () => {
    const bench = await new Bench().setUp()
    const channel = (await bench.channels.ensure(CAPACITY, POLICY)).channel
    assert.equal(await bench.channels.mend(CAPACITY, 'CHANNEL_MISSING'), true)
    assert.equal((await bench.channels.ensure(CAPACITY, POLICY)).channel, channel)
    assert.equal(bench.chain.count('openChannel'), 1)
  })

  it('leaves a channel that its provider will never serve on again, and keeps its deposit in sight', async () => {
    for (const code of ['CHANNEL_CLOSING', 'CHANNEL_FOREIGN']) {
      const bench = await new Bench().setUp()
      const channel = (await bench.channels.ensure(CAPACITY, POLICY)).channel
      assert.equal(await bench.channels.mend(CAPACITY, code), true)
      assert.equal(bench.info(channel).state, 'closing')
      const policy = { ...POLICY, maxDeposit: amount(1_400) }
      await assert.rejects(bench.channels.ensure(CAPACITY, policy), { code: 'DEPOSIT_OVER_LIMIT' })
      assert.notEqual((await bench.channels.ensure(CAPACITY, POLICY)).channel, channel)
    }
  })

  it('tells what it holds where one side forgot something, and gives up where that fails', async () => {
    for (const code of ['CHANNEL_RESYNC', 'VOUCHER_STALE', 'PAYMENT_REQUIRED']) {
      const bench = await new Bench().setUp()
      const channel = await bench.brokenJob()
      assert.equal(await bench.channels.mend(CAPACITY, code), true)
      assert.equal(bench.info(channel).uncertain, 0n)
      bench.mesh.remote = async stream => stream.lose()
      assert.equal(await bench.channels.mend(CAPACITY, code), false)
    }
  })

  it('sees no remedy in anything else', async () => {
    const bench = await new Bench().setUp()
    await bench.brokenJob()
    for (const code of ['PROVIDER_BUSY', 'SPENDING_CAP', 'CHANNEL_CHALLENGE_TOO_SHORT', undefined]) {
      assert.equal(await bench.channels.mend(CAPACITY, code), false)
    }
    assert.deepEqual([bench.mesh.opened.length, bench.chain.count('openChannel')], [0, 1])
  })
})
