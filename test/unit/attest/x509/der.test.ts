import assert from 'node:assert/strict'
import fc from 'fast-check'
import { DerFault, DerReader, readWhole, TAG } from '../../../../src/attest/x509/der.ts'
import {
  readBitStringBytes,
  readBoolean,
  readInteger,
  readNamedBits,
  readOid,
  readSmallInteger,
  readTime
} from '../../../../src/attest/x509/der-values.ts'
import { bits, bool, der, int, oid, seq, time } from './der-writer.ts'

const of = (...bytes: number[]): DerReader => new DerReader(Uint8Array.from(bytes))
const text = (tag: number, content: string): DerReader => new DerReader(der(tag, Buffer.from(content)))

describe('DER', () => {
  describe('refuses', () => {
    const elements: Record<string, number[]> = {
      'an indefinite length': [0x30, 0x80, 0x00, 0x00],
      'a length of one byte written with two': [0x04, 0x81, 0x01, 0xaa],
      'a length of two bytes written with three': [0x04, 0x82, 0x00, 0x80, ...new Uint8Array(128)],
      'a length of four bytes': [0x04, 0x84, 0x00, 0x00, 0x00, 0x01, 0xaa],
      'more content than there is': [0x04, 0x02, 0xaa],
      'a tag of several bytes': [0x1f, 0x81, 0x01, 0x00],
      'a cut tag': [],
      'a cut length': [0x04],
      'a cut long length': [0x04, 0x82, 0x01]
    }
    for (const [what, bytes] of Object.entries(elements)) {
      it(what, () => assert.throws(() => of(...bytes).readAny('it'), DerFault))
    }

    const values: Record<string, () => unknown> = {
      'bytes after the whole': () => readWhole(Uint8Array.from([0x30, 0x00, 0x00]), TAG.sequence, 'it', () => 0),
      'bytes after the content': () => readWhole(seq(int(1), int(2)), TAG.sequence, 'it', r => readInteger(r, 'it')),
      'another tag': () => of(0x04, 0x00).read(TAG.sequence, 'it'),
      'a boolean of 1': () => readBoolean(of(0x01, 0x01, 0x01), 'it'),
      'a boolean of two bytes': () => readBoolean(of(0x01, 0x02, 0xff, 0xff), 'it'),
      'an integer without bytes': () => readInteger(of(0x02, 0x00), 'it'),
      'an integer with a needless zero': () => readInteger(of(0x02, 0x02, 0x00, 0x7f), 'it'),
      'an integer with a needless sign': () => readInteger(of(0x02, 0x02, 0xff, 0x80), 'it'),
      'a small integer that is negative': () => readSmallInteger(of(0x02, 0x01, 0x80), 'it'),
      'a small integer that is large': () => readSmallInteger(of(0x02, 0x05, 0x00, 0x80, 0x00, 0x00, 0x00), 'it'),
      'an empty object identifier': () => readOid(of(0x06, 0x00), 'it'),
      'an object identifier that does not end': () => readOid(of(0x06, 0x02, 0x2a, 0x86), 'it'),
      'an object identifier with a needless byte': () => readOid(of(0x06, 0x03, 0x2a, 0x80, 0x01), 'it'),
      'an object identifier with a huge number': () =>
        readOid(of(0x06, 0x07, 0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), 'it'),
      'a signature with unused bits': () => readBitStringBytes(new DerReader(bits([0x80], 7)), 'it'),
      'an empty bit string': () => readBitStringBytes(of(0x03, 0x00), 'it'),
      'named bits that set an unused one': () => readNamedBits(new DerReader(bits([0x81], 7)), 'it'),
      'named bits with eight unused ones': () => readNamedBits(new DerReader(bits([0x80], 8)), 'it'),
      'a short time without seconds': () => readTime(text(TAG.utcTime, '2601010000Z'), 'it'),
      'a short time with an offset': () => readTime(text(TAG.utcTime, '260101000000+0000'), 'it'),
      'a long time with a fraction': () => readTime(text(TAG.generalizedTime, '20600101000000.5Z'), 'it'),
      'a 30th of February': () => readTime(text(TAG.utcTime, '260230000000Z'), 'it'),
      'a 24th hour': () => readTime(text(TAG.utcTime, '260101240000Z'), 'it'),
      'a time of another type': () => readTime(text(TAG.octetString, '260101000000Z'), 'it')
    }
    for (const [what, read] of Object.entries(values)) {
      it(what, () => assert.throws(read, DerFault))
    }
  })

  it('reads back what is written', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0x7fff_ffff }),
        fc.boolean(),
        fc.array(fc.integer({ min: 0, max: 0xffff_ffff }), { maxLength: 6 }),
        fc.integer({ min: Date.UTC(1950, 0, 1) / 1000, max: Date.UTC(2999, 0, 1) / 1000 }),
        (number, truth, arcs, seconds) => {
          const id = ['1.2', ...arcs].join('.')
          const reader = new DerReader(seq(int(number), bool(truth), oid(id), time(seconds * 1000)))
          reader.nested(TAG.sequence, 'it', fields => {
            assert.equal(readSmallInteger(fields, 'it'), number)
            assert.equal(readBoolean(fields, 'it'), truth)
            assert.equal(readOid(fields, 'it'), id)
            assert.equal(readTime(fields, 'it'), seconds * 1000)
          })
        }
      )
    )
  })

  it('counts named bits from the highest, with or without zeros at the end', () => {
    assert.deepEqual([...readNamedBits(new DerReader(bits([0x06], 1)), 'it')], [5, 6])
    assert.deepEqual([...readNamedBits(new DerReader(bits([0x04], 0)), 'it')], [5])
    assert.deepEqual([...readNamedBits(new DerReader(bits([0x80, 0x80], 7)), 'it')], [0, 8])
  })
})
