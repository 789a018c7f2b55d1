import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MAX_QUOTE_BYTES, parseQuote } from '../../../../src/attest/tdx/quote.ts'
import { verifyTdxQuote } from '../../../../src/attest/tdx/verify.ts'
import { AttestationError } from '../../../../src/core/errors.ts'
import { attestationCases } from '../../../attest-diff/attestation-cases.ts'
import { mutatedCase } from '../../../attest-diff/mutated-case.ts'
import { ourVerdict } from '../../../attest-diff/our-verdict.ts'
import { madePlatform } from './made-platform.ts'

const made = madePlatform()
const quote = Buffer.from(made.quote)
/** Where the size of the signature data, of the certification data, of the QE's data and of the chain stand. */
const SIZES = {
  signature: 632,
  certification: 632 + 4 + 128 + 2,
  qeData: 636 + 128 + 6 + 448,
  chain: 636 + 128 + 6 + 484
}

function changed(change: (copy: Buffer) => Buffer | void): Buffer {
  const copy = Buffer.from(quote)
  return change(copy) ?? copy
}

describe('a quote', () => {
  it('is taken apart where its sizes say', () => {
    const parsed = parseQuote(quote)
    assert.equal(parsed.body.kind, 'td10')
    assert.equal(parsed.signedBytes.length, 632)
    assert.equal(Buffer.from(parsed.qeAuthData).toString(), 'authentication data of the QE..!')
    assert.ok(Buffer.from(parsed.pckChain).toString().startsWith('-----BEGIN CERTIFICATE-----\n'))
  })

  it('is copied: whoever changes the bytes later does not change what was verified', () => {
    const bytes = Uint8Array.from(quote)
    const { mrTd } = verifyTdxQuote({ ...made, quote: bytes })
    bytes.fill(0xff)
    assert.deepEqual(mrTd, new Uint8Array(48))
  })

  it('may be followed by zeros up to its largest size, and by nothing else', () => {
    const padded = Buffer.alloc(MAX_QUOTE_BYTES)
    quote.copy(padded)
    assert.deepEqual(parseQuote(padded), parseQuote(quote))
    padded.writeUInt8(1, MAX_QUOTE_BYTES - 1)
    assert.throws(() => parseQuote(padded), { code: 'ATTESTATION_QUOTE_TRAILING_BYTES' })
    assert.throws(() => parseQuote(Buffer.alloc(MAX_QUOTE_BYTES + 1)), { code: 'ATTESTATION_QUOTE_TOO_LARGE' })
  })

  it('is refused wherever it is cut off', () => {
    for (let length = 0; length < quote.length; length += length < 1300 ? 1 : 37) {
      assert.throws(() => parseQuote(quote.subarray(0, length)), { code: 'ATTESTATION_QUOTE_INVALID' }, `${length}`)
    }
  })

  describe('is refused with', () => {
    for (const [name, at] of Object.entries(SIZES)) {
      for (const by of [-1, 1, 4, 0x7fff]) {
        it(`a size of its ${name} that is off by ${by}`, () => {
          const bytes = changed(copy => {
            if (name === 'qeData') {
              copy.writeUInt16LE((copy.readUInt16LE(at) + by) & 0xffff, at)
            } else {
              copy.writeUInt32LE(copy.readUInt32LE(at) + by, at)
            }
          })
          assert.throws(() => parseQuote(bytes), /^AttestationError: A quote/)
        })
      }
    }

    it('certification data of another type', () => {
      for (const [at, type] of [
        [SIZES.certification - 2, 5],
        [SIZES.chain - 2, 6],
        [SIZES.chain - 2, 1]
      ] as const) {
        const bytes = changed(copy => void copy.writeUInt16LE(type, at))
        assert.throws(() => parseQuote(bytes), { code: 'ATTESTATION_QUOTE_UNSUPPORTED' })
      }
    })

    it('a body of another type or size', () => {
      const five = Buffer.from(madePlatform({ version: 5 }).quote)
      for (const [type, size, code] of [
        [1, 384, 'UNSUPPORTED'],
        [4, 648, 'UNSUPPORTED'],
        [2, 648, 'INVALID'],
        [3, 584, 'INVALID']
      ] as const) {
        const bytes = Buffer.from(five)
        bytes.writeUInt16LE(type, 48)
        bytes.writeUInt32LE(size, 50)
        assert.throws(() => parseQuote(bytes), { code: `ATTESTATION_QUOTE_${code}` })
      }
    })
  })

  it('never makes anything but a coded refusal of any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), fc.integer({ min: 3, max: 5 }), (bytes, version) => {
        const head = Buffer.alloc(48)
        quote.copy(head, 0, 0, 48)
        head.writeUInt16LE(version, 0)
        head.writeUInt32LE(version === 3 ? 0 : 0x81, 4)
        for (const given of [bytes, Buffer.concat([head, bytes])]) {
          assert.throws(() => parseQuote(given), AttestationError)
        }
      })
    )
  })

  it('damaged anyhow, together with its collateral, is judged or refused with a code', function () {
    const cases = attestationCases()
    if (cases === undefined) {
      this.skip()
    }
    const seen = new Set<string>()
    for (let index = 0; index < 500; index++) {
      seen.add(ourVerdict(mutatedCase(cases, 20_261_122, index).given))
    }
    assert.ok(seen.size > 12, [...seen].join())
  })
})
