import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { reportData } from '../../../src/attest/index.ts'
import { STATEMENT } from './fixtures.ts'

const statement = new TextEncoder().encode('{"any":"bytes"}')

describe('report data', () => {
  it('binds the statement and its beacon, byte by byte as documented', () => {
    const beacon = Buffer.concat([
      Buffer.from('beacon'),
      Buffer.from('fffffffd000003e8', 'hex'),
      Buffer.alloc(32, 0xee)
    ])
    const expected = Buffer.concat([
      createHash('sha256').update('cocoon/rd/v1{"any":"bytes"}').digest(),
      createHash('sha256').update(beacon).digest()
    ])
    assert.deepEqual(Buffer.from(reportData(statement, STATEMENT.beacon)), expected)
  })

  it('carries a challenge as it is', () => {
    const challenge = new Uint8Array(32).fill(9)
    const data = reportData(statement, challenge)
    assert.deepEqual(data.subarray(32), challenge)
    assert.deepEqual(data.subarray(0, 32), reportData(statement, STATEMENT.beacon).subarray(0, 32))
    assert.throws(() => reportData(statement, new Uint8Array(31)), RangeError)
  })

  it('differs for another network, height or block', () => {
    const { beacon } = STATEMENT
    const others = [
      { ...beacon, globalId: -239 },
      { ...beacon, height: 1001 },
      { ...beacon, hash: 'ef'.repeat(32) }
    ]
    const all = [beacon, ...others].map(b => Buffer.from(reportData(statement, b)).toString('hex'))
    assert.equal(new Set(all).size, 4)
  })
})
