import assert from 'node:assert/strict'
import fc from 'fast-check'
import { sha256 } from '../../../src/core/bytes.ts'
import { EnvironmentError } from '../../../src/core/errors.ts'
import { tokenCost } from '../../../src/core/price.ts'
import { encodeVoucher } from '../../../src/payments/index.ts'
import { encodeAnnouncement } from '../../../src/wire/announcement.ts'
import { amount, NO_USAGE } from '../../support/payment-pair.ts'
import { remembered } from '../../support/remembered.ts'
import { until } from '../../support/until.ts'
import { CLIENT_PEER_ID } from '../attest/fixtures.ts'
import { Bench, JOB_ID, RECEIPT, WINDOW } from './job-session-fixture.ts'
import { announcement, HPKE_KEY, MODEL_DIGEST, PRICES, recipientOf } from './provider-fixture.ts'

describe('job session', () => {
  it('runs a direct job: chunks as they are paid, the receipt after the books, and a free place', async () => {
    const bench = await new Bench().setUp()
    const session = bench.serve()
    await bench.begin()
    await session
    const usage = (completionTokens: number) => ({ promptTokens: 3, cachedPromptTokens: 0, completionTokens })
    assert.deepEqual(await bench.rest(), [
      { type: 'chunk', sealed: Uint8Array.of(4), usage: usage(4) },
      { type: 'chunk', sealed: Uint8Array.of(8), usage: usage(8) },
      { type: 'done', ...RECEIPT }
    ])
    assert.equal(bench.slots.free, 1)
    assert.equal(bench.payee.state(bench.channel).info.delivered, 8n)
    assert.deepEqual(bench.enclave.grants, [4 + WINDOW, 8 + WINDOW])
    const [job] = bench.enclave.jobs
    assert.ok(job)
    assert.deepEqual(
      { granted: job.grantedTokens, limit: job.maxCompletionTokens, channel: job.channel, prices: job.prices },
      { granted: WINDOW, limit: 1_000, channel: bench.channel, prices: PRICES }
    )
    assert.equal(job.clientPeerId.byteLength, 38)
  })

  it('runs the job that was announced and accepted, with the limits of the announcement', async () => {
    const bench = await new Bench().setUp()
    const job = announcement(bench.attester.clock, { jobId: JOB_ID, maxCompletionTokens: 33 })
    await bench.announced.consider(CLIENT_PEER_ID, encodeAnnouncement(job))
    const session = bench.serve()
    await bench.begin({ direct: false })
    await session
    assert.equal((await bench.rest()).at(-1)?.type, 'done')
    assert.equal(bench.enclave.jobs[0]?.maxCompletionTokens, 33)
    assert.deepEqual(bench.enclave.jobs[0]?.sealedRequest, Uint8Array.of(1, 2, 3))
    assert.equal(bench.slots.free, 1)
  })

  it('reads a large request from the stream first', async () => {
    const bench = await new Bench().setUp()
    const large = new Uint8Array(50_000).fill(5)
    const session = bench.serve()
    await bench.begin({ body: { kind: 'later', sizeBytes: large.byteLength, digest: sha256(large) } })
    await bench.send({ type: 'part', bytes: large.subarray(0, 48 * 1024) })
    await bench.send({ type: 'part', bytes: large.subarray(48 * 1024) })
    await session
    assert.equal((await bench.rest()).at(-1)?.type, 'done')
    assert.deepEqual(bench.enclave.jobs[0]?.sealedRequest, large)
  })

  it('asks for what is missing and holds the chunk back until it is paid', async () => {
    const bench = await new Bench().setUp()
    bench.enclave.chunks = [8, 16]
    const session = bench.serve()
    await bench.begin()
    assert.equal((await bench.next())?.type, 'chunk')
    const demand = await bench.next()
    assert.deepEqual(demand, {
      type: 'need-voucher',
      cumulative: 16n,
      usage: { promptTokens: 3, cachedPromptTokens: 0, completionTokens: 16 }
    })
    await bench.pay(amount(15))
    await until(() => bench.payee.state(bench.channel).info.promised === 15n)
    await bench.pay(amount(16))
    await session
    assert.deepEqual(
      (await bench.rest()).map(message => message.type),
      ['chunk', 'done']
    )
    assert.equal(bench.payee.state(bench.channel).info.delivered, 16n)
  })

  it('never sends a chunk before it is paid, however the client pays', async () => {
    const steps = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 })
    const payments = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 10 })
    await fc.assert(
      fc.asyncProperty(steps, payments, fc.boolean(), async (sizes, raises, goesAway) => {
        const bench = await new Bench().setUp()
        let total = 0
        bench.enclave.chunks = sizes.map(size => (total += size))
        let paid = 8
        const session = bench.serve()
        await bench.begin()
        const queue = [...raises]
        for (let message = await bench.next(); message !== undefined; message = await bench.next()) {
          if (message.type === 'chunk') {
            assert.ok(tokenCost(PRICES, message.usage) <= paid, `${message.usage.completionTokens} tokens for ${paid}`)
          } else if (message.type === 'need-voucher') {
            const raise = queue.shift()
            if (raise === undefined && goesAway) {
              bench.client.abort(new Error('gone'))
              break
            }
            paid = raise === undefined ? message.usage.completionTokens : paid + raise
            await bench.pay(amount(paid))
            while (paid < message.usage.completionTokens) {
              paid += queue.shift() ?? 40
              await bench.pay(amount(paid))
            }
          }
        }
        await session
        const { delivered, promised } = bench.payee.state(bench.channel).info
        assert.ok(delivered <= promised && promised <= paid)
        assert.equal(bench.slots.free, 1)
      }),
      { numRuns: 60 }
    )
  })

  it('lets a cancelled answer end with its receipt', async () => {
    const bench = await new Bench().setUp()
    bench.enclave.chunks = [1, 2, 3, 4, 5]
    const session = bench.serve()
    bench.enclave.before = async () => {
      await until(() => bench.enclave.grants.length < 2 || bench.enclave.cancelled)
    }
    await bench.begin()
    await bench.next()
    await bench.next()
    await bench.send({ type: 'cancel', reason: '' })
    await session
    assert.deepEqual(
      (await bench.rest()).map(message => message.type),
      ['done']
    )
    assert.equal(bench.payee.state(bench.channel).info.delivered, 2n)
  })

  it('stops the enclave and books what was sent when the client is gone', async () => {
    const bench = await new Bench().setUp()
    bench.enclave.chunks = [4, 1_000]
    const session = bench.serve()
    await bench.begin()
    await bench.next()
    await bench.next()
    bench.client.lose()
    await session
    assert.equal(bench.enclave.cancelled, true)
    assert.equal(bench.slots.free, 1)
    assert.equal(bench.payee.state(bench.channel).info.delivered, 4n)
    await bench.payee.closeRequested(bench.channel, CLIENT_PEER_ID)
  })

  it('refuses a stream that does not begin with an opening', async () => {
    for (const first of ['nothing', 'a voucher', 'garbage']) {
      const bench = await new Bench().setUp()
      const session = bench.serve()
      if (first === 'nothing') {
        await bench.client.close()
      } else if (first === 'garbage') {
        await bench.client.write(Uint8Array.of(255))
      } else {
        await bench.pay(amount(1))
      }
      await bench.refused(session, first === 'garbage' ? 'MESSAGE_MALFORMED' : 'JOB_NOT_OPENED')
    }
  })

  it('refuses a client that says nothing at all', async () => {
    const bench = await new Bench().setUp()
    bench.patienceMs = 10
    await bench.refused(bench.serve(), 'PROVIDER_FAILED')
  })

  it('refuses another model, a job that nobody announced, and one more than it has places for', async () => {
    const bench = await new Bench().setUp()
    let session = bench.serve()
    await bench.begin({ modelDigest: new Uint8Array(32) })
    await bench.refused(session, 'MODEL_MISMATCH')

    session = bench.serve()
    await bench.begin({ direct: false })
    await bench.refused(session, 'JOB_UNKNOWN')

    bench.slots.reserve('other', 'q', 60_000)
    session = bench.serve()
    await bench.begin()
    await session
    const last = (await bench.rest()).at(-1)
    assert.ok(last?.type === 'failed' && last.code === 'PROVIDER_BUSY')
    assert.equal(bench.slots.free, 0)
    assert.equal(bench.enclave.jobs.length, 0)
  })

  it('keeps an announced job for its own client when a stranger opens it', async () => {
    const bench = await new Bench().setUp(2)
    await bench.announced.consider(
      CLIENT_PEER_ID,
      encodeAnnouncement(announcement(bench.attester.clock, { jobId: JOB_ID }))
    )
    let session = bench.serve('12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X')
    await bench.begin({ direct: false })
    await session
    assert.equal((await bench.rest()).at(-1)?.type, 'failed')
    session = bench.serve()
    await bench.begin({ direct: false })
    await session
    assert.equal((await bench.rest()).at(-1)?.type, 'done')
  })

  it('refuses a channel that pays somebody else, and a voucher of another channel', async () => {
    const bench = await new Bench().setUp()
    const voucher = encodeVoucher(await bench.paying.payUpTo(amount(8)))
    const terms = bench.terms(bench.channel)
    const direct = {
      modelDigest: MODEL_DIGEST,
      maxCompletionTokens: 1_000,
      recipient: recipientOf(HPKE_KEY, JOB_ID),
      body: { kind: 'inline' as const, sealedRequest: Uint8Array.of(9) }
    }
    let session = bench.serve()
    await bench.send({
      type: 'open',
      jobId: JOB_ID,
      voucher,
      direct,
      channel: { ...terms, payeeKey: new Uint8Array(32) }
    })
    await bench.refused(session, 'CHANNEL_FOREIGN')

    session = bench.serve()
    const foreign = { ...voucher, channel: `0:${'77'.repeat(32)}` }
    await bench.send({ type: 'open', jobId: JOB_ID, voucher: foreign, direct, channel: terms })
    await bench.refused(session, 'VOUCHER_FOREIGN')
    assert.equal(bench.enclave.jobs.length, 0)

    session = bench.serve()
    await bench.send({
      type: 'open',
      jobId: JOB_ID,
      voucher: { ...voucher, signature: new Uint8Array(64) },
      direct,
      channel: terms
    })
    await bench.refused(session, 'VOUCHER_SIGNATURE_INVALID')
    // What no payer signed does not even wake the enclave.
    assert.equal(bench.enclave.jobs.length, 0)
    assert.equal(bench.payee.state(bench.channel).info.delivered, 0n)
  })

  it('gives a client that forgot its own voucher the highest one back', async () => {
    const bench = await new Bench().setUp()
    const low = encodeVoucher(await bench.paying.payUpTo(amount(5)))
    let session = bench.serve()
    await bench.begin()
    await session
    await bench.rest()
    bench.chain.nowMs += 10_000
    session = bench.serve()
    const direct = {
      modelDigest: MODEL_DIGEST,
      maxCompletionTokens: 1_000,
      recipient: recipientOf(HPKE_KEY, JOB_ID),
      body: { kind: 'inline' as const, sealedRequest: Uint8Array.of(9) }
    }
    await bench.send({ type: 'open', jobId: JOB_ID, voucher: low, direct, channel: bench.terms(bench.channel) })
    const failed = await bench.refused(session, 'VOUCHER_STALE')
    assert.deepEqual(failed.highest, encodeVoucher(await bench.paying.payUpTo(amount(8))))
  })

  it('does not wait for a voucher for ever', async () => {
    const bench = await new Bench().setUp()
    bench.patienceMs = 20
    bench.enclave.chunks = [100]
    const session = bench.serve()
    await bench.begin()
    await bench.refused(session, 'VOUCHER_TIMEOUT')
    assert.equal(bench.enclave.cancelled, true)
    assert.equal(bench.payee.state(bench.channel).info.delivered, 0n)
  })

  it('ends the job when a message comes that cannot, a voucher that is bad, or bytes that are none', async () => {
    const bad: Array<[string, (bench: Bench) => Promise<void>]> = [
      ['MESSAGE_UNEXPECTED', bench => bench.send({ type: 'part', bytes: Uint8Array.of(1) })],
      ['MESSAGE_UNEXPECTED', bench => bench.begin()],
      ['MESSAGE_MALFORMED', bench => bench.client.write(Uint8Array.of(255))],
      [
        'VOUCHER_SIGNATURE_INVALID',
        async bench => {
          const voucher = encodeVoucher(await bench.paying.payUpTo(amount(99)))
          await bench.send({ type: 'voucher', voucher: { ...voucher, signature: new Uint8Array(64) } })
        }
      ]
    ]
    for (const [code, send] of bad) {
      const bench = await new Bench().setUp()
      bench.enclave.chunks = [1_000]
      const session = bench.serve()
      await bench.begin()
      assert.equal((await bench.next())?.type, 'need-voucher')
      await send(bench)
      await bench.refused(session, code)
      assert.equal(bench.enclave.cancelled, true)
      await bench.paying.end({ cost: amount(0), usage: NO_USAGE, confirmed: false })
    }
  })

  it('keeps the enclave’s troubles to itself', async () => {
    const bench = await new Bench().setUp()
    bench.enclave.failure = new EnvironmentError('ENCLAVE_DIED', 'exit code 9 in /home/me')
    const session = bench.serve()
    await bench.begin()
    const failed = await bench.refused(session, 'PROVIDER_FAILED')
    assert.ok(!failed.message.includes('/home'))
  })

  it('leaves nothing with the provider, whatever comes on a stream', async () => {
    const bench = await new Bench().setUp()
    const served = bench.serve()
    await bench.begin()
    await served
    for (const frame of [Uint8Array.of(255), new Uint8Array()]) {
      const session = bench.serve()
      await bench.client.write(frame)
      await session
    }
    assert.equal(remembered(bench.stop.signal), 0)
  })

  it('ends running jobs when the provider stops', async () => {
    const bench = await new Bench().setUp()
    bench.enclave.chunks = [1_000]
    const session = bench.serve()
    await bench.begin()
    assert.equal((await bench.next())?.type, 'need-voucher')
    bench.stop.abort()
    await bench.refused(session, 'PROVIDER_FAILED')
    assert.equal(bench.enclave.cancelled, true)
  })
})
