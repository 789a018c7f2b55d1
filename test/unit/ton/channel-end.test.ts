import assert from 'node:assert/strict'
import { ZERO_NANO_TON } from '../../../src/core/nano-ton.ts'
import { CHANNEL_OPS } from '../../../src/ton/channel-contract.ts'
import { channelEnd } from '../../../src/ton/channel-end.ts'
import type { ChainTransaction } from '../../../src/ton/index.ts'

function tx(lt: bigint, op: number, succeeded = true): ChainTransaction {
  const none = ZERO_NANO_TON
  return { hash: `${lt}`, lt, timeMs: 0, fee: none, inValue: none, op, outgoing: [], succeeded }
}

const { fund, claim, startClose, finish, coopClose } = CHANNEL_OPS

describe('how a channel ended', () => {
  it('is told by the message that ended this opening, whatever came after', () => {
    const history = [
      tx(60n, finish),
      tx(50n, startClose),
      tx(40n, fund),
      tx(30n, coopClose),
      tx(20n, claim),
      tx(15n, coopClose, false),
      tx(10n, fund)
    ]
    assert.equal(channelEnd(history, 10n), 'together')
    assert.equal(channelEnd(history, 40n), 'alone')
  })

  it('is unknown where the history does not tell', () => {
    assert.equal(channelEnd([], 10n), 'unknown')
    assert.equal(channelEnd([tx(20n, claim), tx(9n, finish), tx(21n, finish, false)], 10n), 'unknown')
  })
})
