import assert from 'node:assert/strict'
import { MoneyError, NetworkError } from '../../../../src/core/errors.ts'
import { FakeLedgerDatabase } from '../../../support/ledger-database.ts'
import { amount, Gate, PAYEE_KEY, PaymentPair, POLICY, PROVIDER } from '../../../support/payment-pair.ts'

describe('payer funding', () => {
  let pair: PaymentPair
  beforeEach(async () => {
    pair = await new PaymentPair().start()
  })

  it('opens one channel for parallel jobs and uses it again', async () => {
    const channels = await Promise.all([1, 2, 3].map(() => pair.payer.ensureChannel(PROVIDER, POLICY)))
    assert.equal(new Set(channels.map(c => c.channel)).size, 1)
    assert.equal(pair.chain.count('openChannel'), 1)
    assert.deepEqual(
      channels.map(c => [c.state, c.deposit, c.room]),
      [1, 2, 3].map(() => ['open', 1_000n, 1_000n])
    )
  })

  it('stores the terms before the deposit is sent', async () => {
    let stored: string[] = []
    pair.chain.before = call => {
      if (call === 'openChannel') {
        stored = [...pair.payerDisk.stored.keys()]
      }
    }
    const { channel } = await pair.payer.ensureChannel(PROVIDER, POLICY)
    assert.deepEqual(stored, [`payer/${channel}`, 'spending/2027-01-15', 'seal'])
  })

  it('raises the deposit to what the provider asks for, within the limit, before anything is sent', async () => {
    const { deposit } = await pair.payer.ensureChannel({ ...PROVIDER, minimumDeposit: amount(2_000) }, POLICY)
    assert.equal(deposit, 2_000n)
    const greedy = { ...PROVIDER, payeeKey: PAYEE_KEY.publicKey.with(0, 7), minimumDeposit: amount(5_001) }
    await assert.rejects(pair.payer.ensureChannel(greedy, POLICY), { code: 'DEPOSIT_OVER_LIMIT' })
    assert.equal(pair.chain.count('openChannel'), 1)
    assert.equal(pair.payer.list().length, 1)
  })

  it('finds the deposit whose confirmation was lost instead of sending another', async () => {
    pair.chain.after = call => {
      if (call === 'openChannel') {
        throw new NetworkError('CHAIN_UNREACHABLE', 'cut')
      }
    }
    await assert.rejects(pair.payer.ensureChannel(PROVIDER, POLICY), { code: 'CHAIN_UNREACHABLE' })
    pair.chain.after = () => undefined
    const { state, deposit } = await pair.payer.ensureChannel(PROVIDER, POLICY)
    assert.deepEqual([state, deposit, pair.chain.count('openChannel')], ['open', 1_000n, 1])
  })

  it('sends a lost deposit again, to the same address, only once it can no longer arrive', async () => {
    pair.chain.before = call => {
      if (call === 'openChannel') {
        throw new NetworkError('CHAIN_UNREACHABLE', 'cut')
      }
    }
    const sentAt = pair.chain.nowMs
    await assert.rejects(pair.payer.ensureChannel(PROVIDER, POLICY), { code: 'CHAIN_UNREACHABLE' })
    const planned = pair.payer.list().map(c => c.channel)
    pair.restartPayer()
    await pair.payer.start()
    let sentAgainAt = 0
    pair.chain.before = call => {
      if (call === 'openChannel') {
        sentAgainAt = pair.chain.nowMs
      }
    }
    const { channel } = await pair.payer.ensureChannel(PROVIDER, POLICY)
    assert.deepEqual([channel], planned)
    assert.equal(pair.chain.count('openChannel'), 1)
    assert.ok(sentAgainAt - sentAt >= 90_000)
  })

  it('keeps the channel when the deposit turns up just before it is sent again', async () => {
    let reads = 0
    pair.chain.after = call => {
      if (call === 'openChannel') {
        throw new NetworkError('CHAIN_UNREACHABLE', 'cut')
      }
    }
    await assert.rejects(pair.payer.ensureChannel(PROVIDER, POLICY), { code: 'CHAIN_UNREACHABLE' })
    pair.chain.after = () => undefined
    // A replica that is far behind: the channel is there, reads do not show it.
    const read = pair.chain.readChannel.bind(pair.chain)
    pair.chain.readChannel = async channel => {
      reads++
      return { ...(await read(channel)), state: 'missing' }
    }
    await assert.rejects(pair.payer.ensureChannel(PROVIDER, POLICY), { code: 'CHANNEL_EXISTS' })
    assert.ok(reads > 1)
    pair.chain.readChannel = read
    assert.equal((await pair.payer.ensureChannel(PROVIDER, POLICY)).state, 'open')
    assert.equal(pair.chain.count('openChannel'), 1)
  })

  it('forgets a channel whose deposit was certainly not sent', async () => {
    pair.chain.before = call => {
      if (call === 'openChannel') {
        throw new MoneyError('NOT_ENOUGH_BALANCE', 'empty wallet', { details: { sent: false } })
      }
    }
    await assert.rejects(pair.payer.ensureChannel(PROVIDER, POLICY), { code: 'NOT_ENOUGH_BALANCE' })
    assert.deepEqual([...pair.payerDisk.stored.keys()], ['spending/2027-01-15', 'seal'])
    assert.deepEqual(pair.payer.list(), [])
    assert.equal(pair.payer.today().deposited, 0n)
  })

  it('says so when the deposit does not show up in time, and finds it later', async () => {
    const read = pair.chain.readChannel.bind(pair.chain)
    pair.chain.readChannel = async channel => ({ ...(await read(channel)), state: 'missing' })
    await assert.rejects(pair.payer.ensureChannel(PROVIDER, POLICY), { code: 'DEPOSIT_UNCONFIRMED' })
    pair.chain.readChannel = read
    await pair.payer.ensureChannel(PROVIDER, POLICY)
    assert.equal(pair.chain.count('openChannel'), 1)
  })

  it('tops up when the next job would not fit, never past the limit', async () => {
    const channel = await pair.open()
    await pair.payer.authorize(channel, { delta: amount(950) })
    const job = pair.payer.startJob(channel, { jobId: 'a', maxCost: amount(950) })
    await job.payUpTo(amount(950))
    const topped = await pair.payer.ensureChannel(PROVIDER, POLICY)
    assert.deepEqual([topped.channel, topped.deposit, topped.room], [channel, 2_000n, 1_050n])
    await assert.rejects(pair.payer.ensureChannel(PROVIDER, { ...POLICY, room: amount(4_100) }), {
      code: 'DEPOSIT_OVER_LIMIT'
    })
    const full = await pair.payer.ensureChannel(PROVIDER, { ...POLICY, room: amount(4_000) })
    assert.deepEqual([full.deposit, pair.chain.count('topUp')], [4_950n, 2])
    const last = await pair.payer.ensureChannel(PROVIDER, { ...POLICY, room: amount(4_001) })
    assert.deepEqual([last.deposit, pair.chain.count('topUp')], [5_000n, 3])
  })

  it('counts a top-up once when its confirmation was lost', async () => {
    const channel = await pair.open()
    pair.chain.after = call => {
      if (call === 'topUp') {
        throw new NetworkError('CHAIN_UNREACHABLE', 'cut')
      }
    }
    await assert.rejects(pair.payer.topUp(channel, amount(300)), { code: 'CHAIN_UNREACHABLE' })
    pair.chain.after = () => undefined
    assert.equal((await pair.payer.topUp(channel, amount(300))).deposit, 1_300n)
    assert.equal(pair.chain.count('topUp'), 1)
  })

  it('signs vouchers within the confirmed deposit while a top-up is under way', async () => {
    const channel = await pair.open()
    const arrival = new Gate()
    pair.chain.before = call => (call === 'topUp' ? arrival.passed : undefined)
    const topUp = pair.payer.topUp(channel, amount(500))
    const voucher = await pair.payer.authorize(channel, { delta: amount(1_000) })
    assert.equal(voucher.cumulative, 1_000n)
    await assert.rejects(pair.payer.authorize(channel, { delta: amount(1) }), { code: 'CHANNEL_EXHAUSTED' })
    arrival.open()
    await topUp
    assert.equal((await pair.payer.authorize(channel, { delta: amount(1) })).cumulative, 1_001n)
  })

  it('opens another channel after the first one was closed behind its back', async () => {
    const channel = await pair.open()
    await pair.chain.startClose(channel)
    pair.chain.nowMs += 3_600_000
    await pair.chain.finish(channel)
    assert.equal((await pair.payer.refresh(channel)).state, 'closed')
    assert.notEqual((await pair.payer.ensureChannel(PROVIDER, POLICY)).channel, channel)
  })

  it('refuses to start over a damaged ledger', async () => {
    const channel = await pair.open()
    const key = `payer/${channel}`
    const torn = (pair.payerDisk.stored.get(key) ?? '').slice(0, -9)
    pair.restartPayer(new FakeLedgerDatabase([[key, torn]]))
    await assert.rejects(pair.payer.start(), { code: 'LEDGER_CORRUPT', details: { key } })
  })
})
