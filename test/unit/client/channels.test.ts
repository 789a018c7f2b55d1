import assert from 'node:assert/strict'
import { ClientChannels } from '../../../src/client/channels.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { ChannelService } from '../../../src/provider/channel-service.ts'
import { type ChannelReplyMessage, encodeChannelReply } from '../../../src/wire/channel-exchange.ts'
import { PROTOCOLS } from '../../../src/wire/protocols.ts'
import {
  amount,
  CLIENT_PEER,
  NO_USAGE,
  PAYEE_ADDRESS,
  PAYEE_KEY,
  PAYER_ADDRESS,
  PaymentPair,
  POLICY,
  PROVIDER_PEER
} from '../../support/payment-pair.ts'
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
    assert.equal(closed.claimTransaction, '')
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
      payeeSignature: new Uint8Array(64),
      claimTransaction: ''
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
