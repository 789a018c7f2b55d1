import assert from 'node:assert/strict'
import { anySignal, throwIfAborted } from '../../../src/core/abort.ts'
import {
  AttestationError,
  CancelledError,
  CocoonError,
  EnvironmentError,
  EXIT_CODES,
  errorCode,
  errorMessage,
  MoneyError,
  NetworkError,
  PeerError,
  UsageError,
  WireError
} from '../../../src/core/errors.ts'

describe('errors', () => {
  it('carry class, code, cause and details; only what concerns a peer may cross to one', () => {
    const cause = new Error('inner')
    const classes = {
      usage: UsageError,
      environment: EnvironmentError,
      network: NetworkError,
      peer: PeerError,
      attestation: AttestationError,
      money: MoneyError
    }
    for (const [errorClass, Class] of Object.entries(classes)) {
      const err = new Class('SOME_CODE', 'words', { cause, details: { n: 1n } })
      assert.deepEqual(
        { name: err.name, code: err.code, errorClass: err.errorClass, cause: err.cause, details: err.details },
        { name: Class.name, code: 'SOME_CODE', errorClass, cause, details: { n: 1n } }
      )
      assert.ok(err instanceof CocoonError)
      assert.equal(err instanceof WireError, errorClass === 'peer')
    }
    assert.equal('cause' in new UsageError('A', 'b'), false)
  })

  it('give every class an exit code of its own', () => {
    const codes = Object.values(EXIT_CODES)
    assert.equal(new Set(codes).size, codes.length)
    assert.ok(!codes.includes(0))
  })

  it('tell code and message of anything thrown', () => {
    assert.equal(errorCode(new CancelledError()), 'CANCELLED')
    assert.equal(errorCode(Object.assign(new Error('x'), { code: 'ENOENT' })), 'ENOENT')
    for (const thrown of [undefined, null, 'text', 7, {}, { code: 7 }]) {
      assert.equal(errorCode(thrown), undefined)
    }
    assert.equal(errorMessage(new Error('words')), 'words')
    assert.equal(errorMessage(undefined), 'undefined')
  })
})

describe('abort', () => {
  it('throws CANCELLED with the reason as its cause', () => {
    const reason = new Error('why')
    assert.throws(() => throwIfAborted(AbortSignal.abort(reason)), { code: 'CANCELLED', cause: reason })
    throwIfAborted(new AbortController().signal)
    throwIfAborted(undefined)
  })

  it('joins the signals that are there', () => {
    const one = new AbortController()
    const joined = anySignal(undefined, one.signal)
    assert.equal(joined.aborted, false)
    one.abort()
    assert.equal(joined.aborted, true)
    assert.equal(anySignal(undefined).aborted, false)
  })
})
