import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nanoTon } from '../../../../src/core/nano-ton.ts'
import {
  decodeWatchFile,
  encodeWatchFile,
  WATCH_FILE_BYTES,
  type WatchVoucher
} from '../../../../src/payments/watch/watch-file.ts'

const VOUCHER: WatchVoucher = {
  globalId: -239,
  channel: `0:${'3f'.repeat(32)}`,
  openedLt: 46_000_000_000_001n,
  cumulative: nanoTon(123_456_789n),
  signature: new Uint8Array(64).fill(7)
}

const GOLDEN = `cocoon-voucher 1
network -239
channel 0:${'3f'.repeat(32)}
opened 46000000000001
amount 123456789
signature ${'07'.repeat(64)}
check 0000000000000000
`

const invalid = (text: string): void => {
  assert.throws(() => decodeWatchFile(text), { code: 'VOUCHER_FILE_INVALID', errorClass: 'usage' }, text)
}

describe('a voucher as a file', () => {
  it('is the text that it always was', () => {
    const text = encodeWatchFile(VOUCHER)
    assert.equal(text.replace(/check .*/, 'check 0000000000000000'), GOLDEN)
    assert.match(text, /\ncheck cd6626d2909019a3\n$/)
    assert.ok(text.length < WATCH_FILE_BYTES)
  })

  it('comes back whole, also with the line ends of other systems', () => {
    const voucher = fc.record({
      globalId: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      channel: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(hash => `0:${Buffer.from(hash).toString('hex')}`),
      openedLt: fc.bigInt({ min: 1n, max: (1n << 64n) - 1n }),
      cumulative: fc.bigInt({ min: 0n, max: (1n << 120n) - 1n }).map(nanoTon),
      signature: fc.uint8Array({ minLength: 64, maxLength: 64 })
    })
    fc.assert(
      fc.property(voucher, fc.constantFrom('\n', '\r\n', '\r'), fc.constantFrom('', '\n\n'), (one, end, tail) => {
        const text = `${encodeWatchFile(one)}${tail}`.replaceAll('\n', end)
        const { signature, ...fields } = decodeWatchFile(text)
        assert.deepEqual({ ...fields, signature: new Uint8Array(signature) }, { ...one })
      })
    )
  })

  it('is refused if a single character is not what was written', () => {
    const text = encodeWatchFile(VOUCHER)
    for (let at = 0; at < text.length - 1; at++) {
      for (const other of ['0', '9', 'x', ' ', '\n']) {
        const changed = `${text.slice(0, at)}${other}${text.slice(at + 1)}`
        if (changed !== text) {
          invalid(changed)
        }
      }
    }
  })

  it('is refused if it was cut, continued, or is something else', () => {
    const text = encodeWatchFile(VOUCHER)
    for (let length = 0; length < text.length - 1; length++) {
      invalid(text.slice(0, length))
    }
    for (const other of [
      '',
      '{}',
      `${text}more`,
      `${text}${text}`,
      `\n${text}`,
      text.replace('voucher 1', 'voucher 2')
    ]) {
      invalid(other)
    }
    fc.assert(fc.property(fc.string({ maxLength: 600 }), invalid))
  })
})
