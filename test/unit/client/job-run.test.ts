import assert from 'node:assert/strict'
import { tokenCost } from '../../../src/core/price.ts'
import { LIMITS } from '../../../src/wire/limits.ts'
import { amount } from '../../support/payment-pair.ts'
import { Bench, BOUNDS, counts, DONE, WINDOW } from './job-run-fixture.ts'

describe('job run', () => {
  it('opens with one window paid, yields the text and the receipt, and knows what it cost', async () => {
    const bench = await new Bench().setUp()
    const reading = bench.read()
    const open = await bench.heard()
    assert.ok(open?.type === 'open')
    // 8 completion tokens at 2 nanotons each.
    assert.equal(bench.run.paid, 16n)
    await bench.chunk('Hello', counts(3))
    await bench.end(counts(4), 'length')
    await bench.say(DONE)
    await bench.provider.close()
    await reading
    assert.equal(bench.text(), 'Hello')
    assert.deepEqual(bench.events.at(-1), { ...DONE, finishReason: 'length' })
    assert.equal(bench.run.cost, tokenCost(BOUNDS.prices, counts(4)))
    assert.deepEqual(bench.run.usage, counts(4))
    assert.equal(bench.run.paid, tokenCost(BOUNDS.prices, counts(3 + WINDOW)))
    assert.equal(bench.run.vouchers, 2)
  })

  it('sends a large request in parts after its opening', async () => {
    const laterBody = new Uint8Array(LIMITS.bodyPartBytes * 2 + 5).map((_, at) => at % 251)
    const bench = await new Bench().setUp({ laterBody })
    const reading = bench.read()
    assert.equal((await bench.heard())?.type, 'open')
    const parts: Uint8Array[] = []
    for (let n = 0; n < 3; n++) {
      const part = await bench.heard()
      assert.ok(part?.type === 'part')
      parts.push(part.bytes)
    }
    assert.deepEqual(new Uint8Array(Buffer.concat(parts)), laterBody)
    await bench.end(counts(1))
    await bench.say(DONE)
    await reading
  })

  it('pays what is asked for by its own figures, whatever amount the provider names', async () => {
    const bench = await new Bench().setUp()
    const reading = bench.read()
    await bench.heard()
    await bench.say({ type: 'need-voucher', cumulative: amount(1_000_000), usage: counts(1, 20) })
    const voucher = await bench.heard()
    assert.ok(voucher?.type === 'voucher')
    // The prompt that it claims, and one window beyond what it delivered, which is nothing.
    assert.equal(bench.run.paid, 20n + 2n * BigInt(WINDOW))
    await bench.end(counts(1, 20))
    await bench.say(DONE)
    await reading
  })

  it('skips dummies', async () => {
    const bench = await new Bench().setUp()
    const reading = bench.read()
    await bench.heard()
    await bench.say({ type: 'chunk', sealed: bench.seal(new Uint8Array()), usage: counts(0) })
    await bench.chunk('x', counts(1))
    await bench.end(counts(1))
    await bench.say(DONE)
    await reading
    assert.equal(bench.text(), 'x')
  })

  it('does not count demands of a long answer against each other', async () => {
    const bench = await new Bench().setUp()
    const reading = bench.read()
    for (let tokens = 1; tokens <= 12; tokens++) {
      await bench.say({ type: 'need-voucher', cumulative: amount(0), usage: counts(tokens) })
      await bench.chunk('x', counts(tokens))
    }
    await bench.end(counts(12))
    await bench.say(DONE)
    await reading
    assert.equal(bench.text(), 'x'.repeat(12))
  })
})
