import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { NextStep, StepReport } from '../../../src/cli/node-port.ts'
import { describeStep, spanText } from '../../../src/cli/step-text.ts'
import { NetworkError } from '../../../src/core/errors.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { useTempFolder } from '../../support/temp-folder.ts'
import { until } from '../../support/until.ts'
import { ADDRESS, EARNED, PAID } from './fake-node.ts'
import { MainRun } from './run-main.ts'

const HOUR = 3_600_000
const ton = (milli: number) => nanoTon(BigInt(milli) * 1_000_000n)

const CLAIM: NextStep = { action: 'claim', reason: 'amount', atMs: 0, fee: ton(5), gain: ton(1_200) }
const CLOSE: NextStep = {
  action: 'close-together',
  reason: 'idle',
  atMs: Date.now() + 50 * HOUR,
  fee: ton(4),
  gain: ton(7)
}

const REPORT: StepReport = {
  role: 'payee',
  channel: '0:b',
  action: 'claim',
  reason: 'amount',
  fee: ton(5),
  gain: ton(1_200),
  transaction: 'ab'
}

describe('cocoon-node channel list', () => {
  const folder = useTempFolder()
  const listing = (
    plan: () => Promise<Array<{ role: 'payer' | 'payee'; channel: string; step: NextStep }>>
  ): MainRun => {
    const run = new MainRun(folder())
    const book = { start: async () => undefined }
    const paid = { ...PAID, deposit: ton(500), signed: ton(30), used: ton(20), settled: ton(10), room: ton(480) }
    const earned = { ...EARNED, locked: ton(2_000), promised: ton(1_300), settled: ton(100), claimable: ton(1_200) }
    run.node.account = {
      ...run.node.account,
      payer: {
        ...book,
        list: () => [
          { ...paid, pendingDeposit: ton(250) },
          { ...paid, channel: '0:c', state: 'closed' }
        ]
      },
      payee: { ...book, list: () => [earned] },
      steward: { ...run.node.account.steward, plan }
    }
    return run
  }
  const planned = async () => [
    { role: 'payee' as const, channel: '0:b', step: CLAIM },
    { role: 'payer' as const, channel: '0:a', step: CLOSE }
  ]

  it('P46 shows locked, pending, promised and claimable, and the next step with its time and reason', async () => {
    const { stdout, stderr } = await listing(planned).run(['channel', 'list'])
    const lines = stdout.text.trimEnd().split('\n')
    assert.match(lines[1] ?? '', /^pays +0:a .* open +0\.5\+0\.25 +0\.03 +0\.01 +0\.48 +closes in 3 d \(idle\)$/)
    assert.match(lines[2] ?? '', /^pays +0:c .* closed .* closed$/)
    assert.match(lines[3] ?? '', /^earns +0:b .* open +2 +1\.3 +0\.1 +1\.2 +claims now \(amount\)$/)
    assert.equal(lines[4], 'total: 0.5 TON locked, 0.25 TON on its way, 0.48 TON left; 1.2 TON to claim')
    assert.match(stderr.text, /1\.2 TON can be claimed/)
  })

  it('P46 tells programs everything, in nanotons, and the totals last', async () => {
    const { stdout } = await listing(planned).run(['channel', 'list', '--json'])
    const [paid, over, earned, total] = stdout.objects()
    assert.deepEqual(paid, {
      role: 'payer',
      channel: '0:a',
      peerId: PAID.peerId,
      state: 'open',
      depositNano: '500000000',
      pendingNano: '250000000',
      promisedNano: '30000000',
      usedNano: '20000000',
      settledNano: '10000000',
      roomNano: '480000000',
      lastUsedAtMs: 1_000,
      closeAtMs: 0,
      next: {
        action: 'close-together',
        reason: 'idle',
        atMs: CLOSE.atMs,
        deadlineMs: null,
        aloneAtMs: null,
        feeNano: '4000000',
        gainNano: '7000000'
      }
    })
    assert.equal(over?.['next'], null)
    assert.equal((earned?.['next'] as NextStep | undefined)?.action, 'claim')
    assert.deepEqual(total, {
      role: 'total',
      channels: 3,
      depositNano: '500000000',
      pendingNano: '250000000',
      promisedNano: '30000000',
      roomNano: '480000000',
      claimableNano: '1200000000'
    })
  })

  it('shows the books where the chain cannot be asked, and says that steps are missing', async () => {
    const away = async () => Promise.reject(new NetworkError('CHAIN_UNREACHABLE', 'nobody there'))
    const { code, stdout, stderr } = await listing(away).run(['channel', 'list'])
    assert.equal(code, 0)
    assert.match(stdout.text, /^earns +0:b .* 1\.2 +-$/m)
    assert.match(stderr.text, /CHAIN_UNREACHABLE/)
  })

  it('tells each step, its time and its reason in a few words', () => {
    const now = 1_000_000
    const text = (step: Partial<NextStep>): string => describeStep({ ...CLAIM, atMs: now, ...step }, now)
    assert.equal(text({ reason: 'age', atMs: now + 3 * HOUR }), 'claims in 3 h (age)')
    assert.equal(
      text({ action: 'close-together', reason: 'retry', aloneAtMs: now + 48 * HOUR }),
      'closes now (again, it failed before); alone in 2 d'
    )
    assert.equal(text({ action: 'start-close', reason: 'provider-gone' }), 'closes alone now (provider gone)')
    assert.equal(
      text({ action: 'none', reason: 'dust', gain: ton(3) }),
      'too little to claim yet (0.003 TON, fee 0.005 TON)'
    )
    assert.equal(text({ action: 'none', reason: 'in-use', fee: ton(0) }), 'in use')
    assert.deepEqual([-1, 1, 89_000, 90_000, 5_399_000, 5_400_000, 3 * 86_400_000].map(spanText), [
      'now',
      '1 s',
      '89 s',
      '2 min',
      '90 min',
      '2 h',
      '3 d'
    ])
  })
})

describe('cocoon-node channel tend', () => {
  const folder = useTempFolder()

  it('takes what needs only the chain without the mesh, and says what and why', async () => {
    const run = new MainRun(folder())
    let only: readonly string[] | undefined
    run.node.account = {
      ...run.node.account,
      steward: {
        ...run.node.account.steward,
        tend: async options => {
          only = options?.only
          return [REPORT]
        }
      }
    }
    const { code, stdout } = await run.run(['channel', 'tend'])
    assert.equal(code, 0)
    assert.deepEqual(only, ['claim', 'claim-externally', 'finish'])
    assert.equal(stdout.text, 'Claimed from 0:b (amount), 1.2 TON for a fee of 0.005 TON, transaction ab\n')
    assert.deepEqual(run.node.calls, ['close account'])
  })

  it('goes on the mesh for what needs a provider, and fails where a step failed', async () => {
    const run = new MainRun(folder())
    run.node.account = {
      ...run.node.account,
      steward: {
        ...run.node.account.steward,
        plan: async () => [{ role: 'payer', channel: '0:a', step: { ...CLOSE, atMs: 1 } }]
      }
    }
    run.node.tend = async () => {
      const failure = { code: 'PEER_UNREACHABLE', message: 'not there' }
      run.node.init?.onStep?.({
        ...REPORT,
        role: 'payer',
        action: 'close-together',
        reason: 'idle',
        failure,
        transaction: ''
      })
      return []
    }
    const { code, stdout } = await run.run(['channel', 'tend', '--json'])
    assert.equal(code, 7)
    assert.deepEqual(run.node.calls, ['close account', 'start', 'stop'])
    const [report] = stdout.objects()
    assert.deepEqual(report?.['failure'], { code: 'PEER_UNREACHABLE', message: 'not there' })
  })

  it('stays until Ctrl-C if it is told to, and retries what was given up', async () => {
    const run = new MainRun(folder())
    const again: Array<boolean | undefined> = []
    run.node.tend = async flag => {
      again.push(flag)
      return []
    }
    const running = run.run(['channel', 'tend', '--watch', '--retry'])
    await until(() => again.length > 0)
    run.node.init?.onLost?.({ channel: '0:b', lost: ton(3) })
    run.signals.emit('SIGINT')
    const { code, stdout } = await running
    assert.deepEqual([code, again], [0, [true]])
    assert.match(stdout.text, /^LOST 0\.003 TON: channel 0:b /)
  })

  it('says that nothing is due', async () => {
    const { code, stderr } = await new MainRun(folder()).run(['channel', 'tend'])
    assert.equal(code, 0)
    assert.match(stderr.text, /Nothing is due/)
  })
})

describe('cocoon-node channel voucher and recover', () => {
  const folder = useTempFolder()

  it('exports the latest voucher, as text or into a file that is replaced as a whole', async () => {
    const run = new MainRun(folder())
    run.node.account = { ...run.node.account, voucherFile: channel => `voucher of ${channel}\n` }
    const plain = await run.run(['channel', 'voucher', ADDRESS])
    assert.equal(plain.stdout.text, `voucher of ${ADDRESS}\n`)
    const out = join(folder(), 'a.voucher')
    await run.run(['channel', 'voucher', ADDRESS, '--out', out])
    await run.run(['channel', 'voucher', ADDRESS, '--out', out])
    assert.equal(await readFile(out, 'utf8'), `voucher of ${ADDRESS}\n`)
    assert.deepEqual((await readdir(folder())).toSorted(), ['a.voucher', 'home'])
    const bad = await run.run(['channel', 'voucher', ADDRESS, '--out', join(folder(), 'no', 'where')])
    assert.match(bad.stderr.text, /^error OUTPUT_NOT_WRITABLE: /)
  })

  it('lists what was found on the chain, and what the endpoint could not tell', async () => {
    const run = new MainRun(folder())
    run.node.account = {
      ...run.node.account,
      recoverChannels: async () => ({
        recovered: [{ ...PAID, state: 'recovered', deposit: ton(500) }],
        known: [],
        gone: 2,
        incomplete: 'nothing before 2026'
      })
    }
    const plain = await run.run(['channel', 'recover'])
    assert.match(plain.stdout.text, /recovered +0:a +recovered +0\.5 +0\n1 recovered, 0 known before, 2 closed\n$/)
    assert.match(plain.stderr.text, /nothing before 2026/)
    const [channel, total] = (await run.run(['channel', 'recover', '--json'])).stdout.objects()
    assert.deepEqual([channel?.['found'], channel?.['depositNano']], ['recovered', '500000000'])
    assert.deepEqual(total, { found: 'total', recovered: 1, known: 0, gone: 2, incomplete: 'nothing before 2026' })
  })
})
