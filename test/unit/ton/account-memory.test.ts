import assert from 'node:assert/strict'
import { beginCell } from '@ton/core'
import fc from 'fast-check'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import {
  AccountMemory,
  addWitness,
  compareAccount,
  type SeenAccount,
  seenAccount,
  witnesses
} from '../../../src/ton/account-memory.ts'
import type { ShownAccount } from '../../../src/ton/toncenter-answers.ts'

const START: ShownAccount = {
  balance: nanoTon(1_000n),
  state: 'active',
  code: beginCell().storeUint(1, 8).endCell(),
  data: beginCell().storeUint(2, 8).endCell(),
  lastLt: 500n,
  lastHash: 'aa'.repeat(32),
  block: { seqno: 100, rootHash: 'bb'.repeat(32) },
  utime: 1_800_000_000
}

function at(seqno: number, utime: number, change: Partial<ShownAccount> = {}): ShownAccount {
  return { ...START, block: { seqno, rootHash: 'bb'.repeat(32) }, utime, ...change }
}

describe('compareAccount', () => {
  const seen = seenAccount(START)
  const gone = { lastLt: 0n, lastHash: '00'.repeat(32), state: 'uninitialized' as const, balance: nanoTon(0n) }

  it('takes the same state of a later block, or of one a few seconds earlier, for the same', () => {
    assert.equal(compareAccount(seen, START), 'same')
    assert.equal(compareAccount(seen, at(200, START.utime + 60)), 'same')
    assert.equal(compareAccount(seen, at(90, START.utime - 10)), 'same')
  })

  it('P53 takes for older what an older block shows, and what is unclear', () => {
    assert.equal(compareAccount(seen, at(50, START.utime - 11)), 'older')
    assert.equal(compareAccount(seen, at(99, START.utime, { lastLt: 400n })), 'older')
    assert.equal(compareAccount(seen, at(101, START.utime + 1, { lastLt: 400n })), 'older')
    assert.equal(compareAccount(seen, at(100, START.utime, { lastLt: 600n })), 'older')
    assert.equal(compareAccount(seen, at(101, START.utime - 1, { lastLt: 600n })), 'older')
  })

  it('P52 takes a deletion for newer only in a later block', () => {
    assert.equal(compareAccount(seen, at(101, START.utime, { ...gone })), 'newer')
    assert.equal(compareAccount(seen, at(100, START.utime, { ...gone })), 'older')
    assert.equal(compareAccount(seen, at(99, START.utime, { ...gone })), 'older')
  })

  it('P52 knows an account that comes back after a deletion only by a later transaction', () => {
    const deleted = seenAccount(at(101, START.utime, { ...gone }), seen)
    assert.equal(compareAccount(deleted, at(102, START.utime, { lastLt: 501n })), 'newer')
    assert.equal(compareAccount(deleted, at(102, START.utime)), 'contradicts')
    assert.equal(compareAccount(deleted, at(100, START.utime)), 'older')
  })

  it('notices any difference in a state after one transaction', () => {
    const changes: Array<Partial<ShownAccount>> = [
      { balance: nanoTon(1_001n) },
      { state: 'frozen' },
      { code: beginCell().endCell() },
      { data: beginCell().storeUint(3, 8).endCell() },
      { lastHash: 'ab'.repeat(32) }
    ]
    for (const change of changes) {
      assert.equal(compareAccount(seen, at(200, START.utime + 60, change)), 'contradicts')
      assert.equal(compareAccount(seen, at(1, START.utime - 600, change)), 'contradicts')
    }
  })
})

describe('AccountMemory', () => {
  it('never goes back in time, whatever is shown in whatever order', () => {
    const shown = fc.record({ seqno: fc.integer({ min: 1, max: 30 }), server: fc.constantFrom('a', 'b', 'c') })
    fc.assert(
      fc.property(fc.array(shown, { minLength: 1, maxLength: 60 }), fc.nat(5), (answers, period) => {
        // The truth: a transaction every few blocks.
        const truth = (seqno: number): ShownAccount => {
          const lastLt = BigInt(seqno - (seqno % (period + 1))) * 100n + 1n
          return at(seqno, START.utime + seqno, { lastLt, lastHash: lastLt.toString().padStart(64, '0') })
        }
        const memory = new AccountMemory()
        let believed: SeenAccount | undefined
        for (const { seqno, server } of answers) {
          const known = memory.get('x')
          const comparison = known === undefined ? 'newer' : compareAccount(known, truth(seqno))
          assert.notEqual(comparison, 'contradicts')
          if (comparison !== 'older') {
            const seen = known !== undefined && comparison === 'same' ? known : seenAccount(truth(seqno))
            addWitness(seen, truth(seqno), server, 0)
            const before = believed && { ...believed }
            believed = memory.believe('x', seen)
            assert.ok(believed !== undefined)
            assert.ok(before === undefined || (believed.seqno >= before.seqno && believed.lastLt >= before.lastLt))
          }
        }
      })
    )
  })

  it('believes nothing older than what was believed meanwhile, and joins equal states', () => {
    const memory = new AccountMemory()
    const newer = seenAccount(at(102, START.utime, { lastLt: 600n }))
    const first = seenAccount(START)
    addWitness(first, START, 'a', 5)
    const second = seenAccount(at(101, START.utime + 1))
    addWitness(second, at(101, START.utime + 1), 'b', 6)
    assert.equal(memory.believe('x', first), first)
    assert.equal(memory.believe('x', second), first)
    assert.deepEqual([first.seqno, witnesses(first, 6)], [101, ['a', 'b']])
    assert.equal(memory.believe('x', newer), newer)
    assert.equal(memory.believe('x', seenAccount(START)), undefined)
  })

  it('forgets the account believed longest ago, not the others', () => {
    const memory = new AccountMemory()
    for (let index = 0; index < 16_400; index++) {
      memory.believe(String(index), seenAccount(START))
      memory.believe('busy', seenAccount(at(100 + index, START.utime, { lastLt: BigInt(500 + index) })))
    }
    assert.equal(memory.get('0'), undefined)
    assert.ok(memory.get('busy') !== undefined && memory.get('16399') !== undefined)
  })

  it('counts a witness for a minute', () => {
    const seen = seenAccount(START)
    addWitness(seen, START, 'a', 1_000)
    addWitness(seen, START, 'b', 50_000)
    assert.deepEqual(witnesses(seen, 60_000), ['a', 'b'])
    assert.deepEqual(witnesses(seen, 61_001), ['b'])
  })
})
