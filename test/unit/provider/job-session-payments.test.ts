import assert from 'node:assert/strict'
import { sha256 } from '../../../src/core/bytes.ts'
import { EnvironmentError } from '../../../src/core/errors.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { encodeVoucher } from '../../../src/payments/index.ts'
import { encodeAnnouncement } from '../../../src/wire/announcement.ts'
import { amount, Gate, NO_USAGE, POLICY, PROVIDER } from '../../support/payment-pair.ts'
import { until } from '../../support/until.ts'
import { CLIENT_PEER_ID } from '../attest/fixtures.ts'
import { Bench, JOB_ID } from './job-session-fixture.ts'
import { announcement, PRICES } from './provider-fixture.ts'

const STRANGER = '12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X'

const id = (n: number): Uint8Array => new Uint8Array(16).fill(n)

/** Prompts cost: 3 tokens of them 30 nanotons, far more than the first window's 8. */
const DEAR_PROMPTS = { ...PRICES, promptPerMTokens: nanoTon(10_000_000n) }

/** Time limits that run out when the test says so. */
class ManualLimits {
  readonly armed = new Set<AbortController>()

  readonly limit: Bench['timeLimit'] = async (_ms, signal, task) => {
    const controller = new AbortController()
    const forward = (): void => controller.abort(signal?.reason)
    signal?.addEventListener('abort', forward, { once: true })
    this.armed.add(controller)
    try {
      return await task(controller.signal)
    } finally {
      this.armed.delete(controller)
      signal?.removeEventListener('abort', forward)
    }
  }

  /** A minute goes by: every wait for the client that is under way is over. */
  expire(): void {
    for (const controller of this.armed) {
      controller.abort(new DOMException('over', 'TimeoutError'))
    }
  }
}

describe('job session and money', () => {
  it('P01 a provider that restarts over a channel that closed meanwhile refuses the next job and computes nothing', async () => {
    for (const finished of [true, false]) {
      const bench = await new Bench().setUp()
      const first = bench.serve()
      await bench.begin()
      await first
      await bench.chain.startClose(bench.channel)
      bench.chain.nowMs += 3_600_000
      if (finished) {
        await bench.chain.finish(bench.channel)
      }
      await bench.restartPayee().start()
      const session = bench.serve()
      await bench.begin({ jobId: id(2), first: amount(30) })
      await bench.refused(session, finished ? 'CHANNEL_MISSING' : 'CHANNEL_CLOSING')
      assert.equal(bench.enclave.jobs.length, 1, 'only the job before')
      assert.notEqual(bench.payee.state(bench.channel).info.state, 'open')
    }
  })

  it('P05 one voucher pays for one of many parallel requests, and nothing is computed for the others', async () => {
    const bench = await new Bench().setUp(5)
    const sessions = [1, 2, 3, 4, 5].map(async n => {
      const session = bench.serve()
      const { client } = bench
      await bench.begin({ jobId: id(n) })
      await session
      return client
    })
    const ends: string[] = []
    for (const client of await Promise.all(sessions)) {
      bench.client = client
      const last = (await bench.rest()).at(-1)
      ends.push(last?.type === 'failed' ? last.code : (last?.type ?? 'nothing'))
    }
    assert.deepEqual(ends.toSorted(), [
      'PAYMENT_REQUIRED',
      'PAYMENT_REQUIRED',
      'PAYMENT_REQUIRED',
      'PAYMENT_REQUIRED',
      'done'
    ])
    assert.equal(bench.enclave.jobs.length, 1)
    assert.equal(bench.payee.state(bench.channel).info.delivered, 8n)
  })

  it('P14 a voucher that was used, or was claimed, buys nothing more, to its own client or to a stranger', async () => {
    const bench = await new Bench().setUp()
    let session = bench.serve()
    await bench.begin()
    await session
    await bench.payee.claim(bench.channel)
    session = bench.serve()
    await bench.begin({ jobId: id(2) })
    await bench.refused(session, 'PAYMENT_REQUIRED')
    session = bench.serve(STRANGER)
    await bench.begin({ jobId: id(3), first: amount(30) })
    await bench.refused(session, 'CHANNEL_FOREIGN')
    assert.equal(bench.enclave.jobs.length, 1)
  })

  it('reads no prompt for a voucher over nothing, unless tokens are free', async () => {
    const bench = await new Bench().setUp()
    let session = bench.serve()
    await bench.begin({ first: amount(0) })
    await bench.refused(session, 'PAYMENT_REQUIRED')
    session = bench.serve()
    await bench.begin({ first: amount(7) })
    await bench.refused(session, 'PAYMENT_REQUIRED')
    assert.equal(bench.enclave.jobs.length, 0)
    bench.prices = { ...PRICES, completionPerMTokens: nanoTon(0n) }
    session = bench.serve()
    await bench.begin({ first: amount(7) })
    await session
    assert.equal((await bench.rest()).at(-1)?.type, 'done')
  })

  it('P04 charges by its enclave’s count, and gives away nothing that was not counted', async () => {
    const bench = await new Bench().setUp()
    let session = bench.serve()
    await bench.begin()
    await session
    await bench.rest()
    assert.equal(bench.payee.state(bench.channel).info.delivered, 8n)
    bench.enclave.promptTokens = 0
    bench.enclave.chunks = [0, 0]
    session = bench.serve()
    await bench.begin({ jobId: id(2), first: amount(16) })
    const failed = await bench.refused(session, 'PROVIDER_FAILED')
    assert.equal(failed.message, 'The provider could not finish the job')
    assert.equal(bench.payee.state(bench.channel).info.delivered, 8n)
  })

  it('P10 ends a job before it would cost more than was offered', async () => {
    const bench = await new Bench().setUp()
    const job = announcement(bench.attester.clock, { jobId: JOB_ID, maxCompletionTokens: 10 })
    await bench.announced.consider(CLIENT_PEER_ID, encodeAnnouncement(job))
    bench.enclave.chunks = [8, 11]
    const session = bench.serve()
    await bench.begin({ direct: false, first: amount(100) })
    await bench.refused(session, 'OFFER_EXCEEDED')
    assert.equal(bench.payee.state(bench.channel).info.delivered, 8n)
  })

  it('P10 refuses a job that is opened after its offer ran out', async () => {
    const bench = await new Bench().setUp()
    const job = announcement(bench.attester.clock, { jobId: JOB_ID })
    await bench.announced.consider(CLIENT_PEER_ID, encodeAnnouncement(job))
    bench.attester.clock.advance(60_001)
    const session = bench.serve()
    await bench.begin({ direct: false })
    await bench.refused(session, 'JOB_UNKNOWN')
    assert.equal(bench.enclave.jobs.length, 0)
  })

  it('keeps nothing of a paid job whose request never came whole, or that the enclave did not take', async () => {
    const large = new Uint8Array(50_000).fill(5)
    const body = { kind: 'later' as const, sizeBytes: large.byteLength, digest: sha256(large) }
    const bench = await new Bench().setUp()
    let session = bench.serve()
    await bench.begin({ body })
    await bench.send({ type: 'part', bytes: large.subarray(0, 9) })
    await bench.refused(session, 'BODY_MISMATCH')
    bench.enclave.run = () => {
      throw new EnvironmentError('ENCLAVE_DIED', 'It is gone')
    }
    session = bench.serve()
    await bench.begin({ jobId: id(2) })
    await bench.refused(session, 'PROVIDER_FAILED')
    await bench.payee.closeRequested(bench.channel, CLIENT_PEER_ID)
  })

  it('P23 takes a payment that comes before anybody reads, while the request comes, or while the enclave works', async () => {
    const large = new Uint8Array(50_000).fill(5)
    const body = { kind: 'later' as const, sizeBytes: large.byteLength, digest: sha256(large) }
    for (const when of ['before', 'meanwhile', 'after'] as const) {
      const bench = await new Bench().setUp()
      bench.enclave.chunks = [8, 16]
      const work = new Gate()
      bench.enclave.before = () => work.passed
      const session = bench.serve()
      if (when === 'before') {
        // All in one tick: the provider has not read its opening yet.
        await bench.begin()
        await bench.pay(amount(16))
      } else if (when === 'meanwhile') {
        await bench.begin({ body })
        await bench.send({ type: 'part', bytes: large.subarray(0, 48 * 1024) })
        await bench.pay(amount(16))
        await bench.send({ type: 'part', bytes: large.subarray(48 * 1024) })
      } else {
        await bench.begin()
        await until(() => bench.enclave.jobs.length === 1)
        await bench.pay(amount(16))
      }
      await until(() => bench.payee.list().some(({ promised }) => promised === 16n))
      work.open()
      await session
      assert.deepEqual(
        (await bench.rest()).map(({ type }) => type),
        ['chunk', 'chunk', 'done'],
        when
      )
    }
  })

  it('P23 keeps few payments that nobody asked for, and no job of a client that is gone', async () => {
    const bench = await new Bench().setUp()
    const voucher = encodeVoucher(await bench.paying.payUpTo(amount(8)))
    const work = new Gate()
    bench.enclave.before = () => work.passed
    let session = bench.serve()
    await bench.begin()
    for (let n = 0; n < 16; n++) {
      await bench.send({ type: 'voucher', voucher })
    }
    await bench.refused(session, 'MESSAGES_TOO_MANY')

    bench.enclave.before = async () => undefined
    session = bench.serve()
    await bench.begin({ jobId: id(2), first: amount(16) })
    await bench.pay(amount(30))
    bench.client.lose()
    await session
    assert.equal(bench.slots.free, 1)
    assert.equal(bench.payee.state(bench.channel).info.runningJobs, 0)
  })

  it('answers no client for ever that sends what it sent before', async () => {
    const bench = await new Bench().setUp()
    bench.enclave.chunks = [8, 100]
    const session = bench.serve()
    await bench.begin()
    let sent = 0
    const again = encodeVoucher(await bench.paying.payUpTo(amount(8)))
    for (let message = await bench.next(); message?.type !== 'failed'; message = await bench.next()) {
      if (message?.type === 'need-voucher') {
        for (; sent < 100; sent++) {
          await bench.send({ type: 'voucher', voucher: again }).catch(() => undefined)
        }
      }
    }
    await session
    assert.equal(bench.payee.state(bench.channel).info.delivered, 8n)
    assert.equal(bench.slots.free, 1)
  })

  it('P29 a prompt that takes a minute neither stops payments nor is it the client’s delay', async () => {
    const bench = await new Bench().setUp()
    const limits = new ManualLimits()
    bench.timeLimit = limits.limit
    bench.enclave.chunks = [16]
    const prefill = new Gate()
    bench.enclave.before = () => prefill.passed
    const session = bench.serve()
    await bench.begin()
    await until(() => bench.enclave.jobs.length === 1)
    await until(() => limits.armed.size === 0)
    limits.expire()
    await bench.pay(amount(12))
    await until(() => bench.payee.state(bench.channel).info.promised === 12n)
    limits.expire()
    prefill.open()
    assert.equal((await bench.next())?.type, 'need-voucher')
    await until(() => limits.armed.size === 1)
    await bench.pay(amount(16))
    await session
    assert.deepEqual(
      (await bench.rest()).map(({ type }) => type),
      ['chunk', 'done']
    )
    // Once it owes something, the same minute ends it.
    const other = bench.serve()
    await bench.begin({ jobId: id(2), first: amount(24) })
    assert.equal((await bench.next())?.type, 'need-voucher')
    await until(() => limits.armed.size === 1)
    limits.expire()
    await bench.refused(other, 'VOUCHER_TIMEOUT')
  })

  describe('prompts that are computed and not paid', () => {
    async function dear(places = 1): Promise<Bench> {
      const bench = new Bench()
      bench.prices = DEAR_PROMPTS
      bench.patienceMs = 300
      return bench.setUp(places)
    }

    /** A job whose client does not pay for the prompt when it is asked to. */
    async function leave(bench: Bench, n: number, how: 'silent' | 'gone' | 'cancel', paid = 8): Promise<void> {
      const session = bench.serve()
      await bench.begin({ jobId: id(n), first: amount(paid) })
      assert.equal((await bench.next())?.type, 'need-voucher')
      if (how === 'gone') {
        bench.client.lose()
      } else if (how === 'cancel') {
        await bench.send({ type: 'cancel', reason: '' })
      }
      await session
    }

    it('are eight for one peer in ten minutes, and then the enclave is not even asked', async () => {
      const bench = await dear()
      for (let n = 0; n < 8; n++) {
        await leave(bench, 10 + n, n % 2 === 0 ? 'gone' : 'cancel')
      }
      assert.equal(bench.enclave.jobs.length, 8)
      const session = bench.serve()
      await bench.begin({ jobId: id(20) })
      await bench.refused(session, 'PROMPTS_UNPAID')
      assert.equal(bench.enclave.jobs.length, 8)
      bench.attester.clock.advance(600_000)
      await leave(bench, 21, 'silent')
      assert.equal(bench.enclave.jobs.length, 9)
    })

    it('are not held against a client for what the provider or its enclave did', async () => {
      const bench = await dear()
      bench.enclave.chunks = []
      bench.enclave.failure = new EnvironmentError('ENCLAVE_DIED', 'gone')
      for (let n = 0; n < 10; n++) {
        const session = bench.serve()
        await bench.begin({ jobId: id(10 + n) })
        await bench.refused(session, 'PROVIDER_FAILED')
      }
      assert.equal(bench.enclave.jobs.length, 10)
    })

    it('are forgiven to a client that pays', async () => {
      const bench = await dear()
      for (let n = 0; n < 7; n++) {
        await leave(bench, 10 + n, 'gone')
      }
      bench.enclave.cancelled = false
      bench.patienceMs = 2_000
      // 30 for the prompt and 8 for the answer, twice.
      for (const n of [1, 2]) {
        const session = bench.serve()
        await bench.begin({ jobId: id(30 + n), first: amount(38 * n) })
        await session
        assert.equal((await bench.rest()).at(-1)?.type, 'done')
      }
      bench.patienceMs = 300
      for (let n = 0; n < 3; n++) {
        await leave(bench, 40 + n, 'gone', 84)
      }
      const session = bench.serve()
      await bench.begin({ jobId: id(50), first: amount(84) })
      await bench.refused(session, 'PROMPTS_UNPAID')
    })
  })

  it('P44 a failing close or claim ends neither the node nor what it serves', async () => {
    const bench = await new Bench().setUp()
    bench.chain.before = call => {
      if (call === 'claim') {
        throw new Error('no gas')
      }
    }
    let session = bench.serve()
    await bench.begin()
    await session
    await bench.rest()
    await Promise.allSettled([bench.payee.claim(bench.channel), bench.payee.claim(bench.channel)])
    session = bench.serve()
    await bench.begin({ jobId: id(2), first: amount(16) })
    await session
    assert.equal((await bench.rest()).at(-1)?.type, 'done')
    await bench.paying.end({ cost: amount(16), usage: NO_USAGE, confirmed: true })
    assert.equal((await bench.payee.closeRequested(bench.channel, CLIENT_PEER_ID)).cumulative, 16n)
  })

  it('P26 says CHANNEL_MISSING for a channel that is gone, so that its client opens another, which is served', async () => {
    const bench = await new Bench().setUp()
    await bench.chain.startClose(bench.channel)
    bench.chain.nowMs += 3_600_000
    await bench.chain.finish(bench.channel)
    let session = bench.serve()
    await bench.begin()
    await bench.refused(session, 'CHANNEL_MISSING')
    await bench.payer.refresh(bench.channel)
    bench.channel = (await bench.payer.ensureChannel(PROVIDER, POLICY)).channel
    bench.paying = bench.payer.startJob(bench.channel, { jobId: '02', maxCost: amount(1_000) })
    session = bench.serve()
    await bench.begin({ jobId: id(2) })
    await session
    assert.equal((await bench.rest()).at(-1)?.type, 'done')
  })
})
