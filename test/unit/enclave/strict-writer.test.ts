import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { TokenUsage } from '../../../src/core/price.ts'
import { plannedTicks, STEP_TICKS, STRICT_STEP_TOKENS, TICK_MS } from '../../../src/enclave/strict-plan.ts'
import { StrictWriter } from '../../../src/enclave/strict-writer.ts'
import { ResponseKey, responseOpener, responseSealer } from '../../../src/seal/index.ts'
import { decodeAnswerEvent } from '../../../src/wire/answer-event.ts'
import { VirtualTime } from '../../support/virtual-time.ts'

const JOB_ID = new Uint8Array(16).fill(3)
const NEVER = new AbortController().signal

interface Frame {
  atMs: number
  bytes: number
  text: string
  end: string | undefined
  final: boolean
  usage: TokenUsage
}

/** A writer in a time of its own. */
class Harness {
  readonly frames: Frame[] = []
  readonly writer: StrictWriter
  readonly time: VirtualTime

  constructor(ticks: number, lateMs?: () => number) {
    const key = new ResponseKey(new Uint8Array(44).fill(5))
    const opener = responseOpener(key, JOB_ID)
    this.time = new VirtualTime(lateMs)
    const send = (sealed: Uint8Array, usage: TokenUsage): void => {
      const { bytes, final } = opener.open(sealed)
      const event = decodeAnswerEvent(bytes)
      const text = event?.type === 'text' ? Buffer.from(event.text).toString('latin1') : ''
      const end = event?.type === 'end' ? event.finishReason : undefined
      this.frames.push({ atMs: this.time.nowMs(), bytes: sealed.byteLength, text, end, final, usage })
    }
    this.writer = new StrictWriter({ sealer: responseSealer(key, JOB_ID), send, timing: this.time }, { ticks })
  }

  run(ms: number): void {
    this.time.run(ms)
  }

  /** What a wire shows. */
  get trace(): Array<[number, number]> {
    return this.frames.map(({ atMs, bytes }) => [atMs, bytes])
  }

  get text(): string {
    return this.frames.map(({ text }) => text).join('')
  }
}

/** An answer of some tokens, each with its text and the time before it. */
type Token = readonly [text: string, waitMs: number]

async function answered(tokens: readonly Token[], ticks: number): Promise<Harness> {
  const harness = new Harness(ticks)
  harness.writer.prompt(7, 0)
  for (const [index, [text, waitMs]] of tokens.entries()) {
    harness.run(waitMs)
    harness.writer.text(text, index + 1)
  }
  const ended = harness.writer.end('stop', NEVER)
  harness.run(3_600_000)
  await ended
  return harness
}

describe('strict writer', () => {
  it('shows one frame of one size at every tick, the same for any two answers that fit the plan', async () => {
    const token = fc.tuple(fc.string({ unit: 'grapheme-ascii', maxLength: 30 }), fc.nat(60))
    const tokens = fc.array(token, { maxLength: 60 })
    const expected = Array.from({ length: 64 }, (_, at) => [at * TICK_MS, 533])
    await fc.assert(
      fc.asyncProperty(tokens, async answer => {
        const harness = await answered(answer, 64)
        assert.deepEqual(harness.trace, expected)
        assert.equal(harness.text, answer.map(([text]) => text).join(''))
        assert.deepEqual(
          harness.frames.map(({ final }) => final),
          expected.map((_, at) => at === 63)
        )
      }),
      { numRuns: 60 }
    )
  })

  it('makes tokens visible to the host in whole steps, but for the last', async () => {
    const tokens = Array.from({ length: 100 }, (): Token => ['ab ', 17])
    const { frames } = await answered(tokens, 64)
    const counts = [...new Set(frames.map(({ usage }) => usage.completionTokens))]
    assert.deepEqual(counts, [0, STRICT_STEP_TOKENS, 2 * STRICT_STEP_TOKENS, 3 * STRICT_STEP_TOKENS, 100])
    assert.ok(frames.every(({ usage }) => usage.promptTokens === 7))
  })

  it('leaves three ticks between two steps and before the first, however fast the model is', async () => {
    const { frames } = await answered(
      Array.from({ length: 160 }, (): Token => ['ab ', 0]),
      64
    )
    const counts = frames.map(({ usage }) => usage.completionTokens)
    const steps = counts.flatMap((count, at) => (at > 0 && count > (counts[at - 1] ?? 0) ? [at] : []))
    assert.deepEqual(steps, [4, 8, 12, 16, 20])
  })

  it('leaves as much time before the first step, whenever the answer begins', () => {
    const harness = new Harness(16)
    harness.run(5_000)
    harness.writer.prompt(7, 0)
    harness.writer.text('x', STRICT_STEP_TOKENS)
    harness.run((STEP_TICKS - 1) * TICK_MS)
    assert.equal(harness.text, '')
    harness.run(TICK_MS)
    assert.equal(harness.text, 'x')
  })

  it('leaves as much time after a step that came late, and keeps to the grid', async () => {
    let late = 0
    const harness = new Harness(32, () => (late++ === 3 ? 250 : 0))
    harness.run(5_000)
    const beganMs = harness.time.nowMs()
    harness.writer.prompt(7, 0)
    Array.from({ length: 96 }, (_, at) => harness.writer.text('x', at + 1))
    const ended = harness.writer.end('stop', NEVER)
    harness.run(10_000)
    await ended
    const steps = harness.frames.filter(
      ({ usage }, at) => usage.completionTokens > (harness.frames[at - 1]?.usage.completionTokens ?? 0)
    )
    assert.deepEqual(
      steps.map(({ atMs }) => atMs - beganMs),
      [650, 1_000, 1_400]
    )
  })

  it('never sends text before the tokens it is made of are counted', async () => {
    const tokens = Array.from({ length: 70 }, (_, at): Token => [String.fromCharCode(97 + (at % 26)), 30])
    const { frames } = await answered(tokens, 64)
    let characters = 0
    for (const { text, usage } of frames) {
      characters += text.length
      assert.ok(characters <= usage.completionTokens)
    }
    assert.equal(characters, 70)
  })

  it('gives an answer that is longer than planned as long again, and again', async () => {
    for (const [tokens, ticks] of [
      [10, 16],
      [20, 32],
      [40, 64]
    ] as const) {
      const answer = Array.from({ length: tokens }, (): Token => ['x', 120])
      assert.equal((await answered(answer, 16)).frames.length, ticks)
    }
  })

  it('spreads a text that one frame cannot hold over the next ticks', async () => {
    const harness = await answered([['y'.repeat(1_200), 10]], 16)
    assert.deepEqual(
      harness.frames.map(({ text }) => text.length).filter(length => length > 0),
      [509, 509, 182]
    )
    assert.deepEqual(
      harness.trace,
      Array.from({ length: 16 }, (_, at) => [at * TICK_MS, 533])
    )
  })

  it('sends what waits at the next tick when the host waits for it', () => {
    const harness = new Harness(16)
    harness.writer.prompt(7, 0)
    harness.writer.text('early', 8)
    harness.run(TICK_MS)
    assert.equal(harness.text, '')
    harness.run((STEP_TICKS - 1) * TICK_MS)
    assert.equal(harness.text, '')
    harness.writer.flush()
    assert.equal(harness.text, '')
    harness.run(TICK_MS)
    assert.equal(harness.text, 'early')
    assert.equal(harness.writer.delivered.completionTokens, 8)
  })

  it('tells that the answer is complete before the padding is over', async () => {
    const { frames } = await answered([['a', 10]], 16)
    assert.equal(
      frames.findIndex(({ end }) => end === 'stop'),
      STEP_TICKS + 1
    )
    assert.equal(frames.length, 16)
  })

  it('keeps to the grid of its first frame when a tick comes late', async () => {
    let late = 0
    const harness = new Harness(16, () => (late++ === 3 ? 250 : 0))
    harness.writer.prompt(7, 0)
    const ended = harness.writer.end('stop', NEVER)
    harness.run(10_000)
    await ended
    assert.deepEqual(harness.trace.map(([atMs]) => atMs).slice(0, 9), [0, 100, 200, 300, 650, 650, 650, 700, 800])
    assert.equal(harness.frames.length, 16)
  })

  it('ends a cancelled answer at the next tick, without what was not sent', async () => {
    const cancel = new AbortController()
    const harness = new Harness(16)
    harness.writer.prompt(7, 0)
    harness.writer.text('lost', 4)
    cancel.abort()
    harness.writer.discard()
    const ended = harness.writer.end('cancelled', cancel.signal)
    harness.run(TICK_MS)
    await ended
    assert.equal(harness.text, '')
    assert.deepEqual(harness.frames.at(-1)?.final, true)
    assert.equal(harness.frames.length, 2)
    assert.equal(harness.writer.delivered.completionTokens, 0)
  })

  it('ends the padding of a complete answer when the client cancels', async () => {
    const cancel = new AbortController()
    const harness = new Harness(1_024)
    harness.writer.prompt(7, 0)
    const ended = harness.writer.end('stop', cancel.signal)
    harness.run(5 * TICK_MS)
    cancel.abort()
    harness.run(TICK_MS)
    await ended
    assert.equal(harness.frames.length, 7)
    assert.ok(harness.frames.at(-1)?.final)
  })

  it('sends nothing more once it is closed', () => {
    const harness = new Harness(16)
    harness.writer.prompt(7, 0)
    harness.writer.text('lost', 40)
    harness.writer.close()
    assert.equal(harness.time.waiting, 0)
    harness.run(5_000)
    assert.equal(harness.frames.length, 1)
  })
})

describe('the plan of a strict answer', () => {
  it('is a power of two that lasts for the limit at the measured speed, twice over', () => {
    const tokens = fc.integer({ min: 1, max: 8_192 })
    const request = fc.constantFrom(1_024, 4_096, 65_536)
    fc.assert(
      fc.property(tokens, request, fc.double({ min: 1, max: 5_000, noNaN: true }), (maxTokens, bytes, speed) => {
        const ticks = plannedTicks(maxTokens, bytes, speed)
        assert.ok(ticks >= 16 && ticks <= 4_096 && Number.isInteger(Math.log2(ticks)))
        const effective = Math.min(speed, (STRICT_STEP_TOKENS * 1_000) / TICK_MS / STEP_TICKS)
        assert.ok(ticks === 4_096 || ticks * TICK_MS >= (2 * maxTokens * 1_000) / effective - 1e-6)
        assert.ok(ticks === 16 || ticks * TICK_MS <= (4 * (maxTokens + bytes / 32) * 1_000) / effective + 1e-6)
      })
    )
  })

  it('is what the documents say', () => {
    assert.equal(plannedTicks(400, 1_024, 50), 256)
    assert.equal(plannedTicks(400, 1_024, 1_300), 128)
    assert.equal(plannedTicks(60, 1_024, 1_300), 32)
    assert.equal(plannedTicks(4_096, 1_024, 50), 2_048)
    assert.equal(plannedTicks(2 ** 32 - 1, 1_024, 50), 4_096)
  })
})
