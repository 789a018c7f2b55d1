import assert from 'node:assert/strict'
import { runFuzz } from './run-fuzz.ts'
import { sealTarget } from './seal-target.ts'

describe('fuzzed seals', () => {
  it('open only what was sealed, and say with a code what is wrong', async function () {
    this.timeout(120_000)
    const { outcomes } = await runFuzz(await sealTarget(), { seed: 20_261_122, from: 0, frames: 5_000 })
    for (const expected of [
      'request SEAL_OPEN_FAILED',
      'request SEAL_WRONG_RECIPIENT',
      'request SEAL_REQUEST_SIZE',
      'hostile-client SEAL_PADDING_INVALID',
      'hostile-client opened',
      'frames whole',
      'frames SEAL_FRAME_FORGED',
      'frames SEAL_FRAME_MISSING',
      'answer-stream whole',
      'hostile-enclave SEAL_PADDING_INVALID',
      'answer-event read end',
      'job-request read',
      'announcement read',
      'announcement MESSAGE_MALFORMED',
      'job-up read open',
      'job-down read chunk',
      'pipe whole'
    ]) {
      assert.ok(outcomes.has(expected), `${expected} not among ${[...outcomes.keys()].join(', ')}`)
    }
  })
})
