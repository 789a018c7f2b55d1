import assert from 'node:assert/strict'
import { parseOpaqueData } from '../../../../src/attest/nvidia/opaque-data.ts'
import { parseGpuReport } from '../../../../src/attest/nvidia/report.ts'
import { toHex } from '../../../../src/core/bytes.ts'

const REQUEST = '11e001ff'
const NONCE = 'aa'.repeat(32)

function field(type: number, hex: string): string {
  const header = Buffer.alloc(4)
  header.writeUInt16LE(type, 0)
  header.writeUInt16LE(hex.length / 2, 2)
  return header.toString('hex') + hex
}

function ascii(text: string, zeros = 1): string {
  return Buffer.from(text + '\0'.repeat(zeros)).toString('hex')
}

const FIELDS: Readonly<Record<number, string>> = {
  3: ascii('550.90.07'),
  6: '009f009601000000',
  15: ascii('882', 6),
  17: ascii('1010'),
  18: ascii('0200')
}

function opaque(changes: Readonly<Record<number, string>> = {}): string {
  return Object.entries({ ...FIELDS, ...changes })
    .map(([type, hex]) => field(Number(type), hex))
    .join('')
}

function block(index: number, byte: number): string {
  return `${Buffer.from([index]).toString('hex')}013300013000${Buffer.alloc(48, byte).toString('hex')}`
}

interface Parts {
  header?: string
  slot?: string
  response?: string
  count?: number
  record?: string
  recordBytes?: number
  fields?: string
  fieldBytes?: number
  tail?: string
}

function report(parts: Parts = {}): Uint8Array {
  const {
    header = REQUEST,
    slot = '00',
    response = '11600000',
    record = block(1, 1) + block(2, 2),
    fields = opaque()
  } = parts
  const { count = 2, recordBytes = record.length / 2, fieldBytes = fields.length / 2, tail = 'cc'.repeat(96) } = parts
  const numbers = Buffer.alloc(6)
  numbers.writeUInt8(count, 0)
  numbers.writeUIntLE(recordBytes, 1, 3)
  numbers.writeUInt16LE(fieldBytes, 4)
  const [blocks, opaqueLength] = [numbers.toString('hex', 0, 4), numbers.toString('hex', 4)]
  const hex = [header, NONCE, slot, response, blocks, record, 'bb'.repeat(32), opaqueLength, fields, tail].join('')
  return Buffer.from(hex, 'hex')
}

describe('the layout of GPU reports', () => {
  it('reads nonce, measurements, fields, and what was signed', () => {
    const bytes = report()
    const read = parseGpuReport(bytes)
    assert.equal(toHex(read.nonce), NONCE)
    assert.deepEqual(read.measurements.map(toHex), ['01'.repeat(48), '02'.repeat(48)])
    assert.deepEqual(read.fields, {
      driverVersion: '550.90.07',
      vbiosVersion: '96.00.9F.00.01',
      project: '1010',
      projectSku: '0200',
      chipSku: '882',
      firmwareId: undefined
    })
    assert.equal(toHex(read.signedBody), toHex(bytes.subarray(0, -96)))
    assert.equal(toHex(read.signature), 'cc'.repeat(96))
  })

  it('refuses other sizes', () => {
    for (const bytes of [new Uint8Array(0), new Uint8Array(174), new Uint8Array(16 * 1024 + 1)]) {
      assert.throws(() => parseGpuReport(bytes), { code: 'ATTESTATION_GPU_REPORT_SIZE' })
    }
  })

  it('refuses every part that is not as it must be', () => {
    const first = block(1, 1)
    const at = (offset: number, hex: string): string =>
      first.slice(0, offset * 2) + hex + first.slice(offset * 2 + hex.length)
    const wrong: Record<string, Parts> = {
      'SPDM version': { header: '12e001ff' },
      'request code': { header: '11e101ff' },
      unsigned: { header: '11e000ff' },
      'one measurement': { header: '11e00101' },
      slot: { slot: '01' },
      'response version': { response: '12600000' },
      'response code': { response: '117f0000' },
      'response slot': { response: '11600001' },
      'no measurements': { count: 0, record: '' },
      'fewer measurements than said': { count: 3 },
      'more measurements than said': { count: 1 },
      'record longer than said': { recordBytes: 109 },
      'record shorter than said': { recordBytes: 111 },
      'record beyond the end': { recordBytes: 0xffffff },
      'fields shorter than said': { fieldBytes: 200 },
      'fields longer than said': { fieldBytes: 1 },
      'short signature': { tail: 'cc'.repeat(95) },
      'long signature': { tail: 'cc'.repeat(97) },
      'index twice': { record: first + first },
      'index from zero': { record: block(0, 1) + block(1, 1) },
      specification: { record: at(1, '02') + block(2, 2) },
      'block size': { record: at(2, '3400') + block(2, 2) },
      'raw measurement': { record: at(4, '81') + block(2, 2) },
      'other kind of measurement': { record: at(4, '00') + block(2, 2) },
      'digest size': { record: at(5, '2000') + block(2, 2) }
    }
    for (const [what, parts] of Object.entries(wrong)) {
      assert.throws(() => parseGpuReport(report(parts)), { code: 'ATTESTATION_GPU_REPORT_INVALID' }, what)
    }
  })

  it('refuses fields that are missing, malformed, twice or cut off', () => {
    const invalid = 'ATTESTATION_GPU_REPORT_INVALID'
    const wrong: Record<string, string> = {
      'no fields': '',
      'driver twice': opaque() + field(3, ascii('1')),
      'text without end': opaque({ 3: Buffer.from('550').toString('hex') }),
      'text with more after its end': opaque({ 3: ascii('550\0x') }),
      'empty text': opaque({ 3: '00' }),
      'text that is no version': opaque({ 3: ascii('550 90') }),
      'long text': opaque({ 3: ascii('5'.repeat(32)) }),
      'VBIOS of 7 bytes': opaque({ 6: '009f0096010000' }),
      'VBIOS with a tail': opaque({ 6: '009f009601000001' }),
      'firmware id of 47 bytes': opaque({ 20: 'ee'.repeat(47) }),
      'header cut off': `${opaque()}030000`,
      'value cut off': `${opaque()}04000900aa`
    }
    for (const type of Object.keys(FIELDS)) {
      const { [Number(type)]: _, ...others } = FIELDS
      wrong[`no field ${type}`] = Object.entries(others)
        .map(([other, hex]) => field(Number(other), hex))
        .join('')
    }
    for (const [what, hex] of Object.entries(wrong)) {
      assert.throws(() => parseOpaqueData(Buffer.from(hex, 'hex')), { code: invalid }, what)
    }
    assert.equal(parseOpaqueData(Buffer.from(opaque({ 20: 'ee'.repeat(48) }), 'hex')).firmwareId?.length, 48)
  })

  it('refuses a field that it does not know', () => {
    for (const type of [0, 26, 31, 33, 255, 0x0103]) {
      assert.throws(() => parseOpaqueData(Buffer.from(opaque() + field(type, 'aa'), 'hex')), {
        code: 'ATTESTATION_GPU_FIELD_UNKNOWN'
      })
    }
  })
})
