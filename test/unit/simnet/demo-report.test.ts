import assert from 'node:assert/strict'
import { balanceSheet } from '../../../simnet/balance-sheet.ts'
import { DemoReport } from '../../../simnet/demo-report.ts'
import { fixedTon, Screen, usesColour } from '../../../simnet/screen.ts'

const CLOSE = { channel: '0:c', paid: 7n, closeTransaction: 'cc22' } as Parameters<DemoReport['closed']>[0]

function render(draw: (report: DemoReport) => void, colour = false): string {
  let shown = ''
  draw(new DemoReport(new Screen(text => void (shown += text), colour), 3))
  return shown
}

const SHEET = balanceSheet([
  {
    name: 'client wallet',
    address: '0:a',
    before: 10_000_000_000n,
    after: 9_449_999_990n,
    transactions: [{ hash: 'aa'.repeat(32), lt: 1n, received: 0n, sent: 550_000_000n, fee: 4n, forwardFee: 6n }]
  },
  {
    name: 'channel',
    address: '0:c',
    before: 0n,
    after: 549_999_997n,
    transactions: [{ hash: 'cc11', lt: 2n, received: 550_000_000n, sent: 0n, fee: 3n, forwardFee: 0n }]
  },
  { name: 'provider-9 wallet', address: '0:b', before: 5n, after: 5n, transactions: [] }
])

describe('the screen of the demo', () => {
  it('says that the enclaves are simulated and the money is not real', () => {
    const shown = render(report => report.begin())
    assert.match(shown, /SIMULATED/)
    assert.match(shown, /not confidentiality/)
    assert.match(shown, /play money/)
  })

  it('lists each fee, and totals that are equal', () => {
    const lines = render(report => report.sheet(SHEET, CLOSE)).split('\n')
    const row = (start: string): string[] =>
      lines
        .find(line => line.trim().startsWith(start))
        ?.trim()
        .split(/ {2,}/) ?? []
    assert.deepEqual(row('total'), ['total', '10.000000000', '10.000000000', '0.000000000'])
    assert.deepEqual(row('network fees'), ['network fees', '0.000000013', '+0.000000013'])
    assert.deepEqual(row('channel    '), ['channel', '0.000000000', '0.549999997', '+0.549999997'])
    assert.ok(lines.some(line => /client wallet +sends 0\.55 TON +a{16} +0\.000000004 +0\.000000006$/.test(line)))
    assert.ok(lines.some(line => /channel +open +cc11 +0\.000000003 +0\.000000000$/.test(line)))
    assert.deepEqual(row('sum'), ['sum', '0.000000007', '0.000000006'])
    assert.ok(!lines.some(line => line.includes('provider-9')))
  })

  it('indents every line of an answer that comes in pieces', () => {
    const shown = render(report => {
      const stream = report.answerBegins()
      stream.write('one\ntw')
      stream.write('o\n')
      stream.write('three')
      stream.close()
    })
    assert.ok(shown.endsWith('  one\n  two\n  three\n'), shown)
  })

  it('has colours only where a person looks', () => {
    assert.equal(usesColour({ isTTY: true }, {}), true)
    assert.equal(usesColour({}, {}), false)
    assert.equal(usesColour({ isTTY: true }, { NO_COLOR: '1' }), false)
    assert.equal(usesColour({ isTTY: true }, { TERM: 'dumb' }), false)
    assert.ok(!render(report => report.begin()).includes('\u001b'))
    assert.ok(render(report => report.begin(), true).includes('\u001b'))
  })

  it('writes amounts with all their decimals', () => {
    assert.deepEqual([0n, 1n, -1n, 10n ** 9n, -15n * 10n ** 8n].map(fixedTon), [
      '0.000000000',
      '0.000000001',
      '-0.000000001',
      '1.000000000',
      '-1.500000000'
    ])
  })
})
