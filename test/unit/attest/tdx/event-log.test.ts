import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { parseEventLog, replayEventLog, verifyEventLog } from '../../../../src/attest/tdx/event-log.ts'
import { parseQuote } from '../../../../src/attest/tdx/quote.ts'
import { tdReportOf } from '../../../../src/attest/tdx/td-report.ts'
import { AttestationError } from '../../../../src/core/errors.ts'
import { sharedPath } from '../../../support/shared-data.ts'

const SHA384 = 0x0c
const INVALID = { code: 'ATTESTATION_EVENT_LOG_INVALID' }

function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, i) => bytes.writeUInt32LE(value, i * 4))
  return bytes
}

function header(algorithms: ReadonlyArray<[number, number]> = [[SHA384, 48]], signature = 'Spec ID Event03\0'): Buffer {
  const list = algorithms.map(pair => {
    const bytes = Buffer.alloc(4)
    pair.forEach((value, i) => bytes.writeUInt16LE(value, i * 2))
    return bytes
  })
  const event = Buffer.concat([Buffer.from(signature), Buffer.alloc(8), u32(list.length), ...list, Buffer.alloc(1)])
  return Buffer.concat([u32(1, 3), Buffer.alloc(20), u32(event.length), event])
}

function event(index: number, data: string, type = 1): Buffer {
  const digest = createHash('sha384').update(data).digest()
  return Buffer.concat([u32(index, type, 1), Buffer.from([SHA384, 0]), digest, u32(data.length), Buffer.from(data)])
}

const log = Buffer.concat([header(), event(1, 'a'), event(2, 'b'), event(0, 'c'), event(4, 'd'), event(1, 'e')])

function extend(...all: string[]): Buffer {
  return all.reduce(
    (register, data) =>
      createHash('sha384').update(register).update(createHash('sha384').update(data).digest()).digest(),
    Buffer.alloc(48)
  )
}

describe('an event log', () => {
  it('is replayed to what its registers hold', () => {
    const registers = replayEventLog(parseEventLog(log)).map(register => Buffer.from(register))
    assert.deepEqual(registers, [extend('a', 'e'), extend('b'), extend(), extend('d')])
  })

  it('leaves registers alone with events that only inform', () => {
    const events = parseEventLog(Buffer.concat([header(), event(1, 'a', 3)]))
    assert.deepEqual(Buffer.from(replayEventLog(events)[0] ?? []), Buffer.alloc(48))
  })

  it('ends with the bytes, with zeros or with erased memory, and not before', () => {
    for (const rest of [Buffer.alloc(100), Buffer.alloc(101, 0xff)]) {
      assert.equal(parseEventLog(Buffer.concat([log, rest])).length, 5)
      assert.throws(() => parseEventLog(Buffer.concat([log, rest, event(1, 'x')])), INVALID)
    }
  })

  it('says whether a digest is the digest of what stands beside it', () => {
    const forged = Buffer.from(log)
    forged.writeUInt8(0x7a, forged.length - 1)
    assert.deepEqual(
      [log, forged].map(bytes => parseEventLog(bytes).map(({ bindsData }) => bindsData)),
      [
        [true, true, true, true, true],
        [true, true, true, true, false]
      ]
    )
  })

  describe('is refused with', () => {
    const cases: Record<string, Buffer> = {
      'another signature': header([[SHA384, 48]], 'Spec ID Event02\0'),
      'no digests': header([]),
      'no SHA-384': header([[0x0b, 32]]),
      'a digest twice': header([
        [SHA384, 48],
        [SHA384, 48]
      ]),
      'a digest of another size': header([[SHA384, 47]]),
      'a digest that is unknown': header([
        [SHA384, 48],
        [0x12, 32]
      ]),
      'five digests': header([4, 0xb, SHA384, 0xd, 0xe].map(id => [id, 48])),
      'a register 5': Buffer.concat([header(), event(5, 'a')]),
      'a cut event': log.subarray(0, -1),
      'another number of digests': Buffer.concat([header(), u32(1, 1, 2)]),
      'an event without digests': Buffer.concat([header(), u32(1, 1, 0, 0)]),
      'a huge event': Buffer.concat([header(), event(1, 'a').subarray(0, -5), u32(0x8000_0000)])
    }
    for (const [what, bytes] of Object.entries(cases)) {
      it(what, () => assert.throws(() => parseEventLog(bytes), INVALID))
    }

    it('more than half a mebibyte', () =>
      assert.throws(() => parseEventLog(Buffer.alloc(512 * 1024 + 1)), { code: 'ATTESTATION_EVENT_LOG_TOO_LARGE' }))

    it('more than 4,096 events', () => {
      const many = Buffer.concat([header(), ...Array.from({ length: 4097 }, () => event(1, ''))])
      assert.throws(() => parseEventLog(many), INVALID)
    })
  })

  it('never makes anything but a coded refusal of any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), bytes => {
        try {
          parseEventLog(Buffer.concat([header(), bytes]))
        } catch (err) {
          assert.ok(err instanceof AttestationError)
        }
      })
    )
  })

  describe('recorded on Google Cloud', () => {
    const folder = sharedPath('vectors', 'attestation', 'tdx')
    const read = (name: string): Buffer => readFileSync(`${folder ?? ''}/google-cos113-${name}`)

    before(function () {
      if (folder === undefined) {
        this.skip()
      }
    })

    it('gives the four registers of its quote with 43 events', () => {
      const td = tdReportOf(parseQuote(read('tdx.quote.bin')))
      assert.ok(td)
      assert.equal(verifyEventLog(read('ccel.first18432.bin'), td).length, 43)
      assert.deepEqual(Buffer.from(td.reportData), read('nonce.bin'))
    })

    it('is refused without an event, with one digest changed, and with another order', () => {
      const td = tdReportOf(parseQuote(read('tdx.quote.bin')))
      const bytes = read('ccel.first18432.bin')
      const [first] = parseEventLog(bytes)
      assert.ok(td && first)
      const flipped = Buffer.from(bytes)
      const at = bytes.indexOf(first.digest)
      flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at)
      assert.throws(() => verifyEventLog(flipped, td), { code: 'ATTESTATION_EVENT_LOG_MISMATCH' })
      for (const register of td.rtmrs.keys()) {
        if (register === 3) {
          continue
        }
        const moved = Buffer.from(bytes)
        const event0 = parseEventLog(bytes).find(({ rtmr }) => rtmr === register)
        moved.writeUInt32LE(4, bytes.indexOf(event0?.digest ?? '') - 14)
        assert.throws(() => verifyEventLog(moved, td), { code: 'ATTESTATION_EVENT_LOG_MISMATCH' })
      }
      const rtmrs = [...td.rtmrs.slice(0, 3), new Uint8Array(48).fill(1)] as unknown as typeof td.rtmrs
      assert.throws(() => verifyEventLog(bytes, { rtmrs }), { code: 'ATTESTATION_EVENT_LOG_MISMATCH' })
    })
  })
})
