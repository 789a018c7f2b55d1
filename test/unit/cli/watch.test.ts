import assert from 'node:assert/strict'
import type { WatchEvent, WatchInit, WatchSummary } from '../../../src/cli/node-port.ts'
import { CancelledError } from '../../../src/core/errors.ts'
import { nanoTon } from '../../../src/core/nano-ton.ts'
import { useTempFolder } from '../../support/temp-folder.ts'
import { until } from '../../support/until.ts'
import { fakeIo } from './fake-io.ts'
import { ADDRESS } from './fake-node.ts'
import { MainRun } from './run-main.ts'

const ton = (milli: number) => nanoTon(BigInt(milli) * 1_000_000n)
const NOTHING: WatchSummary = { claimed: ton(0), lost: ton(0), failed: 0 }
const channel = ADDRESS

const EVENTS: WatchEvent[] = [
  { type: 'bad-file', file: 'x.voucher', reason: 'it is empty' },
  { type: 'watching', channel, amount: ton(400), due: ton(300), payeeAddress: ADDRESS, challengeSeconds: 21_600 },
  { type: 'higher', channel, amount: ton(500) },
  { type: 'lower-file', file: 'old.voucher', channel, amount: ton(100) },
  { type: 'trouble', channel, code: 'CHAIN_UNREACHABLE', reason: 'nobody\nthere' },
  { type: 'closing', channel, due: ton(400), closeAtMs: Date.now() + 21_000_000, late: false },
  { type: 'too-small', channel, due: ton(1), reason: 'too small' },
  { type: 'over-deposit', channel, amount: ton(900), deposit: ton(800) },
  { type: 'refused', channel, amount: ton(900), reason: 'not signed' },
  { type: 'claimed', channel, paid: ton(400), transaction: 'ab' },
  { type: 'paid', channel, amount: ton(500) },
  { type: 'closing', channel, due: ton(400), closeAtMs: 1_000, late: true },
  { type: 'over', channel, end: 'alone', unpaid: ton(0) },
  { type: 'over', channel, end: 'together', unpaid: ton(0) },
  { type: 'over', channel, end: 'unknown', unpaid: ton(5) },
  { type: 'over', channel, end: 'alone', unpaid: ton(5) }
]

describe('cocoon-node watch', () => {
  const folder = useTempFolder()

  it('hands its files and limits on, without a home', async () => {
    const run = new MainRun(folder())
    const inits: WatchInit[] = []
    run.node.watch = async given => {
      inits.push(given)
      return NOTHING
    }
    const args = ['a.voucher', 'b.voucher', '--network', 'testnet', '--interval', '1.5', '--above', '0.5', '--now']
    const { code, stdout } = await run.run(['watch', ...args], fakeIo({ env: { COCOON_CHAIN_API_KEY: 'k' } }))
    assert.equal(code, 0)
    assert.equal(stdout.text, 'Ended: 0 TON claimed\n')
    const [init = assert.fail()] = inits
    const { files, network, intervalMs, claimAbove, now } = init
    assert.deepEqual(
      [files, network, intervalMs, claimAbove, now],
      [['a.voucher', 'b.voucher'], 'testnet', 1_500, ton(500), true]
    )
    assert.deepEqual(await init.endpointOf('testnet'), {
      endpoint: 'https://testnet.toncenter.com/api/v2/jsonRPC',
      apiKey: 'k',
      fallbacks: []
    })
    await assert.rejects(init.endpointOf('simnet'), { code: 'CHAIN_URL_MISSING' })
    assert.deepEqual(run.node.calls, [])
    await run.run(['watch', 'a.voucher', '--endpoint', 'http://a', '--endpoint', 'http://b'])
    assert.deepEqual(await inits[1]?.endpointOf('simnet'), {
      endpoint: 'http://a',
      fallbacks: [{ endpoint: 'http://b' }]
    })
  })

  it('prints one line an event', async () => {
    const run = new MainRun(folder())
    run.node.watch = async ({ onEvent }) => {
      EVENTS.forEach(onEvent)
      return { claimed: ton(400), lost: ton(5), failed: 2 }
    }
    const { code, stdout } = await run.run(['watch', 'a.voucher'])
    assert.equal(code, 7)
    const lines = stdout.text.trimEnd().split('\n')
    assert.equal(lines.length, EVENTS.length + 1)
    assert.ok(lines.slice(0, -1).every(line => /^\d{4}-\d\d-\d\dT[^ ]+Z ./.test(line)))
    assert.match(lines[1] ?? '', / over 0\.4 TON, 0\.3 TON of it not paid yet; pays 0:[a-f0-9]+, 6 h to claim /)
    assert.match(lines[5] ?? '', /closes alone: claiming 0\.4 TON, 6 h before it ends$/)
    assert.match(lines.at(-2) ?? '', /OVER, 0\.005 TON LOST/)
    assert.equal(lines.at(-1), 'Ended: 0.4 TON claimed, 0.005 TON lost')
  })

  it('tells programs one object an event, amounts in nanotons', async () => {
    const run = new MainRun(folder())
    run.node.watch = async ({ onEvent }) => {
      EVENTS.forEach(onEvent)
      return NOTHING
    }
    const { code, stdout } = await run.run(['watch', 'a.voucher', '--json'])
    assert.equal(code, 0)
    const objects = stdout.objects()
    assert.deepEqual(
      objects.map(({ event }) => event),
      [...EVENTS.map(({ type }) => type), 'ended']
    )
    assert.deepEqual(objects[9], { event: 'claimed', channel, paidNano: '400000000', transaction: 'ab' })
    assert.deepEqual(objects.at(-1), { event: 'ended', claimedNano: '0', lostNano: '0', failed: 0 })
  })

  it('fails where it should have claimed now and could not', async () => {
    const run = new MainRun(folder())
    run.node.watch = async () => ({ ...NOTHING, failed: 1 })
    assert.equal((await run.run(['watch', 'a.voucher', '--now'])).code, 7)
    assert.equal((await run.run(['watch', 'a.voucher'])).code, 0)
  })

  it('ends in order at Ctrl-C', async () => {
    const run = new MainRun(folder())
    let waiting = false
    run.node.watch = async (_init, signal) => {
      waiting = true
      await new Promise(resolve => signal?.addEventListener('abort', resolve, { once: true }))
      return NOTHING
    }
    const running = run.run(['watch', 'a.voucher'])
    await until(() => waiting)
    run.signals.emit('SIGINT')
    const { code, stdout } = await running
    assert.deepEqual([code, stdout.text], [0, 'Ended: 0 TON claimed\n'])

    run.node.watch = async () => Promise.reject(new CancelledError())
    assert.equal((await run.run(['watch', 'a.voucher'])).code, 130)
  })

  for (const [args, code] of [
    [[], 'ARGUMENT_MISSING'],
    [['x', '--above', '0'], 'AMOUNT_OUT_OF_RANGE'],
    [['x', '--interval', '0'], 'OPTION_INVALID'],
    [['x', '--network', 'othernet'], 'OPTION_INVALID'],
    [['x', '--endpoint', 'nowhere'], 'URL_INVALID']
  ] as const) {
    it(`refuses ${args.join(' ') || 'no file'}`, async () => {
      const { code: exit, stderr } = await new MainRun(folder()).run(['watch', ...args])
      assert.equal(exit, 2)
      assert.match(stderr.text, new RegExp(`^error ${code}: `))
    })
  }
})
