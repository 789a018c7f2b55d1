import assert from 'node:assert/strict'
import { tokenCost } from '../../../src/core/price.ts'
import { encodeAnswerEvent } from '../../../src/wire/answer-event.ts'
import { encodeJobUp, type JobUpMessage } from '../../../src/wire/job-stream.ts'
import { amount } from '../../support/payment-pair.ts'
import { until } from '../../support/until.ts'
import { Bench, BOUNDS, broken, counts, DONE, failure, WINDOW } from './job-run-fixture.ts'

const END = encodeAnswerEvent({ type: 'end', finishReason: 'stop' })

async function dummy(bench: Bench, tokens: number, final = false): Promise<void> {
  await bench.say({ type: 'chunk', sealed: bench.seal(new Uint8Array(), final), usage: counts(tokens) })
}

describe('job run in the mode strict', () => {
  let bench: Bench
  let reading: Promise<unknown>

  beforeEach(async () => {
    // As `answer.ts` does in this mode.
    bench = await new Bench().setUp({ privacy: 'strict', bounds: { ...BOUNDS, lowTokens: WINDOW } })
    reading = bench.read()
    assert.equal((await bench.heard())?.type, 'open')
  })

  it('answers each chunk with one message of one size, and pays in them', async () => {
    const heard: JobUpMessage[] = []
    for (const tokens of [0, 1, WINDOW, WINDOW, 2 * WINDOW, 2 * WINDOW]) {
      await bench.chunk('x', counts(tokens))
      const message = await bench.heard()
      assert.ok(message)
      heard.push(message)
    }
    assert.equal(new Set(heard.map(message => encodeJobUp(message).byteLength)).size, 1)
    assert.deepEqual([...new Set(heard.map(({ type }) => type))].toSorted(), ['pad', 'voucher'])
    await bench.end(counts(2 * WINDOW))
    await bench.say(DONE)
    await reading
    assert.ok(bench.run.paid >= tokenCost(BOUNDS.prices, counts(2 * WINDOW)))
  })

  it('has paid for the next step before it comes, from the prompt on: nobody has to ask', async () => {
    for (const tokens of [0, WINDOW, WINDOW, 2 * WINDOW, 2 * WINDOW, 3 * WINDOW]) {
      await bench.chunk('x', counts(tokens))
      assert.ok(await bench.heard())
      // Signed beside the answer: on a busy machine only after the message that could have carried it.
      await until(() => bench.run.paid >= tokenCost(BOUNDS.prices, counts(tokens + WINDOW)))
    }
    await bench.end(counts(3 * WINDOW))
    await bench.say(DONE)
    await reading
  })

  it('pays at once what the provider waits for', async () => {
    await bench.say({ type: 'need-voucher', cumulative: amount(1), usage: counts(WINDOW) })
    assert.equal((await bench.heard())?.type, 'voucher')
    await bench.end(counts(WINDOW))
    await bench.say(DONE)
    await reading
  })

  it('pays for no window after the end of the answer, however long its padding is', async () => {
    // So many that the next window would be due, were the answer to go on.
    const tokens = WINDOW / 2
    await bench.say({ type: 'chunk', sealed: bench.seal(END), usage: counts(tokens) })
    await bench.heard()
    const { paid } = bench.run
    for (let at = 0; at < 5; at++) {
      await dummy(bench, tokens)
      assert.equal((await bench.heard())?.type, 'pad')
    }
    assert.equal(bench.run.paid, paid)
    await dummy(bench, tokens, true)
    await bench.say(DONE)
    await reading
    assert.equal(bench.events.at(-1)?.type, 'done')
  })

  it('refuses tokens that are counted after the end of the answer', async () => {
    await bench.say({ type: 'chunk', sealed: bench.seal(END), usage: counts(3) })
    await dummy(bench, 4)
    broken(await failure(reading), 'METER_IMPLAUSIBLE')
  })
})
