import assert from 'node:assert/strict'
import { MoneyError } from '../../../../src/core/errors.ts'
import type { FakeChainCall } from '../../../support/fake-chain.ts'
import { amount, PAYEE_ADDRESS, PAYER_ADDRESS } from '../../../support/payment-pair.ts'
import { until } from '../../../support/until.ts'
import { HOUR } from '../lifecycle/standings.ts'
import { STEWARD_POLICY, StewardPair } from './steward-pair.ts'

describe('the steward of a provider', () => {
  it('claims past an amount, and past an age', async () => {
    const pair = await new StewardPair().start()
    await pair.used(101n)
    const [report] = await pair.earning.tend()
    assert.deepEqual([report?.action, report?.reason, report?.failure], ['claim', 'amount', undefined])
    assert.equal(pair.chain.paid.get(PAYEE_ADDRESS), 101n)
    await pair.used(41n)
    assert.deepEqual(await pair.earning.tend(), [])
    pair.pass(24)
    assert.equal((await pair.earning.tend())[0]?.reason, 'age')
    assert.equal(pair.chain.paid.get(PAYEE_ADDRESS), 142n)
    assert.deepEqual(await pair.earning.tend(), [])
  })

  it('asks nobody anything while nothing can be due', async () => {
    const pair = await new StewardPair().start()
    await pair.used(50n)
    pair.chain.before = call => assert.fail(`${call} was asked for`)
    assert.deepEqual(await pair.earning.tend(), [])
    assert.deepEqual(await (await new StewardPair().start()).earning.plan(), [])
    assert.equal(pair.priced, 0)
  })

  it('takes gas from the payout where the wallet has none', async () => {
    const pair = await new StewardPair().start()
    pair.payeeBalance = amount(0)
    await pair.used(101n)
    pair.chain.claim = () => assert.fail('the wallet is empty')
    const paid: bigint[] = []
    pair.chain.claimExternally = async (_channel, { cumulative }) => {
      paid.push(cumulative)
      return { transaction: 'ff' }
    }
    const [report] = await pair.earning.tend()
    assert.deepEqual([report?.action, report?.transaction, paid], ['claim-externally', 'ff', [101n]])
  })

  it('does so too where the balance turns out to be less than it was', async () => {
    const pair = await new StewardPair().start()
    await pair.used(101n)
    await pair.earning.plan()
    pair.payeeBalance = amount(0)
    pair.chain.claim = async () => {
      throw new MoneyError('NOT_ENOUGH_BALANCE', 'empty', { details: { sent: false } })
    }
    pair.chain.claimExternally = async () => ({ transaction: 'ff' })
    assert.equal((await pair.earning.tend())[0]?.failure?.code, 'NOT_ENOUGH_BALANCE')
    pair.chain.nowMs += 30_000
    assert.equal((await pair.earning.tend())[0]?.action, 'claim-externally')
  })

  it('P37 gives up a claim that always fails, also over restarts, and still settles when the channel closes', async () => {
    const pair = await new StewardPair().start()
    const channel = await pair.used(400n)
    let sent = 0
    pair.chain.before = call => {
      if (call === 'claim') {
        sent++
        throw new MoneyError('CHAIN_REFUSED', 'for ever')
      }
    }
    for (let hour = 0; hour < 200; hour++) {
      pair.restartStewards()
      await pair.earning.tend()
      await pair.earning.tend()
      pair.pass(1)
    }
    assert.equal(sent, STEWARD_POLICY.maxTries)
    const [planned] = await pair.earning.plan()
    assert.deepEqual([planned?.step.action, planned?.step.reason], ['none', 'gave-up'])

    pair.chain.before = () => undefined
    await pair.payer.startClose(channel)
    await pair.payee.refresh(channel)
    await pair.earning.tend()
    assert.equal(pair.chain.paid.get(PAYEE_ADDRESS), 400n)
  })

  it('P37 writes a try down before it is made: a process that dies in it has paid for it', async () => {
    const pair = await new StewardPair().start()
    await pair.used(400n)
    let sent = 0
    for (let life = 0; life < 9; life++) {
      const dying = new Promise<void>(resolve => {
        pair.chain.before = async call => {
          if (call === 'claim') {
            sent++
            resolve()
            await new Promise(() => undefined)
          }
        }
      })
      await Promise.race([pair.earning.tend(), dying])
      // Killed, and up again an hour later.
      pair.restartPayee()
      await pair.payee.start()
      pair.restartStewards()
      pair.pass(1)
    }
    assert.equal(sent, STEWARD_POLICY.maxTries)
    const [planned] = await pair.earning.plan()
    assert.equal(planned?.step.reason, 'gave-up')
    await pair.earning.forgetFailures()
    assert.equal((await pair.earning.plan())[0]?.step.action, 'claim')
  })

  it('counts nothing against the next claim where one landed without an answer', async () => {
    const pair = await new StewardPair().start()
    const channel = await pair.used(150n)
    pair.chain.after = call => {
      if (call === 'claim') {
        throw new MoneyError('CHAIN_TIMEOUT', 'no answer')
      }
    }
    await pair.earning.tend()
    assert.equal(pair.chain.paid.get(PAYEE_ADDRESS), 150n)
    assert.equal(pair.payeeJournal.stored.size, 1)
    pair.chain.after = () => undefined
    pair.pass(1)
    await pair.payee.refresh(channel)
    assert.deepEqual(await pair.earning.tend(), [])
    assert.equal(pair.payeeJournal.stored.size, 0)
  })

  it('does not count what was not sent, and waits longer each time', async () => {
    const pair = await new StewardPair().start()
    await pair.used(400n)
    let asked = 0
    pair.chain.before = call => {
      if (call === 'claim') {
        asked++
        throw new MoneyError('CHAIN_BUSY', 'not sent', { details: { sent: false } })
      }
    }
    for (let minute = 0; minute < 60; minute++) {
      await pair.earning.tend()
      pair.chain.nowMs += 60_000
    }
    assert.ok(asked >= 6 && asked <= 9, `asked ${asked} times in an hour`)
    pair.chain.before = () => undefined
    pair.pass(2)
    await pair.earning.tend()
    assert.equal(pair.chain.paid.get(PAYEE_ADDRESS), 400n)
  })
})

describe('the steward of a client', () => {
  it('closes an idle channel together with the provider', async () => {
    const pair = await new StewardPair().start()
    await pair.used(400n)
    pair.pass(167)
    assert.deepEqual(await pair.paying.tend(), [])
    const [planned] = await pair.paying.plan()
    assert.deepEqual([planned?.step.action, planned?.step.atMs], ['close-together', pair.chain.nowMs + HOUR])
    assert.equal(planned?.step.gain, 600n, 'no more than is known to come back')
    pair.pass(1)
    const [report] = await pair.paying.tend()
    assert.deepEqual([report?.action, report?.reason, report?.failure], ['close-together', 'idle', undefined])
    assert.equal(pair.chain.paid.get(PAYER_ADDRESS), 600n)
    assert.equal(pair.chain.paid.get(PAYEE_ADDRESS), 400n)
    assert.deepEqual(await pair.paying.plan(), [])
  })

  it('P40 closes alone and finishes, where the provider is gone', async () => {
    const pair = await new StewardPair().start()
    await pair.used(400n)
    pair.reachable = false
    pair.pass(168)
    const [failed] = await pair.paying.tend()
    assert.equal(failed?.failure?.code, 'PEER_UNREACHABLE')
    assert.equal(pair.chain.count('startClose'), 0)
    const [planned] = await pair.paying.plan()
    assert.equal(planned?.step.aloneAtMs, pair.chain.nowMs + 72 * HOUR)
    for (let hour = 0; hour < 71; hour++) {
      pair.restartStewards()
      await pair.paying.tend()
      pair.pass(1)
    }
    assert.equal(pair.chain.count('startClose'), 0)
    pair.pass(1)
    const [alone] = await pair.paying.tend()
    assert.deepEqual([alone?.action, alone?.reason], ['start-close', 'provider-gone'])
    pair.pass(1)
    assert.deepEqual(await pair.paying.tend(), [])
    pair.pass(1)
    const [finished] = await pair.paying.tend()
    assert.deepEqual([finished?.action, finished?.reason], ['finish', 'challenge-over'])
    // Nobody claimed: all of it came back.
    assert.equal(pair.chain.paid.get(PAYER_ADDRESS), 1_000n)
    assert.deepEqual([pair.chain.count('startClose'), pair.chain.count('finish')], [1, 1])
  })

  it('closes together after all, where the provider answers at the last moment', async () => {
    const pair = await new StewardPair().start()
    await pair.used(400n)
    pair.reachable = false
    pair.pass(168)
    await pair.paying.tend()
    pair.pass(72)
    pair.reachable = true
    const [report] = await pair.paying.tend()
    assert.deepEqual([report?.action, pair.chain.count('startClose')], ['close-together', 0])
  })

  it('P35 finishes a close from what the chain alone tells, with the ledger lost', async () => {
    const pair = await new StewardPair().start()
    const channel = await pair.used(400n)
    const terms = pair.terms(channel)
    await pair.payer.startClose(channel)
    pair.payerDisk.stored.clear()
    pair.restartPayer()
    await pair.payer.start()
    pair.restartStewards()
    await pair.payer.recover([{ channel, terms }])
    assert.deepEqual(await pair.paying.tend(), [])
    pair.pass(2)
    const [report] = await pair.paying.tend()
    assert.equal(report?.action, 'finish')
    assert.equal(pair.chain.paid.get(PAYER_ADDRESS), 1_000n)
  })

  it('closes nothing that costs more than what comes back', async () => {
    const pair = await new StewardPair().start()
    await pair.used(400n)
    pair.fees = { ...pair.fees, coopClose: amount(600), startClose: amount(500), finish: amount(100) }
    pair.restartStewards({ factsMaxAgeMs: 0 })
    pair.pass(400)
    assert.deepEqual(await pair.paying.tend(), [])
    assert.equal((await pair.paying.plan())[0]?.step.reason, 'not-worth-closing')
    assert.equal(pair.payer.list()[0]?.state, 'open')
    pair.fees = { ...pair.fees, coopClose: amount(599) }
    pair.pass(1)
    assert.equal((await pair.paying.tend())[0]?.action, 'close-together')
  })

  it('in its first minute takes only the steps it was told', async () => {
    const pair = await new StewardPair().start()
    await pair.used(400n)
    pair.pass(168)
    assert.deepEqual(await pair.paying.tend({ only: ['claim', 'finish'] }), [])
    assert.equal((await pair.paying.tend({ only: ['close-together'] })).length, 1)
  })
})

describe('steps that several ask for', () => {
  const closes: FakeChainCall[] = ['coopClose', 'startClose', 'finish']

  it('P44 disconnect, idle timer and shutdown at once produce one close message', async () => {
    const pair = await new StewardPair().start()
    const channel = await pair.used(400n)
    pair.pass(168)
    let waiting: (() => void) | undefined
    pair.chain.before = call =>
      closes.includes(call) ? new Promise<void>(resolve => void (waiting = resolve)) : undefined
    const disconnect = pair.paying.tendOne('payer', channel)
    const timer = pair.paying.tend()
    await until(() => waiting !== undefined)
    pair.pause = () => new Promise(() => undefined)
    const shutdown = pair.paying.stop()
    const late = pair.paying.tendOne('payer', channel)
    waiting?.()
    const [first, all, , after] = await Promise.all([disconnect, timer, shutdown, late])
    assert.equal(first?.action, 'close-together')
    assert.deepEqual(all, [first])
    assert.equal(after, undefined)
    assert.equal(pair.chain.log.filter(({ call }) => closes.includes(call)).length, 1)
  })

  it('ends with the steps that were begun, and waits for no other', async () => {
    const pair = await new StewardPair().start()
    await pair.used(400n)
    pair.pass(168)
    let waiting: (() => void) | undefined
    pair.chain.before = async call => {
      if (call === 'coopClose') {
        await new Promise<void>(resolve => void (waiting = resolve))
      }
    }
    pair.paying.start()
    await until(() => waiting !== undefined)
    let stopped = false
    const stopping = pair.paying.stop().then(() => void (stopped = true))
    await new Promise(resolve => setImmediate(resolve))
    assert.equal(stopped, false)
    waiting?.()
    await stopping
    assert.deepEqual([pair.chain.count('coopClose'), pair.reports.length], [1, 1])

    const stuck = await new StewardPair().start()
    await stuck.used(400n)
    stuck.pass(168)
    stuck.chain.before = call => (call === 'coopClose' ? new Promise(() => undefined) : undefined)
    const asked = until(() => stuck.payerJournal.stored.size > 0)
    stuck.paying.start()
    await asked
    const pauses: number[] = []
    stuck.pause = async ms => void pauses.push(ms)
    await stuck.paying.stop()
    assert.deepEqual(pauses, [5_000])
  })

  it('P44 a failing close stops neither the other channels nor the steward', async () => {
    const pair = await new StewardPair().start()
    const [broken] = [await pair.used(400n)]
    await pair.payer.retire(broken)
    const whole = await pair.used(300n)
    assert.notEqual(broken, whole)
    pair.pass(168)
    let rounds = 0
    pair.pause = async (_ms, signal) => {
      rounds++
      pair.pass(1)
      if (rounds > 3) {
        await new Promise(resolve => signal?.addEventListener('abort', resolve, { once: true }))
      }
    }
    const coopClose = pair.chain.coopClose.bind(pair.chain)
    pair.chain.coopClose = async (channel, ...rest) => {
      if (channel === broken) {
        throw new Error('a bug')
      }
      return coopClose(channel, ...rest)
    }
    pair.paying.start()
    await until(() => rounds > 3)
    assert.deepEqual(
      new Set(pair.reports.map(({ channel, failure }) => `${channel === broken} ${failure?.code}`)),
      new Set(['true INTERNAL', 'false undefined'])
    )
    await pair.paying.stop()
  })

  it('looks again after the chain was away, without a busy loop', async () => {
    const pair = await new StewardPair().start()
    await pair.used(400n)
    const pauses: number[] = []
    pair.chain.before = () => {
      throw new MoneyError('CHAIN_UNREACHABLE', 'away')
    }
    pair.pause = async (ms, signal) => {
      pauses.push(ms)
      pair.chain.nowMs += ms
      if (pauses.length === 6) {
        pair.chain.before = () => undefined
      }
      if (pauses.length === 8) {
        await new Promise(resolve => signal?.addEventListener('abort', resolve, { once: true }))
      }
    }
    pair.earning.start()
    await until(() => pauses.length === 8)
    await pair.earning.stop()
    assert.deepEqual(pauses, [60_000, 120_000, 240_000, 300_000, 300_000, 300_000, 30_000, 30_000])
    assert.equal(pair.chain.paid.get(PAYEE_ADDRESS), 400n)
  })

  it('refuses a journal that was edited', async () => {
    const pair = await new StewardPair().start()
    await pair.used(400n)
    pair.chain.before = call => {
      if (call === 'claim') {
        throw new MoneyError('CHAIN_REFUSED', 'no')
      }
    }
    await pair.earning.tend()
    const [[key, value]] = [...pair.payeeJournal.stored] as [[string, string]]
    pair.payeeJournal.stored.set(key, value.replace('"tries":1', '"tries":0'))
    pair.restartStewards()
    await assert.rejects(pair.earning.tend(), { code: 'LEDGER_CORRUPT' })
  })
})
