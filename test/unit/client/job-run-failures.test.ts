import assert from 'node:assert/strict'
import { AnswerBrokenError } from '../../../src/client/failures.ts'
import { JobRun } from '../../../src/client/job-run.ts'
import { errorCode } from '../../../src/core/errors.ts'
import { type TokenUsage, tokenCost } from '../../../src/core/price.ts'
import { initialAuthorization, maxPlausiblePrompt } from '../../../src/payments/index.ts'
import { ResponseKey, responseOpener } from '../../../src/seal/index.ts'
import { encodeJobDown } from '../../../src/wire/job-stream.ts'
import { amount, Gate, NO_USAGE, PROVIDER_PEER } from '../../support/payment-pair.ts'
import { streamPair } from '../../support/stream-pair.ts'
import { until } from '../../support/until.ts'
import { Bench, BOUNDS, broken, counts, DONE, failure, JOB_ID, WINDOW } from './job-run-fixture.ts'

describe('job run with a provider that fails', () => {
  it('refuses counts that cannot be right', async () => {
    const bad: Array<[TokenUsage, TokenUsage]> = [
      [counts(2), counts(1)],
      [counts(2), counts(3, 5)],
      [counts(2), counts(3, 4, 1)],
      [counts(2), counts(3 + WINDOW)],
      [counts(0), counts(WINDOW + 1)]
    ]
    for (const [before, after] of bad) {
      for (const asked of [false, true]) {
        const bench = await new Bench().setUp()
        const reading = failure(bench.read())
        await bench.chunk('a', before)
        await (asked
          ? bench.say({ type: 'need-voucher', cumulative: amount(0), usage: after })
          : bench.chunk('b', after))
        broken(await reading, 'METER_IMPLAUSIBLE')
        assert.deepEqual(bench.run.usage, before)
        assert.ok(bench.run.paid <= tokenCost(BOUNDS.prices, counts(before.completionTokens + WINDOW)))
      }
    }
    const first = await new Bench().setUp()
    const reading = failure(first.read())
    await first.chunk('a', counts(1, maxPlausiblePrompt(BOUNDS.requestBytes) + 1))
    assert.equal(errorCode(await reading), 'METER_IMPLAUSIBLE')
    assert.equal(first.text(), '')
  })

  it('holds the provider to the prompt that it asked to be paid for', async () => {
    const bench = await new Bench().setUp()
    const reading = failure(bench.read())
    await bench.say({ type: 'need-voucher', cumulative: amount(0), usage: counts(1, 200) })
    await bench.chunk('a', counts(1, 1))
    assert.equal(errorCode(await reading), 'METER_IMPLAUSIBLE')
  })

  it('refuses an answer without its final frame, and frames that are forged, missing or too late', async () => {
    const cases: Array<[string, (bench: Bench) => Promise<void>]> = [
      ['SEAL_ANSWER_TRUNCATED', bench => bench.say(DONE)],
      [
        'SEAL_FRAME_FORGED',
        async bench =>
          bench.say({ type: 'chunk', sealed: bench.seal(Uint8Array.of(1, 65)).with(100, 0), usage: counts(2) })
      ],
      [
        'SEAL_FRAME_MISSING',
        async bench => {
          bench.seal(new Uint8Array())
          await bench.chunk('b', counts(2))
        }
      ],
      ['SEAL_FRAME_SIZE', bench => bench.say({ type: 'chunk', sealed: new Uint8Array(9), usage: counts(2) })],
      [
        'SEAL_FRAME_AFTER_FINAL',
        async bench => {
          await bench.end(counts(2))
          await bench.say({ type: 'chunk', sealed: new Uint8Array(533), usage: counts(2) })
        }
      ],
      ['MESSAGE_MALFORMED', bench => bench.provider.write(Uint8Array.of(255))],
      [
        'MESSAGE_MALFORMED',
        bench => bench.say({ type: 'chunk', sealed: bench.seal(Uint8Array.of(9)), usage: counts(2) })
      ]
    ]
    for (const [code, act] of cases) {
      const bench = await new Bench().setUp()
      const reading = failure(bench.read())
      await bench.chunk('a', counts(1))
      await act(bench)
      const { broken: end } = broken(await reading, code)
      assert.equal(end.cost <= end.paid, true)
      assert.ok(bench.clientStream.abortedWith)
      assert.equal(bench.text(), 'a')
    }
  })

  it('refuses a receipt before any answer', async () => {
    const bench = await new Bench().setUp()
    const reading = failure(bench.read())
    await bench.say(DONE)
    assert.equal(errorCode(await reading), 'SEAL_ANSWER_TRUNCATED')
  })

  it('reads nothing after the receipt', async () => {
    const bench = await new Bench().setUp()
    const reading = bench.read()
    await bench.end(counts(1))
    await bench.say(DONE)
    await bench.say({ type: 'need-voucher', cumulative: amount(500), usage: counts(WINDOW) })
    await bench.provider.write(Uint8Array.of(255))
    await reading
    assert.equal(bench.run.paid, 16n)
  })

  it('hands on why the provider failed; once something came, with what came and what was paid', async () => {
    const early = await new Bench().setUp()
    let reading = failure(early.read())
    await early.say({ type: 'failed', code: 'PROVIDER_BUSY', message: 'full' })
    const plain = await reading
    assert.ok(!(plain instanceof AnswerBrokenError))
    assert.equal(errorCode(plain), 'PROVIDER_BUSY')

    const late = await new Bench().setUp()
    reading = failure(late.read())
    await late.chunk('a', counts(3))
    await late.say({ type: 'failed', code: 'PROVIDER_FAILED', message: 'oh' })
    const { broken: end } = broken(await reading, 'PROVIDER_FAILED')
    // The voucher that was being signed when the answer broke off is paid too.
    assert.deepEqual(end, { peerId: PROVIDER_PEER, usage: counts(3), cost: 10n, paid: 26n })
  })

  it('believes its own signature on a voucher that it forgot, and no other', async () => {
    const bench = await new Bench().setUp()
    const { channel } = bench.job
    const before = new Map(bench.payerDisk.stored)
    const voucher = await bench.payer.authorize(channel, { cumulative: amount(300) })
    bench.payerDisk.stored.clear()
    before.forEach((value, key) => void bench.payerDisk.stored.set(key, value))
    await bench.restartPayer().start()
    const key = new ResponseKey(new Uint8Array(44))
    const attempt = async (highest: typeof voucher): Promise<unknown> => {
      const [client, provider] = streamPair()
      const payerJob = bench.payer.startJob(channel, { jobId: '08', maxCost: amount(100) })
      const run = new JobRun(
        { stream: client, opener: responseOpener(key, JOB_ID), payerJob, payer: bench.payer },
        {
          peerId: PROVIDER_PEER,
          open: { jobId: JOB_ID, channel: bench.terms(channel) },
          firstVoucher: payerJob.payUpTo(initialAuthorization(BOUNDS)),
          bounds: BOUNDS,
          stallTimeoutMs: 5_000
        }
      )
      const { signature, cumulative, openedLt } = highest
      const wire = {
        channel,
        openedLt,
        cumulative: Uint8Array.from(Buffer.from(cumulative.toString(16).padStart(4, '0'), 'hex')),
        signature
      }
      await provider.write(encodeJobDown({ type: 'failed', code: 'VOUCHER_STALE', message: '', highest: wire }))
      const err = await failure(run.events().next())
      await payerJob.end({ cost: amount(0), usage: NO_USAGE, confirmed: false })
      return errorCode(err)
    }
    assert.equal(await attempt({ ...voucher, signature: new Uint8Array(64) }), 'VOUCHER_SIGNATURE_INVALID')
    assert.ok(bench.info(channel).signed < 300n)
    assert.equal(await attempt(voucher), 'VOUCHER_STALE')
    assert.equal(bench.info(channel).signed, 300n)
  })

  it('names a provider that is lost, by its end of the stream or the connection', async () => {
    for (const lose of ['close', 'lose'] as const) {
      const bench = await new Bench().setUp()
      const reading = failure(bench.read())
      await bench.chunk('a', counts(2))
      await until(() => bench.events.length === 1)
      await (lose === 'close' ? bench.provider.close() : bench.provider.lose())
      const { broken: end } = broken(await reading, 'PROVIDER_LOST')
      assert.deepEqual(end.usage, counts(2))
    }
  })

  it('names a provider that falls silent', async () => {
    const bench = await new Bench().setUp({ stallTimeoutMs: 200 })
    const reading = failure(bench.read())
    await bench.chunk('a', counts(2))
    broken(await reading, 'PROVIDER_STALLED')
    assert.equal(bench.text(), 'a')
  })

  it('does not blame the provider for a slow reader', async () => {
    const bench = await new Bench().setUp({ stallTimeoutMs: 200 })
    await bench.chunk('a', counts(1))
    await bench.end(counts(1))
    await bench.say(DONE)
    const events = bench.run.events()
    assert.deepEqual((await events.next()).value, { type: 'text', bytes: new Uint8Array(Buffer.from('a')) })
    // Twice the time after which a provider would count as silent.
    await new Promise(resolve => setTimeout(resolve, 400))
    assert.deepEqual((await events.next()).value, { ...DONE, finishReason: 'stop' })
    assert.equal((await events.next()).done, true)
  })

  it('asks the provider to stop when cancelled, and takes the receipt for what was delivered', async () => {
    const bench = await new Bench().setUp()
    const reading = bench.read()
    await bench.heard()
    await bench.chunk('a', counts(2))
    await until(() => bench.events.length === 1)
    bench.cancel.abort()
    for (let message = await bench.heard(); message?.type !== 'cancel'; message = await bench.heard()) {
      assert.ok(message)
    }
    await bench.end(counts(2), 'cancelled')
    await bench.say(DONE)
    await reading
    assert.equal(bench.events.at(-1)?.type, 'done')
  })

  it('is cancelled, whatever else goes wrong then', async () => {
    const bench = await new Bench().setUp()
    const reading = failure(bench.read())
    await bench.heard()
    bench.cancel.abort()
    bench.provider.lose()
    assert.equal(errorCode(await reading), 'CANCELLED')
  })

  it('sends nothing when it was cancelled before it began', async () => {
    const bench = await new Bench().setUp()
    bench.cancel.abort()
    assert.equal(errorCode(await failure(bench.read())), 'CANCELLED')
    assert.equal(bench.run.vouchers, 0)
    await assert.rejects(bench.heard(), { code: 'STREAM_RESET' })
  })

  it('has no payment under way once it is over, done or broken off', async () => {
    for (const ending of ['done', 'lost', 'left'] as const) {
      const bench = await new Bench().setUp()
      const gate = new Gate()
      const events = bench.run.events()
      const first = events.next()
      await bench.heard()
      bench.payerDisk.before = () => gate.passed
      await bench.chunk('a', counts(WINDOW))
      await first
      const paid = bench.run.paid
      let over = false
      if (ending === 'done') {
        await bench.end(counts(WINDOW))
        await bench.say(DONE)
      } else if (ending === 'lost') {
        bench.provider.lose()
      }
      const ended = (ending === 'left' ? events.return(undefined) : events.next())
        .catch(() => undefined)
        .then(() => {
          over = true
        })
      await new Promise(resolve => setImmediate(resolve))
      assert.equal(over, false, `${ending}: over while a voucher is being written`)
      gate.open()
      await ended
      assert.ok(bench.run.paid > paid)
      await bench.job.end({ cost: bench.run.cost, usage: bench.run.usage, confirmed: false })
    }
  })

  it('gives up the answer when a payment fails', async () => {
    const bench = await new Bench().setUp()
    const reading = failure(bench.read())
    await bench.heard()
    bench.payerDisk.before = () => {
      throw new Error('disk full')
    }
    await bench.chunk('a', counts(WINDOW))
    broken(await reading, 'LEDGER_WRITE_FAILED')
    assert.equal(bench.run.paid, 16n)
  })
})
