import assert from 'node:assert/strict'
import fc from 'fast-check'
import { safeLine, safeText } from '../../../src/cli/terminal-text.ts'

describe('text of strangers on a terminal', () => {
  it('holds no control character but line feed and tab, whatever it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.nat({ max: 0xffff }).map(code => String.fromCharCode(code)) }), text => {
        assert.doesNotMatch(safeText(text), /(?![\t\n])[\p{Cc}\u202a-\u202e\u2066-\u2069]/u)
      })
    )
  })

  it('is left alone where it is harmless', () => {
    assert.equal(safeText('Grüße,\n\t世界 👋🏽 مرحبا'), 'Grüße,\n\t世界 👋🏽 مرحبا')
  })

  it('cannot move the cursor or set a title', () => {
    assert.equal(safeText('a\u001b[2Jb\u001b]0;x\u0007\u009b31m'), 'a\ufffd[2Jb\ufffd]0;x\ufffd\ufffd31m')
  })

  it('is one line of limited length where a line is wanted', () => {
    assert.equal(safeLine('  a \n\n b\tc\r\nd '), 'a b c d')
    assert.equal(safeLine('abcdef', 4), 'abc…')
  })
})
