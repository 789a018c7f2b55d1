import assert from 'node:assert/strict'
import {
  AttestationError,
  CocoonError,
  EnvironmentError,
  PeerError,
  UsageError,
  WireError
} from '../../../src/core/errors.ts'
import { fromFault, toFault, toJobFault } from '../../../src/enclave/wire-fault.ts'

describe('faults over the pipe', () => {
  it('keep code, message and class of what is known to hold no content', () => {
    const err = fromFault(toFault(new EnvironmentError('MODEL_TRUNCATED', '/m.gguf has 3 bytes')))
    assert.equal(err.code, 'MODEL_TRUNCATED')
    assert.equal(err.message, '/m.gguf has 3 bytes')
    assert.ok(err instanceof EnvironmentError)
  })

  it('let no other message through', () => {
    for (const err of [
      new Error('secret words'),
      new TypeError('secret words'),
      'secret words',
      new CocoonError('internal', 'SOMETHING_ELSE', 'secret words'),
      new AttestationError('RECEIPT_INVALID', 'secret words'),
      Object.assign(new Error('secret words'), { code: 'MODEL_NOT_FOUND' })
    ]) {
      const fault = toFault(err)
      assert.equal(fault.code, 'ENCLAVE_FAILED')
      assert.ok(!JSON.stringify(fault).includes('secret'))
    }
  })

  it('make what a job did wrong safe to send to its client, and nothing else', () => {
    assert.ok(fromFault(toJobFault(new UsageError('PROMPT_TOO_LONG', '9 tokens'))) instanceof WireError)
    assert.ok(fromFault(toJobFault(new PeerError('SEAL_REPLAYED', 'again'))) instanceof WireError)
    assert.ok(!(fromFault(toJobFault(new EnvironmentError('INFERENCE_FAILED', 'memory'))) instanceof WireError))
    assert.ok(!(fromFault(toJobFault(new Error('x'))) instanceof WireError))
  })
})
