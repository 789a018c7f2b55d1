import assert from 'node:assert/strict'
import { exitCodeOf, renderError, showError } from '../../../src/cli/errors.ts'
import { CocoonError, type ErrorClass, EXIT_CODES, MoneyError } from '../../../src/core/errors.ts'

describe('errors as a user sees them', () => {
  for (const [errorClass, code] of Object.entries(EXIT_CODES)) {
    it(`exit with ${code} for the class ${errorClass}`, () => {
      assert.equal(exitCodeOf(new CocoonError(errorClass as ErrorClass, 'X', 'x')), code)
    })
  }

  it('are one line of code and message', () => {
    const err = new MoneyError('NO_MONEY', 'nothing\nleft \u001b[31m')
    assert.equal(renderError(err, { json: false, debug: false }), 'error NO_MONEY: nothing left \ufffd[31m\n')
  })

  it('are one object with --json, amounts as text', () => {
    const err = new MoneyError('NO_MONEY', 'nothing left', { details: { balance: 5n, none: undefined } })
    assert.deepEqual(JSON.parse(renderError(err, { json: true, debug: false })), {
      error: { code: 'NO_MONEY', class: 'money', message: 'nothing left', details: { balance: '5' } }
    })
  })

  it('are of the class internal when nobody threw them on purpose', () => {
    for (const thrown of [new TypeError('x is not a function'), 'text', undefined, null]) {
      assert.equal(showError(thrown).code, 'INTERNAL')
      assert.equal(exitCodeOf(thrown), 1)
    }
  })

  it('show a stack and the causes only when debugging', () => {
    const err = new MoneyError('NO_MONEY', 'nothing left', { cause: new RangeError('the cause') })
    assert.doesNotMatch(renderError(err, { json: false, debug: false }), / at |the cause/)
    assert.match(renderError(err, { json: false, debug: true }), /errors\.test[\s\S]*caused by RangeError: the cause/)
  })
})
