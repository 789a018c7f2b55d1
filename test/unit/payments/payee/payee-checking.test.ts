import assert from 'node:assert/strict'
import { ed25519PublicKey } from '../../../../src/core/ed25519.ts'
import { silentLogger } from '../../../../src/core/logger.ts'
import { Ledger, PayeeChannels, signVoucher, verifyVoucherOnPool } from '../../../../src/payments/index.ts'
import { FakeLedgerDatabase } from '../../../support/ledger-database.ts'
import {
  amount,
  CLIENT_PEER,
  Gate,
  PAYEE_ADDRESS,
  PAYEE_KEY,
  PAYER_KEY,
  STRANGER_KEY
} from '../../../support/payment-pair.ts'
import { PayeeBench } from './payee-fixture.ts'

describe('signatures checked before the channel’s turn', () => {
  let bench: PayeeBench
  beforeEach(async () => {
    bench = await new PayeeBench().setUp()
  })

  it('leave vouchers in the order they came, however long the check of each takes', async () => {
    const gate = new Gate()
    let checks = 0
    bench.beforeVerify = () => (checks++ === 0 ? gate.passed : undefined)
    const taken = [10, 20, 30].map(cumulative => bench.payee.accept(bench.sign(cumulative)))
    await new Promise(setImmediate)
    assert.deepEqual([checks, bench.held.promised], [3, 0n])
    gate.open()
    const credits = (await Promise.all(taken)).map(({ credited }) => credited)
    assert.deepEqual(credits, [10n, 10n, 10n])
  })

  it('do not hold up other channels', async () => {
    const gate = new Gate()
    let checks = 0
    bench.beforeVerify = () => (checks++ === 0 ? gate.passed : undefined)
    const slow = bench.payee.accept(bench.sign(10))
    const terms = bench.terms(bench.channel)
    const other = { ...terms, salt: terms.salt + 1n }
    await bench.chain.openChannel(other, amount(1_000))
    const { channel, openedLt } = await bench.payee.admit(other, CLIENT_PEER)
    await bench.payee.accept(signVoucher(PAYER_KEY, -217, { channel, openedLt, cumulative: amount(7) }))
    assert.equal(bench.held.promised, 0n)
    gate.open()
    assert.deepEqual(await slow, { cumulative: 10n, credited: 10n })
  })

  it('store what was checked, whatever becomes of the message it came in', async () => {
    const voucher = bench.sign(10)
    const { signature } = voucher
    const good = signature.slice()
    const gate = new Gate()
    bench.beforeVerify = () => gate.passed
    const taken = bench.payee.accept(voucher)
    await new Promise(setImmediate)
    signature.fill(0)
    voucher.cumulative = amount(900)
    gate.open()
    assert.deepEqual(await taken, { cumulative: 10n, credited: 10n })
    assert.deepEqual(bench.payee.state(bench.channel).highest?.signature, good)
  })

  it('say nothing of the state: a channel that closes during the check takes no voucher', async () => {
    const gate = new Gate()
    bench.beforeVerify = () => gate.passed
    const taken = bench.payee.accept(bench.sign(10))
    const terms = bench.terms(bench.channel)
    await new Promise(setImmediate)
    await bench.chain.startClose(bench.channel)
    bench.chain.nowMs += 3_600_000
    await bench.chain.finish(bench.channel)
    const { openedLt } = await bench.chain.openChannel(terms, amount(700))
    const admitted = bench.payee.refresh(bench.channel)
    gate.open()
    // It was before the look in the channel's queue.
    assert.equal((await taken).credited, 10n)
    await admitted
    await assert.rejects(bench.payee.accept(bench.sign(20)), { code: 'CHANNEL_CLOSED' })
    await bench.payee.admit(terms, CLIENT_PEER)
    await assert.rejects(bench.payee.accept(bench.signFor(openedLt - 1n, 20n)), { code: 'VOUCHER_FOREIGN' })
  })

  it('are made in the turn if the voucher was not of the opening known when it came', async () => {
    const terms = bench.terms(bench.channel)
    await bench.chain.startClose(bench.channel)
    bench.chain.nowMs += 3_600_000
    await bench.chain.finish(bench.channel)
    const { openedLt } = await bench.chain.openChannel(terms, amount(700))
    const forged = { ...bench.signFor(openedLt, 5n), cumulative: amount(500) }
    const taken: unknown[] = []
    // The write of the new opening is under way, and then those of the vouchers that came before it was done.
    bench.payeeDisk.before = operations => {
      if (operations.some(({ key }) => key.startsWith('payee/')) && taken.length === 0) {
        for (const voucher of [forged, bench.signFor(openedLt, 5n)]) {
          taken.push(bench.payee.accept(voucher).catch((err: unknown) => err))
        }
      }
    }
    await bench.payee.refresh(bench.channel)
    taken.length = 0
    await bench.payee.admit(terms, CLIENT_PEER)
    const [refused, accepted] = await Promise.all(taken)
    assert.equal((refused as { code?: string }).code, 'VOUCHER_SIGNATURE_INVALID')
    assert.deepEqual(accepted, { cumulative: 5n, credited: 5n })
  })

  it('refuse, on the thread pool too, what the payer did not sign', async () => {
    const payee = new PayeeChannels(
      {
        ledger: new Ledger(new FakeLedgerDatabase()),
        chain: bench.chain,
        clock: bench.clock,
        logger: silentLogger,
        key: PAYEE_KEY,
        payeeAddress: PAYEE_ADDRESS
      },
      { minimumDeposit: amount(1), minimumChallengeSeconds: 1 }
    )
    const { channel, openedLt } = await payee.admit(bench.terms(bench.channel), CLIENT_PEER)
    const fields = { channel, openedLt, cumulative: amount(10) }
    const good = signVoucher(PAYER_KEY, -217, fields)
    const bad = [
      signVoucher(STRANGER_KEY, -217, fields),
      signVoucher(PAYER_KEY, -239, fields),
      { ...good, cumulative: amount(11) },
      { ...good, signature: good.signature.slice(0, 63) },
      { ...good, signature: new Uint8Array() }
    ]
    const key = ed25519PublicKey(PAYER_KEY.publicKey)
    assert.deepEqual(await Promise.all(bad.map(voucher => verifyVoucherOnPool(key, -217, voucher))), [
      false,
      false,
      false,
      false,
      false
    ])
    const results = await Promise.allSettled([...bad, good].map(voucher => payee.accept(voucher)))
    assert.deepEqual(
      results.map(result => (result.status === 'rejected' ? (result.reason as { code: string }).code : result.value)),
      [...bad.map(() => 'VOUCHER_SIGNATURE_INVALID'), { cumulative: 10n, credited: 10n }]
    )
  })
})
