import assert from 'node:assert/strict'
import { ChannelTarget } from './channel-target.ts'
import { runFuzz } from './run-fuzz.ts'

describe('fuzzed channel protocol', () => {
  it('changes no balance, crashes nothing and keeps its memory', async function () {
    this.timeout(120_000)
    const { outcomes } = await runFuzz(await ChannelTarget.create(), { seed: 20_261_122, from: 0, frames: 6_000 })
    // The messages must get past the first check, and to every surface.
    const codes = [...outcomes.keys()]
    for (const expected of [
      'request state',
      'request MESSAGE_MALFORMED',
      'job CHANNEL_FOREIGN',
      'job done',
      'job VOUCHER_STALE',
      'reply CLOSE_ORDER_INVALID',
      'reply taken'
    ]) {
      assert.ok(codes.includes(expected), `${expected} not among ${codes.join(', ')}`)
    }
  })
})
