import assert from 'node:assert/strict'
import { beginCell, external, type Transaction } from '@ton/core'
import type { BlockchainSnapshot } from '@ton/sandbox'
import fc from 'fast-check'
import {
  type ChannelState,
  storeClaim,
  storeCoopClose,
  storeFinish,
  storeFund,
  storeStartClose
} from '../../src/ton/channel-contract.ts'
import { CHALLENGE_SECONDS, ChannelFixture, networkFees, ton, type Wallet } from './channel-fixture.ts'

const GAS = ton('0.05')
const who = fc.constantFrom('payer', 'payee', 'stranger')
/** Thousandths of the deposit, and a little beyond it. */
const share = fc.integer({ min: 0, max: 1_100 })

const operation = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('fund' as const),
      who,
      amount: fc.bigInt({ min: 0n, max: ton('2') }),
      extra: fc.bigInt({ min: 0n, max: ton('0.1') })
    })
  },
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('claim' as const),
      who,
      share,
      gas: fc.bigInt({ min: ton('0.001'), max: GAS })
    })
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('external' as const), share }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('start' as const), who }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('finish' as const), who }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('coop' as const),
      who,
      share,
      voucher: fc.boolean(),
      gas: fc.bigInt({ min: ton('0.001'), max: GAS })
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('stray' as const), who, amount: fc.bigInt({ min: 1n, max: ton('0.5') }) })
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: CHALLENGE_SECONDS }) })
  }
)

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

const NOTHING: ChannelState = { state: 'new', deposit: ton('0'), settled: ton('0'), closeAt: 0, openedLt: 0n }

describe('channel conservation', () => {
  let f: ChannelFixture
  let start: BlockchainSnapshot

  before(async () => {
    f = await ChannelFixture.create()
    start = f.chain.snapshot()
  })

  it('strands and creates nothing, and only ever grows, whatever anybody does', async function () {
    // The real TVM runs hundreds of transactions here.
    this.timeout(90_000)
    let closed = 0
    let claimed = 0
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 4, maxLength: 14 }), async operations => {
        await f.chain.loadFrom(start)
        await f.send(f.payer, storeFund(ton('1')), ton('1.05'), true)
        for (const step of operations) {
          const [before, stateBefore, channelBefore] = [await total(), await state(), await f.balance()]
          const transactions = await run(step, stateBefore)
          const stateAfter = await state()
          const ended = stateBefore.state !== 'new' && stateAfter.state === 'new'
          closed += ended ? 1 : 0
          claimed += stateAfter.settled > stateBefore.settled ? 1 : 0

          assert.equal(before - (await total()), networkFees(transactions), 'every nanoton is a balance or a fee')
          if (ended) {
            assert.equal(await f.balance(), 0n, 'nothing is stranded')
          } else if (stateAfter.state !== 'new') {
            checkGrowth(stateBefore, stateAfter)
            assert.ok((await f.balance()) >= stateAfter.deposit - stateAfter.settled, 'what is owed is there')
          }
          if (step.op === 'claim' && stateAfter.settled > stateBefore.settled) {
            const storage = channelBefore - (await f.balance()) - (stateAfter.settled - stateBefore.settled)
            assert.ok(storage >= 0n && storage < ton('0.0005'), `the channel paid ${storage} more than it owed`)
          }
        }
      }),
      { numRuns: 15 }
    )
    assert.ok(closed > 0 && claimed > 3, `the runs closed ${closed} channels and claimed ${claimed} times`)
  })

  async function state(): Promise<ChannelState> {
    return (await f.exists()) ? f.state() : NOTHING
  }

  async function total(): Promise<bigint> {
    const accounts = [f.payer.address, f.payee.address, f.stranger.address, f.address]
    return (await Promise.all(accounts.map(async address => f.balance(address)))).reduce((a, b) => a + b)
  }

  async function run(step: Operation, now: ChannelState): Promise<Transaction[]> {
    const at = { openedLt: now.openedLt }
    const amount = 'share' in step ? (now.deposit * BigInt(step.share)) / 1_000n : 0n
    switch (step.op) {
      case 'fund':
        return (await f.send(wallet(step.who), storeFund(step.amount as never), step.amount + step.extra, true))
          .transactions
      case 'claim':
        return (await f.send(wallet(step.who), storeClaim(await f.voucher(amount, at)), step.gas)).transactions
      case 'external':
        return sendExternal(storeClaim(await f.voucher(amount, at)))
      case 'start':
        return (await f.send(wallet(step.who), storeStartClose(), GAS)).transactions
      case 'finish':
        return (await f.send(wallet(step.who), storeFinish(), GAS)).transactions
      case 'coop': {
        const sum = step.voucher ? amount : now.settled
        return (await f.send(wallet(step.who), storeCoopClose(await f.statement(sum, at)), step.gas)).transactions
      }
      case 'stray':
        return (await wallet(step.who).send({ to: f.address, value: step.amount, bounce: false })).transactions
      case 'wait':
        f.chain.now = (f.chain.now ?? 0) + step.seconds
        return []
    }
  }

  async function sendExternal(body: Parameters<typeof f.send>[1]): Promise<Transaction[]> {
    try {
      return (await f.chain.sendMessage(external({ to: f.address, body: beginCell().store(body).endCell() })))
        .transactions
    } catch {
      // Not accepted: it never was on chain.
      return []
    }
  }

  function wallet(name: string): Wallet {
    return name === 'payer' ? f.payer : name === 'payee' ? f.payee : f.stranger
  }
})

function checkGrowth(before: ChannelState, after: ChannelState): void {
  assert.ok(after.settled <= after.deposit)
  if (before.openedLt === after.openedLt) {
    assert.ok(after.deposit >= before.deposit && after.settled >= before.settled)
  }
}
