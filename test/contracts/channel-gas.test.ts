import assert from 'node:assert/strict'
import { storeFund } from '../../src/ton/channel-contract.ts'
import { CHANNEL_GAS, type ChannelMessage, STORAGE_RESERVE } from '../../src/ton/channel-gas.ts'
import { ChannelFixture, ton } from './channel-fixture.ts'
import { contractConstant } from './contract-source.ts'
import { type MeasuredMessage, type MeasuredName, measureChannel } from './gas-measure.ts'
import { ANNOUNCED_DIVISOR, gasTable, REFERENCE_GAS, stalePages } from './gas-table.ts'

/** Most gas each message may use. */
const TARGETS: Readonly<Record<MeasuredName, bigint>> = {
  open: 5_500n,
  'top-up': 5_500n,
  'claim by the payee': 5_200n,
  'claim by another': 6_000n,
  'external claim': 5_200n,
  'start close': 4_000n,
  'finish by the payer': 4_000n,
  'finish by another': 5_000n,
  'coop close by the payer': 6_500n,
  'coop close by the payer, paying the rest': 6_500n,
  'coop close by another': 6_500n
}

/** Largest share of the reference channel's gas. */
const SHARE_PERCENT = 60n

/** What the contract asks a message to pay for, by the first word of its name. */
const BOUND_OF: Readonly<Record<string, string>> = {
  open: 'GAS_FUND',
  'top-up': 'GAS_FUND',
  claim: 'GAS_CLAIM',
  external: 'GAS_EXTERNAL_CLAIM',
  start: 'GAS_START_CLOSE',
  finish: 'GAS_FINISH',
  coop: 'GAS_COOP_CLOSE'
}

/** Who usually sends what: the fees that a node reckons with are these. */
const USUAL: Readonly<Record<ChannelMessage, MeasuredName>> = {
  open: 'open',
  topUp: 'top-up',
  claim: 'claim by the payee',
  coopClose: 'coop close by the payer, paying the rest',
  startClose: 'start close',
  finish: 'finish by the payer',
  externalClaim: 'external claim'
}

describe('channel gas and size', () => {
  let rows: MeasuredMessage[]
  let announced: MeasuredMessage[]

  before(async () => {
    rows = await measureChannel()
    announced = await measureChannel(ANNOUNCED_DIVISOR)
  })

  it('keeps every message within its target', () => {
    assert.deepEqual(rows.map(row => row.name).toSorted(), Object.keys(TARGETS).toSorted())
    for (const { name, gas } of rows) {
      assert.ok(gas <= TARGETS[name], `${name}: ${gas} gas, at most ${TARGETS[name]}`)
    }
  })

  it('keeps every message within 60 % of the reference channel', () => {
    for (const { name, gas } of rows) {
      const reference = REFERENCE_GAS[name]
      assert.ok(reference === undefined || gas * 100n <= reference * SHARE_PERCENT, `${name}: ${gas} of ${reference}`)
    }
  })

  it('charges for at least what each message burns, and for at most a quarter more than the dearest of its kind', () => {
    for (const constant of new Set(Object.values(BOUND_OF))) {
      const bound = contractConstant(constant)
      const kind = rows.filter(({ name }) => BOUND_OF[name.split(' ')[0] ?? ''] === constant)
      const most = kind.map(row => row.gas).reduce((a, b) => (a > b ? a : b))
      assert.ok(most <= bound, `${constant}: ${most} gas, the contract allows for ${bound}`)
      assert.ok(bound * 4n <= most * 5n, `${constant}: the contract charges for ${bound}, ${most} were used`)
    }
  })

  it('is what a node reckons with', () => {
    for (const [message, name] of Object.entries(USUAL) as Array<[ChannelMessage, MeasuredName]>) {
      const { gas, gasBound } = CHANNEL_GAS[message]
      assert.equal(gas, rows.find(row => row.name === name)?.gas, message)
      assert.equal(gasBound, contractConstant(BOUND_OF[name.split(' ')[0] ?? ''] ?? ''), message)
    }
    const { size, seconds } = STORAGE_RESERVE
    assert.deepEqual([size.bits, size.cells], [contractConstant('ACCOUNT_BITS'), contractConstant('ACCOUNT_CELLS')])
    assert.equal(seconds, contractConstant('RESERVE_SECONDS') + contractConstant('MAX_CHALLENGE_SECONDS'))
  })

  it('costs the sender the fees of its message, and at the opening the storage reserve', () => {
    for (const { name, fee, cost } of [...rows, ...announced]) {
      const reserve = cost - fee
      assert.ok(
        name === 'open' ? reserve > ton('0.005') && reserve < ton('0.012') : reserve === 0n,
        `${name}: ${reserve}`
      )
    }
  })

  it('takes its fees from the chain’s config', () => {
    for (const [index, { name, fee }] of rows.entries()) {
      const then = announced[index] ?? assert.fail()
      // Prices and fees are whole numbers: what rounding takes is multiplied too.
      const difference = Number(then.fee * ANNOUNCED_DIVISOR - fee)
      assert.ok(Math.abs(difference) <= 100, `${name}: ${then.fee} at a sixth of the prices, ${fee} before`)
    }
  })

  it('is what the pages say', () => {
    assert.deepEqual(stalePages(gasTable(rows, announced)), [], 'run "npm run gas"')
  })

  it('keeps the account within the size that its storage reserve pays for', async () => {
    const big = await ChannelFixture.create()
    await big.send(big.payer, storeFund(ton('900000')), ton('900001'), true)
    const size = (await big.chain.getContract(big.address)).account.account?.storageStats.used
    // Deposit, settled and balance may grow by 8, 15 and 8 bytes more.
    assert.ok(size !== undefined && size.bits > 0n && size.bits + 248n <= contractConstant('ACCOUNT_BITS'))
    assert.equal(size.cells, contractConstant('ACCOUNT_CELLS'))
  })
})
